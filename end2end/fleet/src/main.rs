//! The command line of the practice fleet: `up`, `down`, `status`, `scene`, `scenes`.

use std::{
    convert::Infallible,
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use fleet::{
    fleet::Wish,
    fronts, guard,
    scenes::{self, Rate, Scene, Stage},
    state, wait,
};
use rustix::process::{Pid, Signal};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{oneshot, watch},
};

/// Real Kubernetes clusters on loopback, with a life of their own and troubles on demand.
#[derive(Parser)]
#[command(name = "fleet")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a fleet; it runs in the foreground until Ctrl-C or SIGTERM.
    Up {
        /// How many clusters.
        #[arg(long, default_value_t = 3)]
        clusters: u8,
        /// Nodes in each cluster; every third has GPUs.
        #[arg(long, default_value_t = 6)]
        nodes: usize,
        /// The folder with the programs of the control plane.
        #[arg(long, env = "FLEET_TOOLS")]
        tools: PathBuf,
        #[command(flatten)]
        place: Place,
        /// Where the clusters are reached, one port each, such as 7181,7182,7183.
        #[arg(long, value_delimiter = ',')]
        links: Vec<u16>,
        /// A private key (PEM) that signs every cluster's certificate as `practice-ca`.
        #[arg(long)]
        authority_key: Option<PathBuf>,
        /// Hours that each cluster's viewer token lives, such as 8760,8760,72; the last is for all further clusters.
        #[arg(long, value_delimiter = ',')]
        token_hours: Vec<u32>,
        /// An AuthenticationConfiguration for every API server: whose tokens it takes besides its own.
        #[arg(long)]
        authentication: Option<PathBuf>,
        #[command(flatten)]
        fronts: Fronts,
        /// End when standard input is closed too, for a parent that may be killed.
        #[arg(long)]
        until_stdin_closes: bool,
    },
    /// Stop the fleet and wait until it is gone.
    Down {
        #[command(flatten)]
        place: Place,
    },
    /// Show the clusters and whether they answer.
    Status {
        #[command(flatten)]
        place: Place,
    },
    /// Play a scene in a cluster, or undo it.
    Scene {
        name: String,
        /// The cluster; the first one unless told.
        #[arg(long)]
        cluster: Option<String>,
        /// Restore what was before.
        #[arg(long)]
        undo: bool,
        /// For `churn`: how many pods there are at a time.
        #[arg(long, default_value_t = Rate::default().pods)]
        pods: u32,
        /// For `churn`: how many of them end each second, and as many come.
        #[arg(long, default_value_t = Rate::default().per_second)]
        rate: u32,
        #[command(flatten)]
        place: Place,
    },
    /// List the scenes.
    Scenes,
    /// Run a program that ends when the fleet ends (for the fleet's own use).
    #[command(hide = true)]
    Guard {
        #[arg(long)]
        parent: u32,
        /// Its own children end with it.
        #[arg(long)]
        tree: bool,
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

/// Ports beside the clusters' own; fleet.json says where they are, and fronts.kubeconfig has a context for each.
#[derive(clap::Args)]
struct Fronts {
    /// Further addresses of the clusters, shared out among them.
    #[arg(long = "fronts", default_value_t = 0)]
    through: usize,
    /// Addresses that accept and never answer.
    #[arg(long, default_value_t = 0)]
    black_holes: usize,
    /// Addresses that never accept.
    #[arg(long, default_value_t = 0)]
    unreachable: usize,
    /// Addresses that refuse.
    #[arg(long, default_value_t = 0)]
    refusing: usize,
    /// Addresses with a certificate of an authority that nobody knows.
    #[arg(long, default_value_t = 0)]
    strangers: usize,
}

impl Fronts {
    fn wish(&self) -> fronts::Wish {
        fronts::Wish {
            through: self.through,
            black_holes: self.black_holes,
            unreachable: self.unreachable,
            refusing: self.refusing,
            strangers: self.strangers,
        }
    }
}

#[derive(clap::Args)]
struct Place {
    /// The folder of the fleet's state: fleet.json, kubeconfigs, logs.
    #[arg(long, env = "FLEET_DIR", default_value = "target/fleet")]
    dir: PathBuf,
}

fn main() -> ExitCode {
    fleet::use_ring();
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("fleet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Guard { parent, tree: true, command } => guard::keep_tree(parent, &command),
        Command::Guard { parent, tree: false, command } => {
            match guard::become_bound(parent, &command)? {}
        }
        Command::Scenes => {
            for (_, name, about) in scenes::ALL {
                println!("{name:<18} {about}");
            }
            Ok(ExitCode::SUCCESS)
        }
        command => {
            tokio::runtime::Runtime::new()?.block_on(run_async(command)).map(|()| ExitCode::SUCCESS)
        }
    }
}

async fn run_async(command: Command) -> Result<()> {
    match command {
        Command::Up {
            clusters,
            nodes,
            tools,
            links,
            authority_key,
            token_hours,
            authentication,
            fronts,
            place,
            until_stdin_closes,
        } => {
            let asked = listen_for_end(until_stdin_closes)?;
            let authority_key = authority_key.map(std::fs::read_to_string).transpose()?;
            let fronts = fronts.wish();
            // The API servers run in folders of their own.
            let authentication = authentication.map(std::path::absolute).transpose()?;
            let wish =
                Wish { clusters, nodes, links, authority_key, token_hours, authentication, fronts };
            fleet::fleet::run(&wish, &tools, &place.dir, asked).await
        }
        Command::Down { place } => down(&place.dir).await,
        Command::Status { place } => status(&place.dir).await,
        Command::Scene { name, cluster, undo, pods, rate, place } => {
            let rate = Rate { pods, per_second: rate };
            play(&place.dir, &name, cluster.as_deref(), undo, rate).await
        }
        Command::Scenes | Command::Guard { .. } => Ok(()),
    }
}

/// Turns true at the first SIGINT, SIGTERM or SIGHUP, or when standard input closes.
fn listen_for_end(until_stdin_closes: bool) -> Result<watch::Receiver<bool>> {
    let (ask, asked) = watch::channel(false);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            () = stdin_closes(), if until_stdin_closes => {}
        }
        ask.send_replace(true);
    });
    Ok(asked)
}

/// Reads in a thread of its own: tokio's would hold up the end of the runtime until somebody types something.
async fn stdin_closes() {
    let (tell, closed) = oneshot::channel();
    std::thread::spawn(move || {
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).ok();
        tell.send(()).ok();
    });
    closed.await.ok();
}

async fn down(folder: &Path) -> Result<()> {
    if !state::is_held(folder) {
        println!("no fleet runs in {}", folder.display());
        return Ok(());
    }
    let pid = state::Fleet::load(folder)?.pid;
    let pid =
        i32::try_from(pid).ok().and_then(Pid::from_raw).context("fleet.json names no process")?;
    rustix::process::kill_process(pid, Signal::TERM).context("cannot ask the fleet to end")?;
    wait::until("the fleet to end", Duration::from_mins(1), async || {
        Ok::<_, Infallible>((!state::is_held(folder)).then_some(()))
    })
    .await
}

async fn status(folder: &Path) -> Result<()> {
    let fleet = state::Fleet::load(folder)?;
    if !state::is_held(folder) {
        println!(
            "the fleet in {} was killed; `fleet up` clears away what it left",
            folder.display()
        );
        return Ok(());
    }
    for cluster in &fleet.clusters {
        let answer = match answers(cluster).await {
            Ok(version) => version,
            Err(error) => format!("no answer: {error:#}"),
        };
        println!(
            "{:<12} {:<9} {}  {answer}",
            cluster.name,
            cluster.state.as_str(),
            cluster.proxied_url
        );
        if let Some(error) = &cluster.error {
            println!("{:<12} {error}", "");
        }
    }
    Ok(())
}

/// The version that the API server tells through its link.
async fn answers(cluster: &state::Cluster) -> Result<String> {
    let text = std::fs::read_to_string(&cluster.admin_kubeconfig)?;
    let client = fleet::kubeconfig::client(&text).await?;
    let version =
        tokio::time::timeout(Duration::from_secs(5), client.apiserver_version()).await??;
    Ok(version.git_version)
}

async fn play(
    folder: &Path,
    name: &str,
    cluster: Option<&str>,
    undo: bool,
    rate: Rate,
) -> Result<()> {
    let scene = Scene::find(name)?;
    let fleet = state::Fleet::load(folder)?;
    let cluster = fleet.cluster(cluster)?;
    let stage = Stage { rate, ..Stage::new(&fleet, cluster)? };
    if undo {
        scene.undo(&stage).await?;
        println!("{name} undone in {}", cluster.name);
    } else {
        scene.play(&stage).await?;
        println!("{name} plays in {}; end it with `fleet scene {name} --undo`", cluster.name);
    }
    Ok(())
}

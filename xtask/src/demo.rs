//! Owns `demo`: the console as soon as it is built, then the practice fleet beside it, until Ctrl-C.
//!
//! ```text
//! assets ─► server ─► console answers, access.json ─► Kubernetes (built once) ─► fleet ─► clusters, one by one
//! ```
//!
//! Must not configure anything that `serve` could not be told by its flags.

mod ground;
mod history;
mod registry;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::build::{self, manifest};
use crate::console::{Console, People};
use crate::control_plane;
use crate::process::{self, Service};
use crate::progress::{note, step};
use crate::setup;
use crate::workspace::Workspace;

use self::ground::Ground;
use self::history::{History, Scenes};
use self::registry::Registry;

/// Where the practice fleet says how its clusters are.
const FLEET_FILE: &str = "fleet.json";

/// For programs that want to come along.
#[derive(Serialize)]
struct Access<'a> {
    url: &'a str,
    metrics_url: &'a str,
    #[serde(flatten)]
    people: &'a People,
    clusters: Vec<Visited<'a>>,
}

/// A cluster that is ready, and which one it is to the console, once it is registered there.
#[derive(Serialize)]
struct Visited<'a> {
    #[serde(flatten)]
    cluster: &'a Cluster,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

/// What the practice fleet says of one cluster in its `fleet.json`, as far as a visitor needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cluster {
    name: String,
    state: String,
    #[serde(rename(deserialize = "proxied_url"))]
    url: String,
    admin_kubeconfig: PathBuf,
    viewer_kubeconfig: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Fleet {
    clusters: Vec<Cluster>,
}

pub fn run(workspace: &Workspace, with_fleet: bool) -> Result<()> {
    let since = Instant::now();
    // What the user must install is asked for before the first long step, not after it.
    setup::version::ensure_node()?;
    if with_fleet {
        setup::version::ensure_go().context("`cargo xtask demo --no-fleet` works without it")?;
    }
    let folder = workspace.demo();
    let _only = only_one(&folder)?;
    build::assets(workspace)?;
    let binary = build::server(workspace)?;
    // A demo that was killed could not take its address back.
    AccessFile::remove(&folder);
    let ground = if with_fleet { Some(Ground::lay(&folder)?) } else { None };
    let flags = ground.as_ref().map(Ground::flags).unwrap_or_default();
    let started = step("console", || Console::start(&binary, &folder, &flags));
    let mut console = started.with_context(|| {
        let folder = workspace.short(&folder);
        format!("the demo's console did not start (`rm -r {folder}` lets the demo start afresh)")
    })?;
    let access = AccessFile::new(&folder, &console);
    let mut registry = Registry::of(&console);
    access.write(&[], &registry)?;
    welcome(workspace, &console, since);
    let mut history = ground.as_ref().and_then(|_| History::begin(&console));
    let mut fleet = match &ground {
        Some(ground) => Some(start_fleet(workspace, &folder, ground)?),
        None => None,
    };
    let result =
        watch(&mut console, fleet.as_mut(), history.as_mut(), &mut registry, &access, since);
    if process::interrupted() {
        println!("\n  ending");
    }
    drop(history);
    // The console first: it must not report as trouble that its clusters go.
    drop(console);
    drop(fleet);
    result
}

/// Two demos would share one database file and one fleet.
fn only_one(folder: &Path) -> Result<File> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let file = File::create(folder.join("demo.lock")).context("cannot write the demo's lock")?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "a demo of this tree already runs; {} says where",
                folder.join(AccessFile::NAME).display()
            )
        }
        Err(TryLockError::Error(error)) => Err(error).context("cannot lock the demo's folder"),
    }
}

fn welcome(workspace: &Workspace, console: &Console, since: Instant) {
    note("console ready, after", since.elapsed());
    println!("\n  {}", console.url);
    println!(
        "  Enter as auditor, operator or admin with one click; the console listens on this machine only."
    );
    println!(
        "  Passwords and API keys: {}. Logs: {}. Ctrl-C ends all of it.\n",
        workspace.short(&workspace.demo().join(AccessFile::NAME)),
        workspace.short(&workspace.demo())
    );
}

struct RunningFleet {
    service: Service,
    binary: PathBuf,
    folder: PathBuf,
    log: PathBuf,
    /// Those whose readiness or failure was told.
    told: Vec<String>,
}

fn start_fleet(workspace: &Workspace, folder: &Path, ground: &Ground) -> Result<RunningFleet> {
    let tools = step("Kubernetes (a few minutes, once)", || {
        control_plane::ensure(&workspace.cache, &workspace.root)
    })?;
    let binary = step("practice fleet", || build::program(workspace, "fleet"))?;
    let (state, log) = (folder.join("fleet"), folder.join("fleet.log"));
    // One that was killed leaves its file, whose clusters are gone.
    drop(fs::remove_file(state.join(FLEET_FILE)));
    let mut command = process::command(&binary);
    command.arg("up").args(ground.fleet_flags()).arg("--tools").arg(tools).arg("--dir").arg(&state);
    let service = Service::start("the practice fleet", &mut command, &log)?;
    Ok(RunningFleet { service, binary, folder: state, log, told: Vec::new() })
}

/// Stays until the user has enough, or something ends that should not.
fn watch(
    console: &mut Console,
    mut fleet: Option<&mut RunningFleet>,
    mut history: Option<&mut History>,
    registry: &mut Registry,
    access: &AccessFile,
    since: Instant,
) -> Result<()> {
    while !process::interrupted() {
        console.check()?;
        if let Some(fleet) = fleet.as_deref_mut() {
            if let Some(status) = fleet.service.ended()? {
                bail!("the practice fleet ended ({status})\n{}", process::tail(&fleet.log)?);
            }
            let clusters = fleet.read();
            let has_news = registry.go_on(&clusters);
            if fleet.tell(&clusters, since) || has_news {
                access.write(&clusters, registry)?;
            }
            // Its scenes come after the registrations, which they would disturb.
            if registry.is_complete(&clusters)
                && let Some(history) = history.take()
            {
                history.go_on(console, Scenes::of(&fleet.binary, &fleet.folder));
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

impl RunningFleet {
    /// Nothing while the fleet has not written its file.
    fn read(&self) -> Vec<Cluster> {
        let text = fs::read(self.folder.join(FLEET_FILE)).unwrap_or_default();
        serde_json::from_slice::<Fleet>(&text).unwrap_or_default().clusters
    }

    /// One line per cluster that has come to a state that lasts; true when there was one.
    fn tell(&mut self, clusters: &[Cluster], since: Instant) -> bool {
        let before = self.told.len();
        for cluster in clusters {
            let lasts = cluster.state == "ready" || cluster.state == "failed";
            if lasts && !self.told.contains(&cluster.name) {
                let reason =
                    cluster.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
                note(
                    &format!("cluster {} {}{reason}", cluster.name, cluster.state),
                    since.elapsed(),
                );
                self.told.push(cluster.name.clone());
            }
        }
        self.told.len() > before
    }
}

/// `access.json`, there for as long as the demo runs.
struct AccessFile {
    path: PathBuf,
    url: String,
    metrics_url: String,
    people: People,
}

impl AccessFile {
    const NAME: &str = "access.json";

    fn remove(folder: &Path) {
        // Most of the time there is none.
        drop(fs::remove_file(folder.join(Self::NAME)));
    }

    fn new(folder: &Path, console: &Console) -> Self {
        Self {
            path: folder.join(Self::NAME),
            url: console.url.clone(),
            metrics_url: console.metrics_url.clone(),
            people: console.people.clone(),
        }
    }

    fn write(&self, clusters: &[Cluster], registry: &Registry) -> Result<()> {
        let ready = clusters.iter().filter(|cluster| cluster.state == "ready");
        let access = Access {
            url: &self.url,
            metrics_url: &self.metrics_url,
            people: &self.people,
            clusters: ready
                .map(|cluster| Visited { id: registry.id(&cluster.name), cluster })
                .collect(),
        };
        manifest::write_atomically(&self.path, &serde_json::to_vec_pretty(&access)?)
    }
}

impl Drop for AccessFile {
    fn drop(&mut self) {
        // Whoever reads it later must not knock at a console that is gone.
        drop(fs::remove_file(&self.path));
    }
}

//! The one fleet of the suite, and clients for it. It ends by itself when the test process does: its standard input closes.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use fleet::state::{self, Fleet, State};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, ResourceExt, api::ListParams};

/// Generous, since other work may share the processors; nothing waits longer than it must.
pub const LIMIT: Duration = Duration::from_secs(90);

/// The first cluster.
pub const HARBOUR: usize = 0;
/// The second one, whose link the scenes trouble.
pub const LAGOON: usize = 1;

struct Practice {
    fleet: Fleet,
    _process: Child,
}

static PRACTICE: OnceLock<Practice> = OnceLock::new();

/// What the running fleet of the suite says of itself; the first call starts it.
pub fn fleet() -> &'static Fleet {
    &PRACTICE
        .get_or_init(|| {
            let folder = folder();
            let process = start(&folder, 2);
            Practice { fleet: await_ready(&folder), _process: process }
        })
        .fleet
}

/// Short, because unix sockets lie below it; logs stay there for whoever looks for a reason.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("f")
}

/// Starts `fleet up` with a standard input that closes when this process ends.
pub fn start(folder: &Path, clusters: u8) -> Child {
    start_with(folder, clusters, &[])
}

/// The same with further flags.
pub fn start_with(folder: &Path, clusters: u8, flags: &[&str]) -> Child {
    let tools = std::env::var_os("FLEET_TOOLS")
        .expect("FLEET_TOOLS names no folder with the control plane: run cargo xtask test fleet");
    std::fs::create_dir_all(folder).expect("a folder for the fleet");
    // The fleet of an earlier run may still be on its way out.
    eventually("the folder to be free", || (!state::is_held(folder)).then_some(()));
    let log = std::fs::File::create(folder.join("up.log")).expect("a log");
    Command::new(env!("CARGO_BIN_EXE_fleet"))
        .args(["up", "--nodes", "3", "--until-stdin-closes", "--clusters", &clusters.to_string()])
        .args(flags)
        .arg("--dir")
        .arg(folder)
        .env("FLEET_TOOLS", tools)
        .stdin(Stdio::piped())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .spawn()
        .expect("the fleet starts")
}

/// Waits until every cluster of the fleet in `folder` is ready.
pub fn await_ready(folder: &Path) -> Fleet {
    eventually("the clusters to be ready", || {
        let fleet = state::is_held(folder).then(|| Fleet::load(folder).ok()).flatten()?;
        for cluster in &fleet.clusters {
            assert_ne!(cluster.state, State::Failed, "{}: {:?}", cluster.name, cluster.error);
        }
        let ready = fleet.clusters.iter().all(|cluster| cluster.state == State::Ready);
        (ready && !fleet.clusters.is_empty()).then_some(fleet)
    })
}

/// Looks until `look` finds something.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {LIMIT:?} for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Looks at the cluster until `look` finds something.
pub async fn eventually_in<T>(what: &str, look: impl AsyncFnMut() -> kube::Result<Option<T>>) -> T {
    fleet::wait::until(what, LIMIT, look).await.expect("in time")
}

pub async fn admin(cluster: usize) -> Client {
    client(&fleet().clusters[cluster].admin_kubeconfig).await
}

pub async fn viewer(cluster: usize) -> Client {
    client(&fleet().clusters[cluster].viewer_kubeconfig).await
}

pub async fn client(kubeconfig: &Path) -> Client {
    fleet::use_ring();
    let text = std::fs::read_to_string(kubeconfig).expect("a kubeconfig");
    fleet::kubeconfig::client(&text).await.expect("a client")
}

/// A running pod of the echo program.
pub async fn echo_pod(client: &Client) -> String {
    let pods = Api::<Pod>::namespaced(client.clone(), "agents");
    let of_echo = ListParams::default().labels("app.kubernetes.io/name=echo");
    eventually_in("a pod of echo", async || {
        let running = pods.list(&of_echo).await?.into_iter().find(is_running);
        Ok(running.map(|pod| pod.name_any()))
    })
    .await
}

pub fn is_running(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"))
}

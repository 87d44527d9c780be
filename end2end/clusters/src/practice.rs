//! Starting a fleet for a suite, and objects given as JSON.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use fleet::{
    life::apply::Manifests,
    state::{self, Cluster, Fleet, State},
};
use serde_json::Value;

/// Generous, since other work may share the processors; nothing waits longer than it must.
const LIMIT: Duration = Duration::from_mins(4);

/// The running fleet, and what it lives in.
pub struct Practice {
    child: Child,
    folder: tempfile::TempDir,
    pub fleet: Fleet,
}

impl Drop for Practice {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A fleet of so many clusters, each with so many nodes, all of them ready.
///
/// # Panics
/// When the fleet does not come up.
pub fn start(clusters: u8, nodes: usize) -> Practice {
    start_with(clusters, nodes, &[])
}

/// The same, with more said to `fleet up`.
///
/// # Panics
/// When the fleet does not come up.
pub fn start_with(clusters: u8, nodes: usize, more: &[&OsStr]) -> Practice {
    fleet::use_ring();
    let tools = std::env::var_os("FLEET_TOOLS")
        .expect("FLEET_TOOLS names no folder with the control plane: run cargo xtask test fleet");
    // Short, because unix sockets lie below it.
    let folder = tempfile::tempdir().expect("a folder for the fleet");
    let log = std::fs::File::create(folder.path().join("up.log")).expect("a log");
    let child = Command::new(program())
        .args(["up", "--until-stdin-closes", "--nodes", &nodes.to_string()])
        .args(["--clusters", &clusters.to_string(), "--dir"])
        .arg(folder.path())
        .args(more)
        .env("FLEET_TOOLS", tools)
        .stdin(Stdio::piped())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .spawn()
        .expect("the fleet starts");
    let nobody = Fleet {
        pid: 0,
        toxiproxy: String::new(),
        etcd: String::new(),
        clusters: Vec::new(),
        fronts: None,
    };
    let mut practice = Practice { child, folder, fleet: nobody };
    practice.await_ready(usize::from(clusters));
    practice
}

/// Cargo puts it beside the folder of this test, when it builds the fleet's own tests.
fn program() -> PathBuf {
    let here = std::env::current_exe().expect("this program");
    let mut folders = here.ancestors().skip(1);
    let found = folders.find_map(|folder| {
        let program = folder.join("fleet");
        program.is_file().then_some(program)
    });
    found.expect("the fleet's program is not built: run cargo xtask test fleet")
}

impl Practice {
    fn await_ready(&mut self, clusters: usize) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let folder = self.folder.path();
            let fleet = state::is_held(folder).then(|| Fleet::load(folder).ok()).flatten();
            if let Some(fleet) = fleet {
                for cluster in &fleet.clusters {
                    assert_ne!(cluster.state, State::Failed, "{:?}", cluster.error);
                }
                let ready = fleet.clusters.iter().filter(|c| c.state == State::Ready).count();
                if ready == clusters {
                    self.fleet = fleet;
                    return;
                }
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the fleet ended ({status}): {}", self.log());
            }
            assert!(Instant::now() < deadline, "the fleet is not ready: {}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("up.log")).unwrap_or_default()
    }

    pub fn cluster(&self, at: usize) -> &Cluster {
        &self.fleet.clusters[at]
    }

    /// As the cluster's admin.
    pub async fn admin(&self, at: usize) -> kube::Client {
        client(&self.cluster(at).admin_kubeconfig).await
    }

    /// As one who reads everything but secrets.
    pub async fn viewer(&self, at: usize) -> kube::Client {
        client(&self.cluster(at).viewer_kubeconfig).await
    }

    /// Puts objects there, in an order in which they can exist.
    pub async fn apply(&self, at: usize, objects: Vec<Value>) {
        let admin = self.admin(at).await;
        Manifests::from(objects).apply(&admin).await.expect("the objects are taken");
    }
}

async fn client(kubeconfig: &Path) -> kube::Client {
    let text = std::fs::read_to_string(kubeconfig).expect("a kubeconfig");
    fleet::kubeconfig::client(&text).await.expect("a client")
}

//! A cluster of the practice fleet for this suite. It ends by itself when the test process does: its standard
//! input closes.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use fleet::state::{self, Fleet, State};

/// Generous, since other work may share the processors; nothing waits longer than it must.
const LIMIT: Duration = Duration::from_mins(3);

/// The running fleet, and what it lives in.
pub struct Practice {
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for Practice {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// One cluster, and the kubeconfig of its admin.
pub fn cluster() -> (Practice, PathBuf) {
    let tools = std::env::var_os("FLEET_TOOLS")
        .expect("FLEET_TOOLS names no folder with the control plane: run cargo xtask test fleet");
    // Short, because unix sockets lie below it.
    let folder = tempfile::tempdir().expect("a folder for the fleet");
    let log = std::fs::File::create(folder.path().join("up.log")).expect("a log");
    let child = Command::new(program())
        .args(["up", "--nodes", "1", "--until-stdin-closes", "--clusters", "1", "--dir"])
        .arg(folder.path())
        .env("FLEET_TOOLS", tools)
        .stdin(Stdio::piped())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .spawn()
        .expect("the fleet starts");
    let mut practice = Practice { child, folder };
    let kubeconfig = await_ready(&mut practice);
    (practice, kubeconfig)
}

/// Cargo puts it beside the folder of this test, when it builds the fleet's own tests.
fn program() -> PathBuf {
    let here = std::env::current_exe().expect("this program");
    let program = here.ancestors().nth(2).expect("the target's folder").join("fleet");
    assert!(program.is_file(), "{} is not built: run cargo xtask test fleet", program.display());
    program
}

fn await_ready(practice: &mut Practice) -> PathBuf {
    let (folder, deadline) = (practice.folder.path().to_owned(), Instant::now() + LIMIT);
    loop {
        let fleet = state::is_held(&folder).then(|| Fleet::load(&folder).ok()).flatten();
        if let Some(cluster) = fleet.and_then(|fleet| fleet.clusters.into_iter().next()) {
            assert_ne!(cluster.state, State::Failed, "{:?}", cluster.error);
            if cluster.state == State::Ready {
                return cluster.admin_kubeconfig;
            }
        }
        let log = || std::fs::read_to_string(folder.join("up.log")).unwrap_or_default();
        assert!(practice.child.try_wait().expect("our own child").is_none(), "{}", log());
        assert!(Instant::now() < deadline, "waited {LIMIT:?} for the cluster\n{}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub async fn client(kubeconfig: &Path) -> kube::Client {
    fleet::use_ring();
    let text = std::fs::read_to_string(kubeconfig).expect("a kubeconfig");
    fleet::kubeconfig::client(&text).await.expect("a client")
}

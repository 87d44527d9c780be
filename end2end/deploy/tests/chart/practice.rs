//! A cluster of the practice fleet for this suite, and the programs that ask it. It ends by itself when the test
//! process does: its standard input closes.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use fleet::state::{self, Fleet, State};

/// Generous, since other work may share the processors; nothing waits longer than it must.
const LIMIT: Duration = Duration::from_mins(3);

/// The running fleet, and what it lives in.
pub struct Practice {
    child: Child,
    folder: tempfile::TempDir,
    kubeconfig: PathBuf,
}

impl Drop for Practice {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A variable that `cargo xtask test deploy` sets.
pub fn told(name: &str) -> PathBuf {
    let told = std::env::var_os(name);
    told.unwrap_or_else(|| panic!("{name} is not set: run cargo xtask test deploy")).into()
}

/// One cluster.
pub fn cluster() -> Practice {
    // Short, because unix sockets lie below it.
    let folder = tempfile::tempdir().expect("a folder for the fleet");
    let log = std::fs::File::create(folder.path().join("up.log")).expect("a log");
    let here = std::env::current_exe().expect("this program");
    let program = here.ancestors().nth(2).expect("the target's folder").join("fleet");
    assert!(program.is_file(), "{} is not built: run cargo xtask test deploy", program.display());
    let child = Command::new(program)
        .args(["up", "--nodes", "1", "--until-stdin-closes", "--clusters", "1", "--dir"])
        .arg(folder.path())
        .env("FLEET_TOOLS", told("FLEET_TOOLS"))
        .stdin(Stdio::piped())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .spawn()
        .expect("the fleet starts");
    let mut practice = Practice { child, folder, kubeconfig: PathBuf::new() };
    practice.kubeconfig = practice.await_ready();
    practice
}

impl Practice {
    fn await_ready(&mut self) -> PathBuf {
        let (folder, deadline) = (self.folder.path().to_owned(), Instant::now() + LIMIT);
        loop {
            let fleet = state::is_held(&folder).then(|| Fleet::load(&folder).ok()).flatten();
            if let Some(cluster) = fleet.and_then(|fleet| fleet.clusters.into_iter().next()) {
                assert_ne!(cluster.state, State::Failed, "{:?}", cluster.error);
                if cluster.state == State::Ready {
                    return cluster.admin_kubeconfig;
                }
            }
            let log = || std::fs::read_to_string(folder.join("up.log")).unwrap_or_default();
            assert!(self.child.try_wait().expect("our own child").is_none(), "{}", log());
            assert!(Instant::now() < deadline, "waited {LIMIT:?} for the cluster\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs kubectl as the admin, with a text for its standard input.
    pub fn kubectl(&self, args: &[&str], input: &str) -> Said {
        let mut command = Command::new(told("FLEET_TOOLS").join("kubectl"));
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(args);
        // Its cache of what the server offers must not be another server's.
        command.env("KUBECACHEDIR", self.folder.path());
        said(&mut command, input)
    }
}

pub fn helm(args: &[&str], input: &str) -> Said {
    said(Command::new(told("HELM")).args(args), input)
}

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn done(self) -> String {
        assert_eq!(self.code, 0, "{}\n{}", self.err, self.out);
        self.out
    }
}

pub fn said(command: &mut Command, input: &str) -> Said {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    // It may not read all that it is given.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
    writer.join().expect("it wrote");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Said { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}

pub fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/helm/quarterdeck")
}

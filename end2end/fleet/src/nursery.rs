//! Starts every child of the fleet from one thread that lives as long as the fleet, and stops them.
//!
//! Only here are processes started. The one thread matters: the kernel's death signal (see [`crate::guard`]) fires when the
//! thread that started a child ends, and tokio's blocking threads come and go.

use std::{
    fs::File,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::sync::{oneshot, watch};

/// What to start.
pub struct Spec {
    /// For people: `harbour/kube-apiserver`.
    pub name: String,
    pub program: PathBuf,
    pub args: Vec<String>,
    /// The folders in which it finds the programs that it starts; the fleet's own PATH when there is none.
    pub path: Option<String>,
    /// Its working folder.
    pub folder: PathBuf,
    /// Where its output goes; its last lines are shown when it ends unasked.
    pub log: PathBuf,
    /// Whether it starts programs of its own, which must end with it.
    pub has_descendants: bool,
}

/// A running child; dropping it does not end it, [`Child::stop`] does.
pub struct Child {
    pub name: String,
    pub log: PathBuf,
    handle: OwnedFd,
    ended: watch::Receiver<Option<ExitStatus>>,
}

/// The thread that starts children. They die with it, so it is kept until all are stopped.
pub struct Nursery {
    orders: mpsc::Sender<Order>,
}

struct Order {
    command: Command,
    reply: oneshot::Sender<std::io::Result<Started>>,
}

struct Started {
    handle: OwnedFd,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Nursery {
    pub fn open() -> Result<Self> {
        let (orders, inbox) = mpsc::channel::<Order>();
        thread::Builder::new().name("nursery".into()).spawn(move || {
            for order in inbox {
                drop(order.reply.send(start(order.command)));
            }
        })?;
        Ok(Self { orders })
    }

    pub async fn start(&self, spec: Spec) -> Result<Child> {
        let command = guarded(&spec)?;
        let (reply, answer) = oneshot::channel();
        self.orders
            .send(Order { command, reply })
            .map_err(|_| anyhow!("the thread that starts programs is gone"))?;
        let started = answer.await?.with_context(|| format!("cannot start {}", spec.name))?;
        Ok(Child { name: spec.name, log: spec.log, handle: started.handle, ended: started.ended })
    }
}

/// The command as the guard runs it, in a process group of its own: Ctrl-C in a terminal must reach only the fleet, which
/// stops its children in the right order.
fn guarded(spec: &Spec) -> Result<Command> {
    let log =
        File::create(&spec.log).with_context(|| format!("cannot write {}", spec.log.display()))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["guard", "--parent", &std::process::id().to_string()]);
    if spec.has_descendants {
        command.arg("--tree");
    }
    if let Some(path) = &spec.path {
        command.env("PATH", path);
    }
    command.arg("--").arg(&spec.program).args(&spec.args);
    command
        .current_dir(&spec.folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0);
    Ok(command)
}

fn start(mut command: Command) -> std::io::Result<Started> {
    let mut child = command.spawn()?;
    // Opened before anyone can wait for the child, so the handle can never name a stranger that got the same number.
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(std::io::ErrorKind::InvalidData)?;
    let handle = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    let (tell, ended) = watch::channel(None);
    thread::Builder::new().name("child-wait".into()).spawn(move || {
        let status = child.wait().unwrap_or_default();
        tell.send(Some(status)).ok();
    })?;
    Ok(Started { handle, ended })
}

impl Child {
    /// Waits for the end of the child.
    pub async fn ended(&self) -> ExitStatus {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            Err(_) => ExitStatus::default(),
        }
    }

    pub fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// An error with the child's last words when it has ended.
    pub fn check(&self) -> Result<()> {
        let Some(status) = *self.ended.borrow() else {
            return Ok(());
        };
        bail!(
            "{} ended ({status}); its log {} ends with:\n{}",
            self.name,
            self.log.display(),
            last_lines(&self.log)
        );
    }

    /// Asks the child to end, and kills it when it has not after `grace`.
    pub async fn stop(&self, grace: Duration) {
        rustix::process::pidfd_send_signal(&self.handle, Signal::TERM).ok();
        if tokio::time::timeout(grace, self.ended()).await.is_err() {
            rustix::process::pidfd_send_signal(&self.handle, Signal::KILL).ok();
            self.ended().await;
        }
    }
}

fn last_lines(log: &std::path::Path) -> String {
    let text = std::fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

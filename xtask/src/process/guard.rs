//! Owns the list of running process groups, and the shell that ends them when xtask can no longer do it itself.
//! The shell reads the list from a pipe; the pipe closes when xtask is gone, even by SIGKILL. A signal tied to the
//! parent's death (prctl) would reach only the first process of each group, and none on other systems.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use rustix::process::Pid;

/// `+ 12` and `- 12` come and go; what is left at the end is ended. Nothing is left when xtask ended in good order.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
groups=
while read -r sign group; do
  left=
  for known in $groups; do
    if [ "$known" != "$group" ]; then left="$left $known"; fi
  done
  if [ "$sign" = + ]; then left="$left $group"; fi
  groups=$left
done
for group in $groups; do kill -s TERM -- "-$group"; done
for moment in $(seq 200); do
  left=
  for group in $groups; do
    if kill -s 0 -- "-$group"; then left="$left $group"; fi
  done
  if [ -z "$left" ]; then exit; fi
  sleep 0.1
done
for group in $left; do kill -s KILL -- "-$group"; done
"#;

static GROUPS: Mutex<Groups> = Mutex::new(Groups { running: Vec::new(), guard: None });

/// The process groups that run now.
#[derive(Debug)]
pub struct Groups {
    running: Vec<Pid>,
    guard: Option<ChildStdin>,
}

pub fn groups() -> MutexGuard<'static, Groups> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Groups {
    pub fn add(&mut self, group: Pid) -> Result<()> {
        self.running.push(group);
        self.tell('+', group)
    }

    pub fn remove(&mut self, group: Pid) {
        self.running.retain(|known| *known != group);
        // A guard that is gone guards nothing; the group has ended anyway.
        drop(self.tell('-', group));
    }

    pub fn each(&self, act: impl FnMut(Pid)) {
        self.running.iter().copied().for_each(act);
    }

    fn tell(&mut self, sign: char, group: Pid) -> Result<()> {
        if self.guard.is_none() {
            self.guard = Some(start()?);
        }
        let guard = self.guard.as_mut().context("no guard")?;
        writeln!(guard, "{sign} {}", group.as_raw_pid())
            .context("the guard of the children is gone")
    }
}

fn start() -> Result<ChildStdin> {
    let child = Command::new("sh")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C at the terminal must not reach it.
        .process_group(0)
        .spawn()
        .context("cannot start sh")?;
    child.stdin.context("sh has no input")
}

//! Ties the life of a program to the life of the fleet, so that even `kill -9` leaves no process behind.
//!
//! The kernel keeps the promise, not us: `PR_SET_PDEATHSIG` survives `exec`, so `fleet guard` sets it on itself and becomes
//! the program. Two traps decide the shape: the signal comes when the *thread* that started the child ends (hence
//! [`crate::nursery`]), and it does not reach grandchildren (hence [`keep_tree`] around KWOK, which starts what `exec` asks for).

use std::{
    convert::Infallible,
    ffi::OsString,
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, WaitOptions};
use tokio::signal::unix::{SignalKind, signal};

/// How long a program under [`keep_tree`] may take to end by itself.
pub const TREE_GRACE: Duration = Duration::from_secs(1);

/// Becomes `command`, which the kernel kills when the process `parent` ends.
pub fn become_bound(parent: u32, command: &[OsString]) -> Result<Infallible> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    refuse_orphan(parent)?;
    let (program, args) = split(command)?;
    Err(Command::new(program).args(args).exec())
        .with_context(|| format!("cannot run {}", program.display()))
}

/// Runs `command` and, when it or the process `parent` ends, kills every process that came of it.
///
/// As a subreaper this process inherits orphans, so a script that double-forks is found too.
pub fn keep_tree(parent: u32, command: &[OsString]) -> Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(tend_tree(parent, command))
}

async fn tend_tree(parent: u32, command: &[OsString]) -> Result<ExitCode> {
    // The handlers come first: a parent that dies between the two lines below must still be heard.
    let mut asked = signal(SignalKind::terminate())?;
    let mut changed = signal(SignalKind::child())?;
    let me = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(me))?;
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
    refuse_orphan(parent)?;

    let child = Command::new(std::env::current_exe()?)
        .args(["guard", "--parent", &me.as_raw_nonzero().to_string(), "--"])
        .args(command)
        .spawn()
        .context("cannot start the guarded program")?;
    let child = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .context("a process id out of range")?;

    let mut status = None;
    while status.is_none() {
        tokio::select! {
            _ = changed.recv() => status = reap(child),
            _ = asked.recv() => {
                rustix::process::kill_process(child, Signal::TERM).ok();
                status = await_end(child, &mut changed).await;
                break;
            }
        }
    }
    kill_descendants(me);
    Ok(status.map_or(ExitCode::FAILURE, ExitCode::from))
}

async fn await_end(child: Pid, changed: &mut tokio::signal::unix::Signal) -> Option<u8> {
    tokio::time::timeout(TREE_GRACE, async {
        loop {
            if let Some(status) = reap(child) {
                return status;
            }
            changed.recv().await;
        }
    })
    .await
    .ok()
}

/// Takes every ended child off the process table; the exit code of `child` when it was among them.
fn reap(child: Pid) -> Option<u8> {
    let mut found = None;
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if pid == child {
            // 128 + signal is what a shell reports for a program that a signal ended.
            let code = status
                .exit_status()
                .or_else(|| status.terminating_signal().map(|number| 128 + number));
            found = Some(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1));
        }
    }
    found
}

/// Kills children until none is left: the children of a killed one become ours, and are killed in the next turn.
fn kill_descendants(me: Pid) {
    loop {
        for pid in children_of(me.as_raw_nonzero().get()) {
            if let Some(pid) = Pid::from_raw(pid) {
                rustix::process::kill_process(pid, Signal::KILL).ok();
            }
        }
        if rustix::process::wait(WaitOptions::empty()).is_err() {
            return;
        }
    }
}

/// The processes whose parent is `parent`, as `/proc` tells.
pub fn children_of(parent: i32) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            std::fs::read_to_string(format!("/proc/{pid}/stat"))
                .is_ok_and(|stat| parent_in_stat(&stat) == Some(parent))
        })
        .collect()
}

/// The parent in a line of `/proc/PID/stat`; the program's name before it may itself contain spaces and brackets.
fn parent_in_stat(stat: &str) -> Option<i32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

/// The parent may have died before the death signal was set: then nobody would ever send it.
fn refuse_orphan(parent: u32) -> Result<()> {
    let actual = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if actual != Some(parent) {
        bail!("the process {parent} that asked for this program is gone");
    }
    Ok(())
}

fn split(command: &[OsString]) -> Result<(&OsString, &[OsString])> {
    command.split_first().context("no program was named after --")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_a_hostile_name() {
        assert_eq!(parent_in_stat("12 (a) S 3 (b) S 77 12 12 0"), Some(77));
        assert_eq!(parent_in_stat("12 (sh) R 1 12"), Some(1));
        assert_eq!(parent_in_stat("nonsense"), None);
    }

    #[test]
    fn a_program_whose_parent_is_gone_is_refused() {
        let error = refuse_orphan(u32::MAX).expect_err("nobody has this process id");
        assert!(error.to_string().contains("is gone"));
    }

    #[test]
    fn a_guard_without_a_program_says_so() {
        assert!(split(&[]).is_err());
    }
}

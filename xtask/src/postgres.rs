//! Owns a throw-away Postgres: a cluster in a temporary folder, on a free port of this machine, gone afterwards.
//! Must not touch any Postgres that runs already.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, geteuid, test_kill_process};

use crate::http::free_port;
use crate::process::{self, Service};
use crate::workspace::Workspace;

/// What tells tests and benchmarks of a server on which they may create databases.
pub const POSTGRES_URL: &str = "QUARTERDECK_TEST_POSTGRES_URL";

const READY_WITHIN: Duration = Duration::from_secs(30);

/// Postgres refuses to run as root; Debian's package makes this user.
const USER: &str = "postgres";

/// Its process id follows, so that what a killed run left can be told from what is in use.
const PREFIX: &str = "quarterdeck-postgres-";

/// What nobody needs from a database that lives for minutes.
const SETTINGS: [&str; 8] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=300",
    "logging_collector=off",
    "log_min_messages=fatal",
];

/// Stops, then forgets: the fields are dropped in this order.
pub struct Postgres {
    pub url: String,
    service: Service,
    _folder: Folder,
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays is removed by the next run.
        drop(fs::remove_dir_all(&self.0));
    }
}

impl Postgres {
    pub fn start(bin: &Path, workspace: &Workspace) -> Result<Self> {
        let temporary = std::env::temp_dir();
        remove_left_behind(&temporary);
        let folder = Folder(temporary.join(format!("{PREFIX}{}", std::process::id())));
        let (data, log) = (folder.0.join("data"), workspace.logs().join("postgres.log"));
        make_folder(&folder.0)?;
        process::run_logged(
            unprivileged(&bin.join("initdb"))
                .current_dir(&folder.0)
                .args([
                    "--username=postgres",
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--no-sync",
                    "-D",
                ])
                .arg(&data),
            &workspace.logs().join("initdb.log"),
        )
        .context("cannot make a throw-away Postgres cluster")?;

        let port = free_port(54_320)?;
        let mut command = unprivileged(&bin.join("postgres"));
        command.current_dir(&folder.0).arg("-D").arg(&data).args(["-p", &port.to_string()]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        // SIGTERM would wait for clients to leave; SIGINT makes them.
        let service = Service::start("Postgres", &mut command, &log)?.stopped_by(Signal::INT);
        let mut postgres = Self {
            url: format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            service,
            _folder: folder,
        };
        postgres.wait_until_ready(bin, port, &log)?;
        Ok(postgres)
    }

    fn wait_until_ready(&mut self, bin: &Path, port: u16, log: &Path) -> Result<()> {
        let since = Instant::now();
        while since.elapsed() < READY_WITHIN {
            if let Some(status) = self.service.ended()? {
                bail!("Postgres ended ({status})\n{}", process::tail(log)?);
            }
            if process::succeeds(
                bin.join("pg_isready"),
                &["-q", "-h", "127.0.0.1", "-p", &port.to_string()],
            ) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(30));
        }
        bail!("Postgres is not ready after {READY_WITHIN:?}\n{}", process::tail(log)?)
    }
}

/// The command, as a user that Postgres accepts.
fn unprivileged(program: &Path) -> Command {
    if !geteuid().is_root() {
        return process::command(program);
    }
    let mut command = process::command("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--init-groups"]).arg(program);
    command
}

fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    if geteuid().is_root() {
        process::capture(process::command("chown").arg(USER).arg(folder))
            .with_context(|| format!("is there no user `{USER}`? Debian's package makes it"))?;
    }
    Ok(())
}

/// Runs that were killed could not clean up.
fn remove_left_behind(temporary: &Path) {
    for entry in fs::read_dir(temporary).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .and_then(|number| number.parse().ok())
            .and_then(Pid::from_raw);
        if owner.is_some_and(|pid| test_kill_process(pid).is_err()) {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_dead_runs_are_removed() {
        let temporary = tempfile::tempdir().unwrap();
        let mut ended = Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let dead = temporary.path().join(format!("{PREFIX}{}", ended.id()));
        let alive = temporary.path().join(format!("{PREFIX}{}", std::process::id()));
        let foreign = temporary.path().join("quarterdeck-other");
        for folder in [&dead, &alive, &foreign] {
            fs::create_dir(folder).unwrap();
        }
        remove_left_behind(temporary.path());
        assert!(!dead.exists() && alive.exists() && foreign.exists());
    }
}

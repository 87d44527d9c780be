//! Owns starting the console for the demo and for checks: its flags stand here and nowhere else in xtask.
//! Must not build it.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::http;
use crate::process::{self, Service};

/// The console's usual port; the next free one is taken when somebody has it.
const PORT: u16 = 7080;

/// Where the search for the second listener's port begins, out of the way of other consoles' first.
const METRICS_PORT: u16 = 7380;

/// Opening a store and migrating an old one included.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// A console that runs and answers.
pub struct Console {
    pub url: String,
    pub address: SocketAddr,
    pub metrics_url: String,
    /// Who can sign in, as the console itself wrote it down.
    pub people: People,
    service: Service,
    log: PathBuf,
}

/// The demo's people and their keys, one of each role.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct People {
    pub users: Vec<User>,
    pub api_keys: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    pub name: String,
    pub role: String,
    pub password: String,
}

impl Console {
    /// Starts it on a SQLite file in `folder`, with further flags, and waits until it is ready.
    pub fn start(binary: &Path, folder: &Path, flags: &[String]) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let log = folder.join("console.log");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, http::free_port(PORT)?));
        let metrics = SocketAddr::from((Ipv4Addr::LOCALHOST, http::free_port(METRICS_PORT)?));
        let people = folder.join("users.json");
        // Of an earlier start: its passwords are worth nothing.
        drop(fs::remove_file(&people));
        let mut command = serve(binary, folder, address, metrics, &people);
        command.args(flags);
        let service = Service::start("the console", &mut command, &log)?;
        let mut console = Self {
            url: format!("http://{address}"),
            address,
            metrics_url: format!("http://{metrics}/metrics"),
            people: People::default(),
            service,
            log,
        };
        console.wait_until_ready()?;
        // Written before the console answers.
        let text = fs::read(&people).with_context(|| people.display().to_string())?;
        console.people = serde_json::from_slice(&text).context("the demo's people")?;
        Ok(console)
    }

    /// An error once it has ended by itself, with its last words.
    pub fn check(&mut self) -> Result<()> {
        let Some(status) = self.service.ended()? else {
            return Ok(());
        };
        bail!("the console ended ({status})\n{}", process::tail(&self.log)?)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let since = Instant::now();
        while since.elapsed() < READY_WITHIN {
            if process::interrupted() {
                bail!("interrupted");
            }
            self.check()?;
            let answer = http::get(self.address, "/readyz", "identity", None);
            if answer.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(30));
        }
        bail!("the console is not ready after {READY_WITHIN:?}\n{}", process::tail(&self.log)?)
    }
}

/// The one place that spells the server's flags.
fn serve(
    binary: &Path,
    folder: &Path,
    address: SocketAddr,
    metrics: SocketAddr,
    people: &Path,
) -> Command {
    let mut command = process::command(binary);
    forget_settings(&mut command);
    command
        // Colours are for terminals; its output goes to a file.
        .env("NO_COLOR", "1")
        .arg("serve")
        .arg(format!("--listen={address}"))
        .arg(format!("--metrics-listen={metrics}"))
        .arg(format!("--demo-users={}", people.display()))
        .arg(format!("--database-url=sqlite:{}", folder.join("quarterdeck.db").display()));
    command
}

/// Keeps the caller's settings of a real console from a demo or a test, where they would reach a real database.
pub fn forget_settings(command: &mut Command) {
    let is_setting = |name: &str| name.starts_with("QUARTERDECK_") || name == "DATABASE_URL";
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_setting) {
            command.env_remove(name);
        }
    }
}

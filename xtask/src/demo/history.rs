//! Owns the first minutes of a fresh demo: real operations against the practice fleet and its scenes, started and
//! triaged through the console's own API, so that every page has something true to show. Must not write what did
//! not happen, and must not stand in anybody's way: what fails here is told and left.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::console::Console;
use crate::http;
use crate::process;

const SELF_CHECK: &str = "system.self_check";
const REHEARSAL: &str = "system.rehearsal";

/// A self-check asks slow clusters for five seconds each.
const ENDS_WITHIN: Duration = Duration::from_mins(2);

/// Makes the history in the background, once per database.
pub struct History {
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

/// Whoever makes the history: an operator.
struct Operator {
    address: std::net::SocketAddr,
    key: String,
    stop: Arc<AtomicBool>,
}

/// How a scene is played.
pub struct Scenes {
    pub fleet: PathBuf,
    pub folder: PathBuf,
}

impl History {
    /// Nothing when this database has a history already.
    pub fn begin(console: &Console) -> Option<Self> {
        let key = console.people.api_keys.get("operator")?.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let operator = Operator { address: console.address, key, stop: Arc::clone(&stop) };
        let fresh = operator.ask("GET", "/api/v1/operations?initiator=demo", None);
        let fresh = fresh.is_ok_and(|list| list["total"] == 0);
        fresh.then(|| {
            let thread = thread::spawn(move || tell(before_the_fleet(&operator)));
            Self { thread: Some(thread), stop }
        })
    }

    /// Goes on as soon as the clusters are there.
    pub fn go_on(&mut self, console: &Console, scenes: Scenes) {
        let Some(key) = console.people.api_keys.get("operator").cloned() else { return };
        let operator = Operator { address: console.address, key, stop: Arc::clone(&self.stop) };
        let before = self.thread.take();
        self.thread = Some(thread::spawn(move || {
            if let Some(before) = before {
                drop(before.join());
            }
            tell(with_the_fleet(&operator, &scenes));
        }));
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn tell(made: Result<()>) {
    if let Err(error) = made
        && !process::interrupted()
    {
        eprintln!("  the demo's history is incomplete: {error:#}");
    }
}

/// Nobody answers yet: an honest failure. What runs long runs from here on.
fn before_the_fleet(operator: &Operator) -> Result<()> {
    operator.run(SELF_CHECK, &json!({}))?;
    operator.run(REHEARSAL, &json!({ "steps": 4, "seconds": 1 }))?;
    let message = "rollout of web-7f9c6d5b in payments: 2 of 5 replicas are not ready after 120 s";
    for _ in 0..2 {
        operator.run(REHEARSAL, &json!({ "steps": 2, "seconds": 1, "fail_with": message }))?;
    }
    Ok(())
}

fn with_the_fleet(operator: &Operator, scenes: &Scenes) -> Result<()> {
    // What failed for want of clusters succeeds now, and makes that failure past.
    let list =
        operator.ask("GET", "/api/v1/operations?type=system.self_check&outcome=failed", None)?;
    if let Some(id) = list["items"][0]["id"].as_i64() {
        let again =
            operator.ask("POST", &format!("/api/v1/operations/{id}/retry"), Some(&json!({})))?;
        operator.wait(&again)?;
    }
    scenes.play("api-down", "harbour", false)?;
    let down = operator.run(SELF_CHECK, &json!({}));
    scenes.play("api-down", "harbour", true)?;
    let id = down?["id"].as_i64().context("a run has a number")?;
    let reason = json!({ "reason": "Drill: the API server of harbour was taken down on purpose." });
    operator.ask("POST", &format!("/api/v1/operations/{id}/investigate"), Some(&reason))?;
    // Another cluster, and nobody has looked into it yet.
    scenes.play("api-down", "lagoon", false)?;
    let down = operator.run(SELF_CHECK, &json!({}));
    scenes.play("api-down", "lagoon", true)?;
    down?;
    // Slow is not down: the check takes longer and succeeds.
    scenes.play("slow-link", "lighthouse", false)?;
    let slow = operator.run(SELF_CHECK, &json!({}));
    scenes.play("slow-link", "lighthouse", true)?;
    slow?;
    operator.run("audit.verify", &json!({}))?;
    operator.run(SELF_CHECK, &json!({}))?;
    // One that takes longer than such operations do, and one that waits behind it.
    operator.start(REHEARSAL, &json!({ "steps": 1, "seconds": 1_800 }))?;
    operator.start(REHEARSAL, &json!({ "steps": 1, "seconds": 1 })).map(drop)
}

impl Operator {
    fn start(&self, kind: &str, input: &Value) -> Result<Value> {
        self.ask("POST", "/api/v1/operations", Some(&json!({ "type": kind, "input": input })))
    }

    /// Starts one and waits for its end, however it ends.
    fn run(&self, kind: &str, input: &Value) -> Result<Value> {
        let started = self.start(kind, input)?;
        self.wait(&started)
    }

    fn wait(&self, run: &Value) -> Result<Value> {
        let id = run["id"].as_i64().context("a run has a number")?;
        let since = Instant::now();
        while since.elapsed() < ENDS_WITHIN {
            let run = self.ask("GET", &format!("/api/v1/operations/{id}"), None)?;
            if run["status"] == "completed" {
                return Ok(run);
            }
            thread::sleep(Duration::from_millis(200));
        }
        bail!("operation {id} has not ended")
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        if self.stop.load(Ordering::Relaxed) || process::interrupted() {
            bail!("the demo ends");
        }
        let body = body.map(Value::to_string);
        let answer = http::ask(self.address, method, path, body.as_deref(), Some(&self.key))?;
        if !(200..300).contains(&answer.status) {
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            bail!("{method} {path} answered {}: {said}", answer.status);
        }
        serde_json::from_slice(&answer.body).with_context(|| format!("{method} {path}"))
    }
}

impl Scenes {
    fn play(&self, name: &str, cluster: &str, undo: bool) -> Result<()> {
        let mut command = Command::new(&self.fleet);
        command.args(["scene", name, "--cluster", cluster, "--dir"]).arg(&self.folder);
        if undo {
            command.arg("--undo");
        }
        let output = command.output().context("cannot play a scene")?;
        if !output.status.success() {
            bail!("scene {name}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    pub fn of(fleet: &Path, folder: &Path) -> Self {
        Self { fleet: fleet.to_owned(), folder: folder.to_owned() }
    }
}

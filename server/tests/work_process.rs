//! `quarterdeck work`: a process of its own beside consoles that serve, on one Postgres.

#![expect(
    clippy::disallowed_methods,
    reason = "processes are looked at from outside, where there is neither our clock nor our tasks"
)]

mod process_kit;

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use process_kit::{PATIENCE, Serving, ask, folder, program, send};
use serde_json::Value;
use server::{
    clock::Clock,
    store::{Dialect, Sql, Tx, testing, testing::Engine},
    vault::TEST_KEYS,
};
use tempfile::TempDir;

/// A database that two consoles serve from, neither of which works.
struct World {
    engine: Engine,
    folder: TempDir,
    web: Serving,
    other: Serving,
}

impl World {
    /// None where Postgres is left out.
    async fn new() -> Option<Self> {
        if !testing::dialects().contains(&Dialect::Postgres) {
            return None;
        }
        let engine = Engine::fresh(Dialect::Postgres, Clock::system()).await;
        let folder = folder();
        let flags = flags(&engine, &["--workers", "0"]);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let web = Serving::start(&folder, &flags);
        let other = Serving::alone(&folder, &flags);
        Some(Self { engine, folder, web, other })
    }

    fn worker(&self, more: &[&str]) -> Serving {
        let flags = flags(&self.engine, more);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        Serving::work(&self.folder, &flags)
    }

    /// The answer of either console.
    fn get(&self, serving: &Serving, path: &str) -> Value {
        let key = &self.web.key;
        json(&ask(serving.console, &format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {key}")))
    }

    fn start(&self, kind: &str) -> i64 {
        let (console, key) = (self.web.console, &self.web.key);
        let body = format!("{{\"type\":\"{kind}\"}}");
        let answer = json(&send(
            console,
            &format!(
                "POST /api/v1/operations HTTP/1.1\r\nHost: {console}\r\nConnection: close\r\nX-API-Key: {key}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ),
        ));
        answer["id"].as_i64().unwrap_or_else(|| panic!("{answer:#}"))
    }

    /// The run, when it has come so far.
    fn run(&self, id: i64, fits: impl Fn(&Value) -> bool) -> Value {
        until("the run came so far", || {
            let run = self.get(&self.other, &format!("/api/v1/operations/{id}"));
            if fits(&run) { Ok(run) } else { Err(run) }
        })
    }

    /// As many processes as are wanted, by what a console tells.
    fn workers(&self, wanted: usize) -> Vec<Value> {
        until("the processes are seen", || {
            let seen = self.get(&self.other, "/api/v1/operations/workers");
            let list = seen.as_array().cloned().unwrap_or_default();
            if list.len() == wanted { Ok(list) } else { Err(seen) }
        })
    }

    /// Lets `system.prune` wait in the middle, at its step `sign_in`, for as long as this is held.
    async fn barrier(&self) -> Tx {
        let mut tx = self.engine.db.begin().await.expect("a transaction");
        let lock = Sql::new("LOCK TABLE setup_links IN ACCESS EXCLUSIVE MODE");
        tx.execute(lock).await.expect("locked");
        tx
    }
}

fn flags(engine: &Engine, more: &[&str]) -> Vec<String> {
    let all = ["--database-url", &engine.config.url, "--vault-keys", TEST_KEYS];
    all.iter().chain(more).map(|flag| (*flag).to_owned()).collect()
}

fn until<T, E: std::fmt::Debug>(what: &str, mut ask: impl FnMut() -> Result<T, E>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Ok(found) => return found,
            Err(last) => assert!(Instant::now() < end, "still waiting until {what}: {last:#?}"),
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn json(answer: &str) -> Value {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

fn step<'a>(run: &'a Value, name: &str) -> Option<&'a Value> {
    run["steps"].as_array()?.iter().find(|step| step["name"] == name)
}

fn waits_in_the_middle(run: &Value) -> bool {
    step(run, "sign_in").is_some_and(|step| step["status"] == "running")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_beside_two_consoles_does_what_they_queue() {
    let Some(world) = World::new().await else { return };
    assert!(world.workers(0).is_empty(), "neither console works");
    let worker = world.worker(&["--queues", "system,upkeep", "--workers", "2"]);
    let seen = world.workers(1).remove(0);
    assert_eq!(seen["queues"], serde_json::json!(["system", "upkeep"]));
    assert_eq!((&seen["workers"], &seen["alive"]), (&2.into(), &true.into()));

    let queued_at = Instant::now();
    let id = world.start("audit.verify");
    let done = world.run(id, |run| run["status"] == "completed");
    assert_eq!(done["outcome"], "succeeded", "{done:#}");
    assert!(queued_at.elapsed() < PATIENCE / 2);

    let metrics = ask(worker.metrics, "GET /metrics");
    for told in [
        "quarterdeck_operations_runs_total{type=\"audit.verify\",outcome=\"succeeded\"} 1",
        "quarterdeck_operations_claim_latency_seconds_count{queue=\"upkeep\"} 1",
        "quarterdeck_operations_queued_runs{queue=\"upkeep\",state=\"due\"} 0",
        "quarterdeck_audit_head_lag_rows ",
        "quarterdeck_audit_head_lag_seconds ",
        "quarterdeck_events_lag_seconds ",
        "quarterdeck_store_pool_wait_seconds_count{pool=\"readers\"}",
    ] {
        assert!(metrics.contains(told), "{told} is missing in {metrics}");
    }
    let metrics = ask(world.web.metrics, "GET /metrics");
    assert!(!metrics.contains("operations_runs_total{"), "the console did none: {metrics}");
    assert!(ask(worker.metrics, "GET /readyz").ends_with("ready\n"));
    let page = ask(
        world.web.console,
        &format!("GET /settings/tasks HTTP/1.1\r\nAuthorization: Bearer {}", world.web.key),
    );
    assert!(page.contains(seen["name"].as_str().expect("a name")), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_stop_gives_its_run_back() {
    let Some(world) = World::new().await else { return };
    let barrier = world.barrier().await;
    let mut worker = world.worker(&["--workers", "1"]);
    let id = world.start("system.prune");
    let before = world.run(id, waits_in_the_middle);
    worker.terminate();
    assert!(worker.wait().success());
    let back = world.run(id, |run| run["status"] == "queued");
    assert_eq!(back["attempt"], 1, "{back:#}");
    assert!(world.workers(0).is_empty(), "it took back its row");
    let log = worker.rest_of_log();
    assert!(
        log.contains("\"message\":\"stopped\"") && !log.contains("did not stop in time"),
        "{log}"
    );

    drop(barrier);
    let next = world.worker(&["--queues", "upkeep"]);
    let after = world.run(id, |run| run["status"] == "completed");
    assert_eq!(
        (&after["outcome"], &after["attempt"]),
        (&"succeeded".into(), &2.into()),
        "{after:#}"
    );
    assert_eq!(step(&after, "runs"), step(&before, "runs"), "what was finished is not done again");
    drop(next);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_is_replaced_by_another() {
    let Some(world) = World::new().await else { return };
    let barrier = world.barrier().await;
    let mut worker = world.worker(&["--workers", "1"]);
    let id = world.start("system.prune");
    let before = world.run(id, waits_in_the_middle);
    worker.kill();
    drop(barrier);
    // It is there before the lease of the first has run out, and waits for that.
    let next = world.worker(&["--workers", "1"]);
    let after = world.run(id, |run| run["status"] == "completed");
    assert_eq!(
        (&after["outcome"], &after["attempt"]),
        (&"succeeded".into(), &2.into()),
        "{after:#}"
    );
    assert_eq!(step(&after, "runs"), step(&before, "runs"), "what was finished is not done again");
    let metrics = [&world.web, &world.other, &next].map(|one| ask(one.metrics, "GET /metrics"));
    let lost = |text: &String| text.contains("quarterdeck_operations_lease_losses_total 1");
    assert_eq!(metrics.iter().filter(|text| lost(text)).count(), 1, "one of them took it back");
    let rows = world.workers(2);
    assert!(rows.iter().any(|row| row["alive"] == true));
}

#[test]
fn what_cannot_work_says_why() {
    let folder = folder();
    let refused = |more: &[&str]| {
        let mut command: Command = program(&folder);
        let output = command.arg("work").args(more).output().expect("the program starts");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let sqlite = refused(&[]);
    assert!(sqlite.contains("needs Postgres") && sqlite.contains("--workers"), "{sqlite}");
    assert!(!folder.path().join("quarterdeck.db").exists(), "nothing was made");
    let postgres = ["--database-url", "postgres://nobody@127.0.0.1:1/none"];
    let idle = refused(&[postgres.as_slice(), &["--workers", "0"]].concat());
    assert!(idle.contains("nothing would work"), "{idle}");
    let reads = refused(&[postgres.as_slice(), &["--read-only"]].concat());
    assert!(reads.contains("--read-only"), "{reads}");
    let output = program(&folder)
        .args(["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "off", "--queues", "sistem"])
        .output()
        .expect("the program starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("`sistem` is no queue") && told.contains("system, upkeep"), "{told}");
}

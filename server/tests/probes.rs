//! Clusters that are looked after, on both engines, with a clock in hand: who is looked at when, what is written of it,
//! and that those which never answer keep nobody waiting.

#![expect(clippy::disallowed_methods, reason = "lets replicas work before the clock moves on")]

mod web_kit;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use app::{
    error::ApiError,
    fleet::{
        Clusters as _, View,
        model::{ClusterState, ClusterType, Connectivity},
        registration::NewCluster,
        trouble::Trouble,
    },
    identity::permit,
    time::Micros,
};
use async_trait::async_trait;
use serde_json::json;
use server::{
    clock::{Clock, ManualClock, Rng},
    egress::{Egress, EgressConfig},
    fleet::{
        Clients, FleetService,
        clients::Own,
        probes::{
            Discover, Look, Probes, Seen,
            state::{ApiReading, NodesReading, Readings, UpstreamReading},
        },
        store::{
            self as fleet_store, NewRow,
            probes::{self, Lane, Rhythm, Target},
        },
    },
    operations::queue::Queue,
    store::{
        Db, Sql,
        testing::{self, eventually},
    },
    vault::Vault,
};
use tokio_util::sync::CancellationToken;
use web_kit::{Kit, Who};

const START: Micros = Micros(1_790_000_000_000_000);
const TICK: Duration = Duration::from_secs(1);

/// How a cluster of these tests answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Up,
    Down,
    Refused,
    /// Never.
    Silent,
}

/// Answers as it is told, and remembers who was looked at when.
struct Script {
    clock: Clock,
    usual: Mutex<Answer>,
    answers: Mutex<BTreeMap<String, Answer>>,
    looks: Mutex<BTreeMap<String, Vec<Duration>>>,
    /// Looks under way that never end by themselves.
    silent: AtomicUsize,
}

struct Unanswered<'a>(&'a Script);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.0.silent.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Script {
    fn new(db: &Db) -> Arc<Self> {
        Arc::new(Self {
            clock: db.clock().clone(),
            usual: Mutex::new(Answer::Up),
            answers: Mutex::default(),
            looks: Mutex::default(),
            silent: AtomicUsize::new(0),
        })
    }

    fn all(&self, answer: Answer) {
        *self.usual.lock().expect("nobody failed") = answer;
    }

    fn one(&self, id: &str, answer: Answer) {
        self.answers.lock().expect("nobody failed").insert(id.to_owned(), answer);
    }

    fn looks(&self, id: &str) -> Vec<Duration> {
        self.looks.lock().expect("nobody failed").get(id).cloned().unwrap_or_default()
    }
}

#[async_trait]
impl Look for Script {
    async fn look(&self, target: &Target, _: Duration) -> Option<Seen> {
        let at = self.clock.monotonic();
        self.looks.lock().expect("nobody failed").entry(target.id.clone()).or_default().push(at);
        let told = self.answers.lock().expect("nobody failed").get(&target.id).copied();
        let answer = told.unwrap_or(*self.usual.lock().expect("nobody failed"));
        let api = match answer {
            Answer::Up => ApiReading::Up,
            Answer::Down => ApiReading::Down(Trouble::Unreachable),
            Answer::Refused => ApiReading::Refused(Trouble::Unauthorized),
            Answer::Silent => {
                self.silent.fetch_add(1, Ordering::SeqCst);
                let _waiting = Unanswered(self);
                std::future::pending().await
            }
        };
        let nodes = NodesReading::Counted { not_ready: 0, all: 3 };
        let upstreams = [UpstreamReading::NotConfigured; 3];
        let latency = (answer == Answer::Up).then_some(Duration::from_millis(7));
        let readings = Readings { api, nodes, upstreams };
        Some(Seen { readings, latency, certificate_expires_at: None })
    }
}

/// Remembers for whom discovery was asked.
#[derive(Default)]
struct Asked(Mutex<Vec<(String, Micros)>>);

#[async_trait]
impl Discover for Asked {
    async fn discover(&self, target: &Target) -> Result<(), ApiError> {
        self.0.lock().expect("nobody failed").push((target.id.clone(), target.discover_at));
        Ok(())
    }
}

/// One replica at work; it ends when this is dropped.
struct Replica {
    probes: Arc<Probes>,
    asked: Arc<Asked>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Replica {
    fn drop(&mut self) {
        // As a kill would: nothing is tidied up.
        self.task.abort();
        self.stop.cancel();
    }
}

fn replica(db: &Db, look: &Arc<Script>) -> Replica {
    let (asked, stop) = (Arc::new(Asked::default()), CancellationToken::new());
    let probes =
        Probes::new(db.clone(), Rng::seeded(7), Arc::clone(look) as _, Arc::clone(&asked) as _);
    let probes = Arc::new(probes);
    let (running, stopped) = (Arc::clone(&probes), stop.clone());
    let task = tokio::spawn(async move {
        running.run(stopped).await.expect("it goes on");
    });
    Replica { probes, asked, stop, task }
}

/// Waits until each of so many replicas has done its round and waits for the next tick.
async fn settle(hand: &ManualClock, script: &Script, replicas: &[&Replica]) {
    let began = std::time::Instant::now();
    loop {
        let sleepers = hand.sleepers();
        // One for each tick, one for each look that somebody waits for.
        let silent = script.silent.load(Ordering::SeqCst);
        let under_way: i64 = replicas.iter().map(|one| one.probes.measures().under_way()).sum();
        let is_written = usize::try_from(under_way) == Ok(silent);
        let awaited = replicas.len() + silent;
        if is_written && sleepers.len() >= awaited && !sleepers.contains(&Duration::ZERO) {
            return;
        }
        assert!(began.elapsed() < Duration::from_mins(2), "they do not settle: {sleepers:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn pass(hand: &ManualClock, script: &Script, replicas: &[&Replica], seconds: u32) {
    for _ in 0..seconds {
        settle(hand, script, replicas).await;
        hand.advance(TICK);
    }
    settle(hand, script, replicas).await;
}

/// Until it has been looked at once more.
async fn looked_at(hand: &ManualClock, script: &Script, replica: &Replica, id: &str) {
    let before = script.looks(id).len();
    for _ in 0..40 {
        pass(hand, script, &[replica], 1).await;
        if script.looks(id).len() > before {
            return;
        }
    }
    panic!("nobody looked at {id}");
}

/// Registers clusters that the console's own identity opens.
async fn register(db: &Db, count: usize, kind: ClusterType) -> Vec<String> {
    let rng = Rng::seeded(3);
    let mut tx = db.begin().await.expect("a transaction");
    let mut ids = Vec::new();
    for n in 0..count {
        let new = json!({ "name": format!("cluster-{n:03}"), "transport": "in_cluster", "cluster_type": kind });
        let new: NewCluster = serde_json::from_value(new).expect("its shape");
        let (name, settings) = new.check().expect("it is good");
        let id = rng.uuid();
        let row = NewRow {
            id: &id,
            workspace_id: 1,
            name: &name,
            transport: new.transport,
            settings: &settings,
            opens: true,
        };
        assert!(fleet_store::insert(&mut tx, &row).await.expect("inserted"));
        // No run follows here that would ask first.
        fleet_store::make_due(&mut tx, &id).await.expect("due");
        ids.push(id);
    }
    tx.commit(Vec::new()).await.expect("committed");
    ids
}

async fn count(db: &Db, sql: &'static str) -> i64 {
    db.fetch_one(Sql::new(sql)).await.expect("a count").i64("n").expect("a number")
}

async fn state(db: &Db, id: &str) -> (ClusterState, Connectivity, Option<i64>) {
    let sql = Sql::new("SELECT state, connectivity, health_score FROM clusters WHERE id = ");
    let row = db.fetch_one(sql.arg(id)).await.expect("a row");
    let score = row.opt_i64("health_score").expect("a score");
    (row.word("state").expect("a state"), row.word("connectivity").expect("a word"), score)
}

async fn becomes(db: &Db, id: &str, wanted: ClusterState) {
    eventually("the state", || async {
        let sql = Sql::new("SELECT state FROM clusters WHERE id = ").arg(id);
        let row = db.fetch_one(sql).await?;
        Ok((row.word::<ClusterState>("state")? == wanted).then_some(()))
    })
    .await;
}

const POINTS: &str = "SELECT COUNT(*) AS n FROM cluster_health";
const NEWS: &str = "SELECT COUNT(*) AS n FROM event_outbox WHERE kind = 'CLUSTER_STATUS_CHANGED'";

#[tokio::test]
async fn a_cluster_is_looked_at_in_its_rhythm_and_only_a_change_is_written() {
    for (engine, hand) in testing::engines_at(START).await {
        let db = &engine.db;
        let id = register(db, 1, ClusterType::Spoke).await.remove(0);
        let script = Script::new(db);
        let replica = replica(db, &script);
        settle(&hand, &script, &[&replica]).await;
        becomes(db, &id, ClusterState::Online).await;
        assert_eq!(
            state(db, &id).await,
            (ClusterState::Online, Connectivity::Connected, Some(100))
        );
        assert_eq!((count(db, POINTS).await, count(db, NEWS).await), (1, 1));
        pass(&hand, &script, &[&replica], 240).await;
        let looks = script.looks(&id);
        assert!((7..=9).contains(&looks.len()), "{looks:?}");
        for pair in looks.windows(2) {
            let gap = pair[1].saturating_sub(pair[0]).as_secs();
            assert!((27..=34).contains(&gap), "{looks:?}");
        }
        assert_eq!((count(db, POINTS).await, count(db, NEWS).await), (1, 1), "nothing changed");
        let asked = replica.asked.0.lock().expect("nobody failed").clone();
        assert_eq!(asked, [(id.clone(), START)], "discovered once, and not again for a day");
        assert!(replica.probes.measures().looks("up") >= 7);

        script.all(Answer::Down);
        looked_at(&hand, &script, &replica, &id).await;
        assert_eq!(state(db, &id).await.0, ClusterState::Online, "once is no outage");
        looked_at(&hand, &script, &replica, &id).await;
        becomes(db, &id, ClusterState::Offline).await;
        assert_eq!(
            state(db, &id).await,
            (ClusterState::Offline, Connectivity::Disconnected, Some(50))
        );
        script.all(Answer::Refused);
        looked_at(&hand, &script, &replica, &id).await;
        looked_at(&hand, &script, &replica, &id).await;
        becomes(db, &id, ClusterState::Degraded).await;
        assert_eq!(state(db, &id).await.1, Connectivity::Connected);
        let row = Sql::new("SELECT last_error FROM clusters");
        let error = db.fetch_one(row).await.expect("a row").text("last_error").expect("a text");
        assert!(error.starts_with("Credential refused"), "{error}");
        script.all(Answer::Up);
        looked_at(&hand, &script, &replica, &id).await;
        becomes(db, &id, ClusterState::Online).await;
        let points = count(db, POINTS).await;
        pass(&hand, &script, &[&replica], 340).await;
        assert!(count(db, POINTS).await > points, "without a change a point each five minutes");
    }
}

#[tokio::test]
async fn what_never_answers_keeps_nobody_waiting() {
    for (engine, hand) in testing::engines_at(START).await {
        let db = &engine.db;
        let ids = register(db, 500, ClusterType::Spoke).await;
        let script = Script::new(db);
        let (holes, others) = ids.split_at(50);
        for id in holes {
            script.one(id, Answer::Silent);
        }
        let replica = replica(db, &script);
        pass(&hand, &script, &[&replica], 150).await;
        for id in others {
            let looks = script.looks(id);
            assert!(looks.len() >= 4, "{looks:?}");
            // The first round begins with all of them due at once.
            for pair in looks.windows(2).skip(1) {
                let gap = pair[1].saturating_sub(pair[0]).as_secs();
                assert!((26..=35).contains(&gap), "{looks:?}");
            }
        }
        assert!(holes.iter().all(|id| script.looks(id).len() >= 3), "they are looked at too");
        for id in holes {
            becomes(db, id, ClusterState::Offline).await;
        }
        assert!(replica.probes.measures().looks("down") >= 100);
    }
}

#[tokio::test]
async fn replicas_share_the_clusters_and_one_goes_on_for_another() {
    for (engine, hand) in testing::engines_at(START).await {
        let (db, other) = (&engine.db, engine.again().await);
        let ids = register(db, 40, ClusterType::Hub).await;
        let script = Script::new(db);
        let (one, two) = (replica(db, &script), replica(&other, &script));
        pass(&hand, &script, &[&one, &two], 60).await;
        for id in &ids {
            let looks = script.looks(id);
            assert!(looks.len() >= 3, "{looks:?}");
            let twice = looks
                .windows(2)
                .any(|pair| pair[1].saturating_sub(pair[0]) < Duration::from_secs(12));
            assert!(!twice, "two looked at it at once: {looks:?}");
        }
        drop(two);
        // The other is killed while it looks.
        script.all(Answer::Silent);
        pass(&hand, &script, &[&one], 17).await;
        drop(one);
        script.all(Answer::Up);
        let before = script.looks(&ids[0]).len();
        let third = replica(db, &script);
        pass(&hand, &script, &[&third], 34).await;
        assert!(ids.iter().all(|id| script.looks(id).len() > before - 1), "nobody is forgotten");
        assert!(script.looks(&ids[0]).len() > before);
        drop(third);
    }
}

#[tokio::test]
async fn what_a_lost_lease_saw_is_not_written() {
    for (engine, hand) in testing::engines_at(START).await {
        let db = &engine.db;
        let ids = register(db, 1, ClusterType::Hub).await;
        let rhythm = |_| Rhythm { lease: Duration::from_secs(5), again: Duration::from_secs(10) };
        let take = async |token: &'static str| {
            let mut tx = db.begin().await.expect("a transaction");
            let name = || token.to_owned();
            let taken = probes::take(&mut tx, Lane::Answering, 9, name, rhythm).await;
            tx.commit(Vec::new()).await.expect("committed");
            taken.expect("taken")
        };
        let first = take("one").await.remove(0);
        assert!(take("two").await.is_empty(), "it is somebody's");
        hand.advance(Duration::from_secs(10));
        let second = take("two").await.remove(0);
        let finish = async |target: &Target| {
            let mut tx = db.begin().await.expect("a transaction");
            let done = probes::finish(&mut tx, target, &target.past).await.expect("asked");
            tx.commit(Vec::new()).await.expect("committed");
            done
        };
        assert!(!finish(&first).await, "its time is over");
        assert!(finish(&second).await);
        // Whoever looks while the credential is replaced looks with what opened it before.
        hand.advance(Duration::from_secs(10));
        let third = take("three").await.remove(0);
        let mut tx = db.begin().await.expect("a transaction");
        fleet_store::restart(&mut tx, &ids[0], true).await.expect("begun anew");
        tx.commit(Vec::new()).await.expect("committed");
        assert!(!finish(&third).await);
    }
}

#[tokio::test]
async fn the_history_is_of_seven_days_and_within_reach() {
    for (engine, hand) in testing::engines_at(START).await {
        let db = &engine.db;
        let id = register(db, 1, ClusterType::Spoke).await.remove(0);
        for days in [8, 6, 1] {
            let at = START.plus(-days * 86_400 * Micros::SECOND);
            let sql = Sql::new(
                "INSERT INTO cluster_health (cluster_id, at, state, health_score, deductions) VALUES (",
            )
            .arg(id.as_str())
            .push(", ")
            .arg(at)
            .push(", 'ONLINE', 90, '[]')");
            let mut tx = db.begin().await.expect("a transaction");
            tx.execute(sql).await.expect("a point");
            tx.commit(Vec::new()).await.expect("committed");
        }
        let service = service(db);
        let permit = permit::<View>(&testing::admin()).await.expect("a permit");
        assert_eq!(service.history(&permit, &id).await.expect("points").len(), 2);
        let week = db.now().await.expect("now").plus(-7 * 86_400 * Micros::SECOND);
        assert_eq!(probes::count_old(db, week, 10).await.expect("counted"), 1);
        assert_eq!(probes::prune(db, week).await.expect("pruned"), 1);
        assert_eq!(count(db, POINTS).await, 2);
        drop(hand);
    }
}

fn service(db: &Db) -> FleetService {
    let (vault, clock) = (Vault::for_tests(), db.clock().clone());
    let egress = Egress::new(EgressConfig::default(), &clock);
    let clients = Clients::new(db.clone(), vault.clone(), egress, testing::admin(), Own::default());
    FleetService::new(db.clone(), vault, Rng::system(), clients, Queue::default())
}

#[tokio::test]
async fn the_page_says_what_the_score_lost_and_how_it_was() {
    let kit = Kit::new(Who::Admin).await;
    let new = json!({ "name": "harbour", "api_server_url": "https://127.0.0.1:9" });
    let made = kit.post_json("/api/v1/clusters", new.to_string()).await.json();
    let id = made["id"].as_str().expect("an id");
    let lost = json!([{ "component": "prometheus", "points": 20, "reason": "Prometheus does not answer." }]);
    let sql = Sql::new("UPDATE clusters SET state = 'DEGRADED', health_score = 80, deductions = ");
    kit.change(sql.arg(lost.to_string())).await;
    let now = kit.console.db.now().await.expect("now");
    for hours in [1, 30] {
        let sql = Sql::new(
            "INSERT INTO cluster_health (cluster_id, at, state, health_score, deductions) VALUES (",
        );
        let at = now.plus(-hours * 3_600 * Micros::SECOND);
        let sql = sql.arg(id).push(", ").arg(at).push(", 'DEGRADED', 80, '[]')");
        kit.change(sql).await;
    }
    let page = kit.get(&format!("/clusters/{id}")).await;
    assert_eq!(page.status.as_u16(), 200);
    for text in
        ["80 of 100", "−20", "Prometheus does not answer.", "Health of the last 7 days", "<svg"]
    {
        assert!(page.text().contains(text), "{text}");
    }
    let status = kit.get(&format!("/api/v1/clusters/{id}/status")).await.json();
    assert_eq!(status["deductions"], lost);
    let history = kit.get(&format!("/api/v1/clusters/{id}/history")).await.json();
    let points = history["items"].as_array().expect("points");
    assert!(points.windows(2).all(|two| two[0]["at"].as_str() <= two[1]["at"].as_str()));
    assert_eq!((&points[0]["state"], &points[0]["health_score"]), (&json!("DEGRADED"), &json!(80)));
    assert_eq!(points[0]["latency_us"], serde_json::Value::Null, "nothing was measured");
}

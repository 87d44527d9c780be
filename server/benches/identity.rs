//! What knowing who asks costs: sign-ins per second, and requests with a session and a capability check against the
//! same requests without, at 1,000 live sessions on SQLite while 200 audited changes a second are written.
//!
//! `cargo bench -p server --bench identity`. It asserts nothing: a number is for people to judge.

#![expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]

#[path = "../tests/web_kit/mod.rs"]
mod web_kit;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use app::identity::{Capability, Role};
use axum::body::Body;
use http::Request;
use server::{
    clock::Clock,
    journal::AuditRow,
    store::{Db, Sql, Value, testing},
    web::{
        Access::{Needs, Public, SignedIn},
        Routes,
    },
};
use tokio::task::JoinSet;
use web_kit::{
    Kit, Who,
    people::{PASSWORD, Proof},
};

const SESSIONS: usize = 1_000;
const CHANGES_PER_S: u64 = 200;
const READERS: usize = 8;
const LASTS: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_secs(1);

const VIEW: &[Capability] = &[Capability::AccessSystemPanel, Capability::OperationsView];
const OPEN: &str = "/api/v1/bench/open";
const KNOWN: &str = "/api/v1/bench/known";
const CHECKED: &str = "/api/v1/bench/checked";
const PAGE: &str = "/system/ops/runs";

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        sign_ins().await;
        let kit = Arc::new(kit(Who::Real).await);
        let sessions = Arc::new(sessions(&kit).await);
        let nobody = Arc::new(vec![Proof::Nothing]);
        // The same pages for a caller who costs nothing to know.
        let always = Arc::new(self::kit(Who::Admin).await);
        println!(
            "{SESSIONS} live sessions, {READERS} readers, {CHANGES_PER_S} audited changes/s beside them:"
        );
        let open = requests("cheap, nobody asked who", &kit, &nobody, OPEN).await;
        let known = requests("cheap, with a session", &kit, &sessions, KNOWN).await;
        let checked = requests("cheap, session and capability", &kit, &sessions, CHECKED).await;
        let bare = requests("page, caller given", &always, &nobody, PAGE).await;
        let page = requests("page, session and capability", &kit, &sessions, PAGE).await;
        known.against("with a session", &open);
        checked.against("session and capability", &open);
        page.against("page", &bare);
    });
}

async fn kit(who: Who) -> Kit {
    let trials = |routes: Routes| {
        routes.get(OPEN, Public, async || "").get(KNOWN, SignedIn, async || "").get(
            CHECKED,
            Needs(VIEW),
            async || "",
        )
    };
    Kit::with(who, Clock::system(), |_| {}, trials).await
}

/// Ten people with a hundred sessions each.
async fn sessions(kit: &Kit) -> Vec<Proof> {
    let mut sessions = Vec::new();
    for n in 0..10 {
        let person = format!("person-{n}");
        sessions.push(kit.signed_in(&person, Some((Role::Auditor, None))).await);
        for _ in 1..SESSIONS / 10 {
            sessions.push(kit.enter(&person).await);
        }
    }
    sessions
}

/// Each reader has an account of its own, or they would wait for one another's tries.
async fn sign_ins() {
    let kit = Arc::new(kit(Who::Real).await);
    for n in 0..READERS {
        kit.person(&format!("person-{n}")).await;
    }
    for at_once in [1, READERS] {
        let started = Instant::now();
        let mut readers = JoinSet::new();
        for n in 0..at_once {
            let kit = Arc::clone(&kit);
            readers.spawn(async move {
                let (name, from) = (format!("person-{n}"), format!("192.0.2.{n}"));
                let mut took = Vec::new();
                while started.elapsed() < LASTS {
                    let began = Instant::now();
                    let answer = kit.try_from(&from, &name, PASSWORD).await;
                    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text());
                    took.push(began.elapsed());
                }
                took
            });
        }
        let took = readers.join_all().await.into_iter().flatten().collect();
        Figures::of(took, started.elapsed()).print(&format!("sign-in, {at_once} at once"));
    }
}

async fn requests(
    what: &str,
    kit: &Arc<Kit>,
    proofs: &Arc<Vec<Proof>>,
    path: &'static str,
) -> Figures {
    let stop = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicU64::new(0));
    let writer =
        tokio::spawn(write(kit.console.db.clone(), Arc::clone(&stop), Arc::clone(&written)));
    let started = Instant::now();
    let mut readers = JoinSet::new();
    for reader in 0..READERS {
        let (kit, proofs) = (Arc::clone(kit), Arc::clone(proofs));
        readers.spawn(async move {
            let mut took = Vec::new();
            for n in (0..).step_by(READERS) {
                if started.elapsed() > WARM_UP + LASTS {
                    break;
                }
                let proof = &proofs[(n + reader) % proofs.len()];
                let began = Instant::now();
                let request = proof.on(Request::get(path)).header("accept-encoding", "identity");
                let answer = kit.send(request, Body::empty()).await;
                assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
                if started.elapsed() > WARM_UP {
                    took.push(began.elapsed());
                }
            }
            took
        });
    }
    let took = readers.join_all().await.into_iter().flatten().collect();
    let lasted = started.elapsed();
    stop.store(true, Ordering::Relaxed);
    writer.await.expect("the writer ends");
    let figures = Figures::of(took, LASTS);
    let rate = per_second(written.load(Ordering::Relaxed), lasted);
    figures.print(&format!("{what} ({rate:.0} changes/s beside)"));
    figures
}

/// So many changes a second as the clock asks for, late ones made up for.
async fn write(db: Db, stop: Arc<AtomicBool>, written: Arc<AtomicU64>) {
    let started = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let due = u64::try_from(started.elapsed().as_millis()).unwrap_or(0) * CHANGES_PER_S / 1000;
        if written.load(Ordering::Relaxed) >= due {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        change(&db).await;
        written.fetch_add(1, Ordering::Relaxed);
    }
}

async fn change(db: &Db) {
    let mut tx = db.begin().await.expect("a transaction");
    let sql = Sql::new("INSERT INTO event_outbox (topic, kind, subject, capability, workspace_id, created_at) VALUES ")
        .list([
            Value::from("bench"),
            "CHANGED".into(),
            "1".into(),
            "audit.view".into(),
            1_i64.into(),
            0_i64.into(),
        ]);
    tx.execute(sql).await.expect("a row");
    let row = AuditRow::allowed(&testing::admin(), "platform.bench")
        .target("operation", 1, "Operation")
        .workspace(1);
    tx.commit(vec![row]).await.expect("committed");
}

fn per_second(count: impl TryInto<u32>, lasted: Duration) -> f64 {
    f64::from(count.try_into().unwrap_or(u32::MAX)) / lasted.as_secs_f64()
}

struct Figures {
    per_s: f64,
    p50: f64,
    p99: f64,
}

impl Figures {
    fn of(mut took: Vec<Duration>, lasted: Duration) -> Self {
        took.sort_unstable();
        let ms = |n: usize| took.get(n).map_or(0.0, |took| took.as_secs_f64() * 1000.0);
        Self {
            per_s: per_second(took.len(), lasted),
            p50: ms(took.len() / 2),
            p99: ms(took.len() * 99 / 100),
        }
    }

    fn print(&self, what: &str) {
        let Self { per_s, p50, p99 } = self;
        println!("  {what:<60} {per_s:>8.0}/s  p50 {p50:>7.2} ms  p99 {p99:>7.2} ms");
    }

    fn against(&self, what: &str, bare: &Self) {
        println!(
            "  {what} against without: {:.2} of its requests/s, {:.2} times its p50, {:.2} times its p99",
            self.per_s / bare.per_s,
            self.p50 / bare.p50,
            self.p99 / bare.p99,
        );
    }
}

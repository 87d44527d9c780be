//! Audited changes per second: 16 writers on Postgres, each change a transaction of one row and its audit row.
//!
//! `QUARTERDECK_TEST_POSTGRES_URL=… cargo bench -p server --bench audit [-- sqlite]`. It asserts nothing: a number
//! is for people to judge. Also says how fast the chain that came of it is verified.

#![expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]

use std::time::{Duration, Instant};

use server::{
    audit::{Ask, Verdict, verify},
    clock::Clock,
    journal::AuditRow,
    store::{
        Db, Dialect, Sql, StoreConfig,
        testing::{self, Engine},
    },
    vault::ChainKeys,
};
use tokio::task::JoinSet;

const WRITERS: i64 = 16;
const LASTS: Duration = Duration::from_secs(10);

fn main() {
    let sqlite = std::env::args().any(|word| word == "sqlite");
    let dialect = if sqlite { Dialect::Sqlite } else { Dialect::Postgres };
    if !sqlite && std::env::var_os("QUARTERDECK_TEST_POSTGRES_URL").is_none() {
        println!("not measured: QUARTERDECK_TEST_POSTGRES_URL is not set");
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(measure(dialect));
}

async fn measure(dialect: Dialect) {
    let engine = Engine::fresh(dialect, Clock::system()).await;
    // Half of the connections write.
    let config = StoreConfig { max_connections: 32, ..engine.config.clone() };
    let db = Db::open(&config, Clock::system()).await.expect("the database opens again");
    db.chain_with(ChainKeys::for_tests());
    let started = Instant::now();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let db = db.clone();
        writers.spawn(async move {
            let mut took = Vec::new();
            while started.elapsed() < LASTS {
                let began = Instant::now();
                change(&db, writer).await;
                took.push(began.elapsed());
            }
            took
        });
    }
    let mut took: Vec<Duration> = writers.join_all().await.into_iter().flatten().collect();
    let seconds = started.elapsed().as_secs_f64();
    took.sort_unstable();
    let count = u32::try_from(took.len()).expect("few");
    println!(
        "{}: {:.0} audited changes/s by {WRITERS} writers; one takes p50 {:.1} ms, p99 {:.1} ms",
        dialect.as_str(),
        f64::from(count) / seconds,
        took[took.len() / 2].as_secs_f64() * 1000.0,
        took[took.len() * 99 / 100].as_secs_f64() * 1000.0,
    );
    let began = Instant::now();
    let verdict = verify(&db, &ChainKeys::for_tests(), &Ask::default()).await;
    let seconds = began.elapsed().as_secs_f64();
    assert!(matches!(verdict, Ok(Verdict::Whole(_))), "{verdict:?}");
    println!("{}: verified at {:.0} rows/s", dialect.as_str(), f64::from(count) / seconds);
    db.close().await;
}

async fn change(db: &Db, writer: i64) {
    let mut tx = db.begin().await.expect("a transaction");
    let sql = Sql::new("INSERT INTO event_outbox (topic, kind, subject, capability, workspace_id, created_at) VALUES ")
        .list([
            server::store::Value::from("bench"),
            "CHANGED".into(),
            "1".into(),
            "audit.view".into(),
            writer.into(),
            0_i64.into(),
        ]);
    tx.execute(sql).await.expect("a row");
    let row = AuditRow::allowed(&testing::admin(), "platform.bench")
        .target("operation", writer, "Operation")
        .workspace(1)
        .detail("writer", writer);
    tx.commit(vec![row]).await.expect("committed");
}

//! How many runs go through, and how soon one begins.

use std::time::{Duration, Instant};

use server::store::{Db, Dialect, Sql};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    Wish,
    churn::{Churn, EMPTY, USUAL},
    float, fresh, open, percentiles,
};

/// People and schedules that ask at once.
const STARTERS: usize = 4;

/// Four tasks queue runs as fast as they are taken in, and the workers do them beside: from the first enqueue to
/// the last end.
pub async fn throughput(dialect: Dialect, wish: &Wish) {
    println!("  {:<12} {:>8} {:>8} {:>10}", "work", "workers", "runs", "done/s");
    for kind in [EMPTY, USUAL] {
        let mut one = 0.0;
        for workers in [1, 4] {
            let (engine, db) = fresh(dialect).await;
            let count = wish.runs(if kind == EMPTY { 4_000 } else { 1_000 });
            let rate = float(count) / through(&db, kind, workers, count).await.as_secs_f64();
            println!("  {kind:<12} {workers:>8} {count:>8} {rate:>10.0}");
            if workers == 1 {
                one = rate;
            } else {
                println!("  {kind:<12} 4 workers do {:.2} times what one does", rate / one);
            }
            db.close().await;
            drop(engine);
        }
    }
}

async fn through(db: &Db, kind: &'static str, workers: usize, count: usize) -> Duration {
    let (churn, stop) = (Churn::on(db), CancellationToken::new());
    let began = Instant::now();
    let working = churn.work(workers, &stop);
    let mut starters = JoinSet::new();
    for starter in 0..STARTERS {
        let churn = churn.clone();
        starters.spawn(async move {
            for _ in (starter..count).step_by(STARTERS) {
                churn.start(kind).await;
            }
        });
    }
    starters.join_all().await;
    wait_for_all(db).await;
    let took = began.elapsed();
    stop.cancel();
    working.join_all().await;
    took
}

async fn wait_for_all(db: &Db) {
    let sql = || Sql::new("SELECT COUNT(*) AS n FROM operation_runs WHERE status <> 'completed'");
    while db.fetch_one(sql()).await.expect("a count").i64("n").expect("a number") > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// One run at a time, when nothing else is to do: `started_at - created_at` by the database's clock.
pub async fn latency(dialect: Dialect, wish: &Wish) {
    println!("  {:<34} {:>8} {:>10} {:>10}", "enqueued by", "runs", "p50 ms", "p99 ms");
    let (engine, db) = fresh(dialect).await;
    let stop = CancellationToken::new();
    let here = Churn::on(&db);
    let working = here.work(4, &stop);
    let near = waits(&db, &here, wish.runs(300), Duration::from_millis(10)).await;
    report("the process whose workers do it", near);
    // Another process has to find it by its poll. SQLite has one process.
    if dialect == Dialect::Postgres {
        let other = open(&engine.config).await;
        let far = waits(&db, &Churn::on(&other), wish.runs(100), Duration::from_millis(70)).await;
        report("another process (poll of 1 s)", far);
        other.close().await;
    }
    stop.cancel();
    working.join_all().await;
    db.close().await;
}

fn report(by: &str, waits: Vec<Duration>) {
    let count = waits.len();
    let (p50, p99) = percentiles(waits);
    println!("  {by:<34} {count:>8} {p50:>10.2} {p99:>10.2}");
}

async fn waits(db: &Db, from: &Churn, count: usize, pause: Duration) -> Vec<Duration> {
    let mut first = i64::MAX;
    for _ in 0..count {
        first = first.min(from.start(EMPTY).await);
        tokio::time::sleep(pause).await;
    }
    wait_for_all(db).await;
    let sql = Sql::new("SELECT started_at - created_at AS waited FROM operation_runs WHERE id >= ");
    let rows = db.fetch_all(sql.arg(first)).await.expect("the runs");
    let waited = |row: &server::store::Row| row.i64("waited").expect("it began");
    rows.iter().map(|row| Duration::from_micros(waited(row).unsigned_abs())).collect()
}

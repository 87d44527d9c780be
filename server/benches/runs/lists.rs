//! What people feel while the engine works: list and detail under 16 readers, without and with writers.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use server::{
    operations::seeding,
    store::{Dialect, Sql, StoreConfig},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Wish,
    churn::{Churn, EMPTY},
    console::Console,
    float, fresh, open, percentiles,
};

const READERS: usize = 16;
/// Runs per second, each queued, claimed, done and ended.
const WRITES: u32 = 200;
const PATHS: [(&str, &str); 3] = [
    ("list", "/system/ops/runs"),
    ("failures", "/system/ops/runs?status=completed&outcome=failed"),
    ("detail", "/system/ops/runs/{id}"),
];

pub fn measure(runtime: &tokio::runtime::Runtime, dialect: Dialect, wish: &Wish) {
    let (engine, db) = runtime.block_on(fresh(dialect));
    runtime.block_on(async {
        // Seeding may take its time; the console's own statements may not.
        let patient = Duration::from_mins(10);
        let config = StoreConfig { statement_timeout: patient, ..engine.config.clone() };
        let db = open(&config).await;
        seeding::runs(&db, wish.rows).await.expect("the database takes the rows");
        if dialect == Dialect::Postgres {
            let settled = db.fetch_all(Sql::new("VACUUM (ANALYZE) operation_runs")).await;
            settled.expect("Postgres settles the rows");
        }
        db.close().await;
    });
    let console = Console::start(&engine.config.url);
    let lasts = Duration::from_secs(if wish.quick { 5 } else { 30 });
    println!(
        "  {} runs, {READERS} readers with a connection for each request; first byte, and the whole page\n  {:<10} {:>10} {:>12} {:>10} {:>10} {:>10}",
        wish.rows, "page", "written/s", "requests/s", "p50 ms", "p99 ms", "whole p99"
    );
    let quiet = read(&console, wish.rows, lasts, 0.0);
    let churn = Churn::on(&db);
    let stop = CancellationToken::new();
    let writing = runtime.spawn(write(churn.clone(), stop.clone()));
    let before = (churn.begun(), Instant::now());
    let rate = || float(churn.begun() - before.0) / before.1.elapsed().as_secs_f64();
    let busy = read(&console, wish.rows, lasts, WRITES.into());
    println!("  {:.0} runs/s were written while {READERS} readers read", rate());
    for ((page, _), (quiet, busy)) in PATHS.iter().zip(quiet.iter().zip(&busy)) {
        println!(
            "  {page:<10} p50 × {:.2}, p99 × {:.2} under writes",
            busy.0 / quiet.0,
            busy.1 / quiet.1
        );
    }
    println!("  resident: {}, right after", console.resident());
    stop.cancel();
    runtime.block_on(writing).expect("the writers end");
    runtime.block_on(db.close());
}

/// Queues runs at a steady pace, and four workers do them. From a process of its own: on SQLite that is more than
/// a console ever does to itself.
async fn write(churn: Churn, stop: CancellationToken) {
    let working = churn.work(4, &stop);
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / WRITES);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    while !stop.is_cancelled() {
        ticks.tick().await;
        churn.start(EMPTY).await;
    }
    working.join_all().await;
}

/// Readers ask for the pages in turn; for each page its p50 and p99.
fn read(console: &Console, rows: i64, lasts: Duration, written: f64) -> Vec<(f64, f64)> {
    let all = PATHS.iter().map(|(page, path)| {
        let path = path.replace("{id}", &(rows / 2).to_string());
        let (began, requests) = (Instant::now(), AtomicUsize::new(0));
        let timings = thread::scope(|scope| {
            let reader = || {
                let mut timings = Vec::new();
                while began.elapsed() < lasts {
                    timings.push(console.get(&path));
                    requests.fetch_add(1, Ordering::Relaxed);
                }
                timings
            };
            let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(reader)).collect();
            readers.into_iter().flat_map(|r| r.join().expect("a reader")).collect::<Vec<_>>()
        });
        let (_, whole) = percentiles(timings.iter().map(|timing| timing.whole).collect());
        let (p50, p99) = percentiles(timings.iter().map(|timing| timing.first_byte).collect());
        let rate = float(requests.into_inner()) / began.elapsed().as_secs_f64();
        println!("  {page:<10} {written:>10.0} {rate:>12.0} {p50:>10.2} {p99:>10.2} {whole:>10.2}");
        (p50, p99)
    });
    all.collect()
}

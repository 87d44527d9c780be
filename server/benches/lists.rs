//! How the operations list answers over HTTP at 1 k, 100 k and 1 M runs, on SQLite and Postgres.
//!
//! `cargo xtask bench lists` builds this with optimisation and, for Postgres, gives it a server of its own.
//! It seeds each database once, starts the real binary over it, and prints p50 and p99 of the first byte and
//! of the whole page, and the memory of the process. It asserts nothing: a number is for people to judge.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts the console and looks at the clock"
)]

mod console;

use std::time::{Duration, Instant};

use server::{
    clock::Clock,
    operations::seeding,
    store::{Db, Dialect, Sql, StoreConfig, testing::Engine},
};

use crate::console::{Console, Timing};

const SIZES: [i64; 3] = [1_000, 100_000, 1_000_000];
const WARM_UP: usize = 20;
const REQUESTS: usize = 200;

/// What is asked, and in which words it is reported.
const CASES: [(&str, &str); 19] = [
    ("first page", "/system/ops/runs"),
    ("one filter: type", "/system/ops/runs?type=system.self_check"),
    ("one filter: status", "/system/ops/runs?status=running"),
    ("one filter: initiator", "/system/ops/runs?initiator=user-3"),
    ("failures", "/system/ops/failures"),
    ("failures by cause", "/system/ops/failures?group=cause"),
    ("stuck", "/system/ops/stuck"),
    ("two filters", "/system/ops/runs?type=system.self_check&outcome=succeeded"),
    ("one workspace of 20", "/system/ops/runs?workspace_id=20"),
    (
        "rare: four filters",
        "/system/ops/runs?type=system.self_check&outcome=failed&workspace_id=20&initiator=user-7",
    ),
    ("search with a hit", "/system/ops/runs?q=edge-117"),
    ("search, a rare hit", "/system/ops/runs?q=needle-in-the-hay"),
    ("search without a hit", "/system/ops/runs?q=no+such+words+anywhere"),
    ("page 500", "/system/ops/runs?page=500"),
    ("a cursor half way", "/system/ops/runs?cursor=o.{half}"),
    ("counts: all", "/api/v1/operations?page_size=1"),
    ("counts: one type", "/api/v1/operations?page_size=1&type=system.self_check"),
    ("JSON, first page", "/api/v1/operations"),
    ("JSON, failures", "/api/v1/operations?status=completed&outcome=failed&page_size=100"),
];

fn main() {
    // `-- postgres 1000000` measures that alone.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    println!(
        "{:<9} {:>9}  {:<24} {:>25}   {:>25}",
        "engine", "runs", "request", "first byte p50/p99 ms", "whole page p50/p99 ms"
    );
    for size in SIZES {
        for (name, dialect) in [("sqlite", Dialect::Sqlite), ("postgres", Dialect::Postgres)] {
            let chosen = |word: &String| *word == name || *word == size.to_string();
            if !wanted.iter().all(chosen) {
                continue;
            }
            if dialect == Dialect::Postgres
                && std::env::var_os("QUARTERDECK_TEST_POSTGRES_URL").is_none()
            {
                println!(
                    "{name:<9} {size:>9}  not measured: QUARTERDECK_TEST_POSTGRES_URL is not set"
                );
                continue;
            }
            let engine = runtime.block_on(Engine::fresh(dialect, Clock::system()));
            let started = Instant::now();
            runtime.block_on(seed(&engine.config, size));
            println!("{name:<9} {size:>9}  seeded in {:.1} s", started.elapsed().as_secs_f64());
            runtime.block_on(engine.db.close());
            measure(name, &engine.config.url, size);
        }
    }
}

/// A seeding connection may take its time; the console's own statements may not.
async fn seed(config: &StoreConfig, size: i64) {
    let patient = StoreConfig { statement_timeout: Duration::from_mins(10), ..config.clone() };
    let db = Db::open(&patient, Clock::system()).await.expect("the database opens again");
    seeding::runs(&db, size).await.expect("the database takes the rows");
    if db.dialect() == Dialect::Postgres {
        // What autovacuum does within a minute or two of so many rows.
        let settled = db.fetch_all(Sql::new("VACUUM (ANALYZE) operation_runs")).await;
        settled.expect("Postgres settles the rows");
    }
    db.close().await;
}

fn measure(engine: &str, url: &str, size: i64) {
    let console = Console::start(url);
    for (name, path) in CASES {
        let path = path.replace("{half}", &(size / 2).to_string());
        for _ in 0..WARM_UP {
            console.get(&path);
        }
        let timings: Vec<Timing> = (0..REQUESTS).map(|_| console.get(&path)).collect();
        let first = percentiles(timings.iter().map(|t| t.first_byte));
        let whole = percentiles(timings.iter().map(|t| t.whole));
        println!(
            "{engine:<9} {size:>9}  {name:<24} {:>12.2} {:>12.2}   {:>12.2} {:>12.2}",
            first.0, first.1, whole.0, whole.1
        );
    }
    println!("{engine:<9} {size:>9}  resident: {}, right after", console.resident());
    if size == SIZES[SIZES.len() - 1] {
        std::thread::sleep(Duration::from_mins(1));
        let resident = console.resident();
        println!("{engine:<9} {size:>9}  resident: {resident}, after 60 idle seconds");
    }
}

fn percentiles(timings: impl Iterator<Item = Duration>) -> (f64, f64) {
    let mut all: Vec<f64> = timings.map(|t| t.as_secs_f64() * 1000.0).collect();
    all.sort_by(f64::total_cmp);
    (all[all.len() / 2], all[all.len() * 99 / 100])
}

//! How fast the run engine is, and whether it stays small: `cargo xtask bench runs [-- WORDS]`.
//!
//! ```text
//! engine    enqueue → done per second with empty work, 1 and 4 workers
//! latency   from enqueue to start, in one process and across two
//! lists     list and detail at 1 M runs, 16 readers, without and with 200 runs/s being written
//! memory    resident memory over an hour of churn, as a slope
//! ```
//!
//! Words choose: a part, `sqlite`, `postgres`, `--quick` (small sizes, seconds), `--minutes N` for the churn,
//! `--rows N` for the lists. It asserts nothing: a number is for people to judge.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark looks at the clock, and works on threads of its own"
)]

mod churn;
#[path = "../console/mod.rs"]
mod console;
mod engine;
mod lists;
mod memory;

use std::time::Duration;

use server::{
    clock::Clock,
    store::{Db, Dialect, StoreConfig, testing::Engine},
    vault::ChainKeys,
};

/// What was asked for.
pub struct Wish {
    words: Vec<String>,
    pub quick: bool,
    pub minutes: f64,
    pub rows: i64,
}

impl Wish {
    fn read() -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let quick = words.iter().any(|word| word == "--quick");
        let after = |flag: &str| {
            let at = words.iter().position(|word| word == flag)?;
            words.get(at + 1)
        };
        let minutes = after("--minutes").and_then(|n| n.parse().ok());
        let rows = after("--rows").and_then(|n| n.parse().ok());
        Self {
            minutes: minutes.unwrap_or(if quick { 0.5 } else { 10.0 }),
            rows: rows.unwrap_or(if quick { 20_000 } else { 1_000_000 }),
            quick,
            words,
        }
    }

    /// Whether a part, or an engine, is wanted: all are, unless some are named.
    fn wants(&self, word: &str, of: &[&str]) -> bool {
        let named = |word: &str| self.words.iter().any(|w| w == word);
        named(word) || !of.iter().any(|other| named(other))
    }

    pub fn runs(&self, whole: usize) -> usize {
        if self.quick { whole / 10 } else { whole }
    }
}

const PARTS: [&str; 4] = ["engine", "latency", "lists", "memory"];
const ENGINES: [(&str, Dialect); 2] =
    [("sqlite", Dialect::Sqlite), ("postgres", Dialect::Postgres)];

fn main() {
    let wish = Wish::read();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    if cfg!(debug_assertions) {
        println!("Not optimised: these numbers compare only with each other.");
    }
    for (name, dialect) in ENGINES {
        if !wish.wants(name, &ENGINES.map(|(name, _)| name)) {
            continue;
        }
        if dialect == Dialect::Postgres
            && std::env::var_os("QUARTERDECK_TEST_POSTGRES_URL").is_none()
        {
            println!("{name}: not measured: QUARTERDECK_TEST_POSTGRES_URL is not set");
            continue;
        }
        for part in PARTS {
            if !wish.wants(part, &PARTS) {
                continue;
            }
            println!("\n{name}: {part}");
            match part {
                "engine" => runtime.block_on(engine::throughput(dialect, &wish)),
                "latency" => runtime.block_on(engine::latency(dialect, &wish)),
                "lists" => lists::measure(&runtime, dialect, &wish),
                _ => runtime.block_on(memory::measure(dialect, &wish)),
            }
        }
    }
}

/// A database of its own, as the console opens it.
pub async fn fresh(dialect: Dialect) -> (Engine, Db) {
    let engine = Engine::fresh(dialect, Clock::system()).await;
    let config = StoreConfig { max_connections: 24, ..engine.config.clone() };
    let db = open(&config).await;
    (engine, db)
}

pub async fn open(config: &StoreConfig) -> Db {
    let db = Db::open(config, Clock::system()).await.expect("the database opens again");
    db.chain_with(ChainKeys::for_tests());
    db
}

/// The middle, and the one in a hundred, in milliseconds.
pub fn percentiles(mut all: Vec<Duration>) -> (f64, f64) {
    all.sort_unstable();
    let at = |part: usize| all.get(all.len() * part / 100).map_or(0.0, |d| d.as_secs_f64() * 1e3);
    (at(50), at(99))
}

/// Counts of a benchmark are small enough for a float.
pub fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

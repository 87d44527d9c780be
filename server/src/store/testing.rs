//! The test kit: a fresh, migrated database of each engine, gone when its [`Engine`] is dropped.
//!
//! SQLite needs nothing. Postgres needs `QUARTERDECK_TEST_POSTGRES_URL`, a server on which databases may be
//! created: `cargo xtask test store` starts one. Leaving Postgres out is said aloud, by
//! `QUARTERDECK_TEST_ENGINES=sqlite`, never assumed.
//!
//! ```text
//! for engine in testing::engines().await { let db = &engine.db; … }
//! ```
#![expect(
    clippy::disallowed_methods,
    reason = "a test kit asks its own environment and waits in real time"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use app::{
    identity::{Caller, CallerKind, Capability, Gate, Reach},
    time::Micros,
};
use sqlx::{ConnectOptions as _, Connection as _, postgres::PgConnectOptions};

use super::{Db, Dialect, Faults, StoreConfig, StoreError};
use crate::{
    clock::{Clock, ManualClock},
    vault::ChainKeys,
};

/// One database for one test.
pub struct Engine {
    pub db: Db,
    /// To open the same database once more.
    pub config: StoreConfig,
    _room: Room,
}

/// Where the database lives; removes it in the end.
enum Room {
    Folder(#[expect(dead_code, reason = "held until the test ends")] tempfile::TempDir),
    Server { url: String, database: String },
}

/// Both engines, with the system's clock.
pub async fn engines() -> Vec<Engine> {
    let mut engines = Vec::new();
    for dialect in dialects() {
        engines.push(Engine::fresh(dialect, Clock::system()).await);
    }
    engines
}

/// Both engines, each with a clock that the test moves; it stands for the database's clock too.
pub async fn engines_at(start: Micros) -> Vec<(Engine, ManualClock)> {
    let mut engines = Vec::new();
    for dialect in dialects() {
        let (clock, hand) = Clock::manual(start);
        engines.push((Engine::fresh(dialect, clock).await, hand));
    }
    engines
}

/// The engines under test.
///
/// # Panics
/// When Postgres is to be tested and no server is named.
pub fn dialects() -> Vec<Dialect> {
    match std::env::var("QUARTERDECK_TEST_ENGINES").as_deref() {
        Ok("sqlite") => vec![Dialect::Sqlite],
        Ok("postgres") => vec![Dialect::Postgres],
        _ => vec![Dialect::Sqlite, Dialect::Postgres],
    }
}

impl Engine {
    /// A migrated database.
    pub async fn fresh(dialect: Dialect, clock: Clock) -> Self {
        let engine = Self::empty(dialect, clock).await;
        engine.db.migrate().await.expect("a fresh database takes every migration");
        engine
    }

    /// A database without a table.
    pub async fn empty(dialect: Dialect, clock: Clock) -> Self {
        let (room, url) = match dialect {
            Dialect::Sqlite => {
                let folder = tempfile::tempdir().expect("a folder for the test's database");
                let url = format!("sqlite:{}", folder.path().join("test.db").display());
                (Room::Folder(folder), url)
            }
            Dialect::Postgres => create_database().await,
        };
        let config = StoreConfig {
            lock_timeout: Duration::from_secs(20),
            application_name: "quarterdeck-test".to_owned(),
            ..StoreConfig::at(url)
        };
        let db = chained(Db::open(&config, clock).await.expect("a fresh database opens"));
        Self { db, config, _room: room }
    }

    /// The same database through connections of its own, as another replica or a restarted server has it.
    pub async fn again(&self) -> Db {
        let db = Db::open(&self.config, self.db.clock().clone()).await;
        chained(db.expect("the database opens again"))
    }

    /// The same database, with troubles on purpose.
    pub async fn with_faults(&self, faults: &Faults) -> Db {
        let faults = Some(faults.clone());
        let db = Db::open_with(&self.config, self.db.clock().clone(), faults).await;
        chained(db.expect("the database opens again"))
    }

    pub fn dialect(&self) -> Dialect {
        self.db.dialect()
    }
}

/// With the chain's keys of tests, which a process gets by [`TEST_KEYS`](crate::vault::TEST_KEYS).
fn chained(db: Db) -> Db {
    db.chain_with(ChainKeys::for_tests());
    db
}

static DATABASES: AtomicU32 = AtomicU32::new(0);

async fn create_database() -> (Room, String) {
    let url = std::env::var("QUARTERDECK_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!(
            "no Postgres to test on: run cargo xtask test store \
             (or leave Postgres out by QUARTERDECK_TEST_ENGINES=sqlite)"
        )
    });
    let n = DATABASES.fetch_add(1, Ordering::Relaxed);
    let database = format!("qd_test_{}_{n}", std::process::id());
    administrate(&url, format!("CREATE DATABASE {database}")).await.expect("a database is created");
    let (server, _) = url.rsplit_once('/').expect("a Postgres URL names a database");
    let own = format!("{server}/{database}");
    (Room::Server { url, database }, own)
}

async fn administrate(url: &str, statement: String) -> Result<(), sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let mut connection = options.connect().await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}

impl Drop for Room {
    fn drop(&mut self) {
        let Self::Server { url, database } = self else { return };
        let (url, statement) =
            (url.clone(), format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"));
        // A drop cannot wait on the test's own runtime. What is left behind goes with the test's server.
        let dropping = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map(|runtime| runtime.block_on(administrate(&url, statement)))
        });
        let _ = dropping.join();
    }
}

struct Silent;

#[async_trait::async_trait]
impl Gate for Silent {
    async fn refused(&self, _: &Caller, _: Capability) {}
}

/// A caller with these grants, whose refusals nobody writes down.
pub fn caller(id: &str, grants: Vec<(Capability, Reach)>) -> Caller {
    Caller::new(CallerKind::User, id, id, grants, Arc::new(Silent))
}

/// A caller who may do everything everywhere.
pub fn admin() -> Caller {
    let grants = Capability::ALL.iter().map(|capability| (*capability, Reach::Everything));
    caller("admin", grants.collect())
}

/// Asks again until the answer is there; a test never waits for a time.
///
/// # Panics
/// When there is no answer within a minute.
pub async fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<Option<T>, StoreError>>,
{
    let started = std::time::Instant::now();
    loop {
        if let Some(answer) = ask().await.expect("the store answers") {
            return answer;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "still waiting: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

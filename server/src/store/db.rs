//! The database as the rest of the server holds it: reads here, writes in a [`Tx`].

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use app::time::Micros;
use tokio::sync::watch;

use super::{
    Dialect, Faults, Row, Sql, StoreConfig, StoreError, Tx, Waits,
    connect::Engine,
    faults::under,
    query::{self, Statement},
};
use crate::{clock::Clock, vault::ChainKeys};

/// How many of SQLite's own steps pass between two looks at the time: about a tenth of a millisecond.
const STEPS_PER_LOOK: i32 = 10_000;

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Db(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) engine: Engine,
    pub(super) clock: Clock,
    pub(super) config: StoreConfig,
    pub(super) faults: Option<Faults>,
    pub(super) waits: Waits,
    /// What audit rows are chained with.
    chain: OnceLock<ChainKeys>,
    /// Counts the commits of this process that published news.
    pub(super) news: watch::Sender<u64>,
    /// SQLite names the columns of a broken unique index, never the index.
    uniques: RwLock<HashMap<String, String>>,
}

impl Db {
    /// Connects. Neither migrates nor looks at the schema: see [`Db::migrate`] and [`Db::check_schema`].
    pub async fn open(config: &StoreConfig, clock: Clock) -> Result<Self, StoreError> {
        Self::open_with(config, clock, None).await
    }

    /// [`Db::open`], with troubles on purpose.
    pub async fn open_with(
        config: &StoreConfig,
        clock: Clock,
        faults: Option<Faults>,
    ) -> Result<Self, StoreError> {
        let engine = Engine::open(config).await?;
        let db = Self(Arc::new(Inner {
            waits: Waits::new(engine.dialect()),
            engine,
            clock,
            config: config.clone(),
            faults,
            chain: OnceLock::new(),
            news: watch::Sender::new(0),
            uniques: RwLock::default(),
        }));
        db.learn_uniques().await?;
        Ok(db)
    }

    pub fn dialect(&self) -> Dialect {
        self.0.engine.dialect()
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Whether every write is refused here, whatever the database would say.
    pub fn is_read_only(&self) -> bool {
        self.0.config.read_only
    }

    /// Says what audit rows are chained with: once, right after the vault was opened. A second word changes nothing.
    pub fn chain_with(&self, keys: ChainKeys) {
        self.0.chain.get_or_init(|| keys);
    }

    pub fn chain(&self) -> Option<&ChainKeys> {
        self.0.chain.get()
    }

    /// How long statements wait for a connection.
    pub fn waits(&self) -> &Waits {
        &self.0.waits
    }

    /// Begins a write. On SQLite this waits for the one writer.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        if self.is_read_only() {
            return Err(StoreError::ReadOnly("this console runs read-only".to_owned()));
        }
        Tx::begin(self).await
    }

    pub async fn fetch_all(&self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        let statement = Statement::of(sql)?;
        under(self, async {
            let answer = match &self.0.engine {
                Engine::Sqlite { readers, .. } => self.read_sqlite(readers, statement).await,
                Engine::Postgres { readers, .. } => {
                    let asked_at = self.0.clock.monotonic();
                    let connection = readers.acquire().await.map_err(|e| self.error(e));
                    let waited = self.0.clock.monotonic().saturating_sub(asked_at);
                    self.0.waits.waited_to_read(waited);
                    let mut connection = connection?;
                    query::postgres::fetch_all(&mut connection, statement).await
                }
            };
            answer.map_err(|e| self.error(e))
        })
        .await
    }

    /// The first row, if there is one.
    pub async fn fetch_optional(&self, sql: Sql) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch_all(sql).await?.into_iter().next())
    }

    pub async fn fetch_one(&self, sql: Sql) -> Result<Row, StoreError> {
        self.fetch_optional(sql).await?.ok_or(StoreError::NoRow)
    }

    /// The database's clock: what replicas share. SQLite's is this machine's, and so ours.
    pub async fn now(&self) -> Result<Micros, StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(self.0.clock.now());
        }
        if let Some(held) = self.0.clock.held() {
            return Ok(held);
        }
        let sql = Sql::new("SELECT ").push(self.dialect().now()).push(" AS now");
        self.fetch_one(sql).await?.micros("now")
    }

    pub async fn ping(&self) -> Result<(), StoreError> {
        self.fetch_one(Sql::new("SELECT 1 AS one")).await?.i64("one").map(|_| ())
    }

    /// Lets SQLite look at its indexes again; Postgres does so by itself. Hourly.
    pub async fn optimize(&self) -> Result<(), StoreError> {
        match &self.0.engine {
            Engine::Postgres { .. } => Ok(()),
            Engine::Sqlite { writer, .. } => {
                let mut connection = writer.acquire().await.map_err(|e| self.error(e))?;
                let statement = Statement::of(Sql::new("PRAGMA optimize"))?;
                let done = query::sqlite::execute(&mut connection, statement).await;
                done.map(|_| ()).map_err(|e| self.error(e))
            }
        }
    }

    /// Wakes when a transaction of this process has committed news.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.0.news.subscribe()
    }

    /// Waits for what runs, then lets go of the database.
    pub async fn close(&self) {
        self.0.engine.close().await;
    }

    /// SQLite knows no statement timeout; its progress callback can end a statement.
    async fn read_sqlite(
        &self,
        readers: &sqlx::SqlitePool,
        statement: Statement,
    ) -> Result<Vec<Row>, sqlx::Error> {
        let mut connection = readers.acquire().await?;
        let clock = self.0.clock.clone();
        let until = clock.monotonic() + self.0.config.statement_timeout;
        connection
            .lock_handle()
            .await?
            .set_progress_handler(STEPS_PER_LOOK, move || clock.monotonic() < until);
        query::sqlite::fetch_all(&mut connection, statement).await
    }

    pub(super) fn error(&self, error: sqlx::Error) -> StoreError {
        match StoreError::from_sqlx(error, self.dialect()) {
            StoreError::Unique { constraint } => {
                StoreError::Unique { constraint: self.unique_name(constraint) }
            }
            other => other,
        }
    }

    fn unique_name(&self, constraint: String) -> String {
        if self.dialect() == Dialect::Postgres {
            return constraint;
        }
        let uniques = self.0.uniques.read().unwrap_or_else(PoisonError::into_inner);
        match (uniques.get(&constraint), constraint.split_once('.')) {
            (Some(name), _) => name.clone(),
            (None, Some((table, _))) => format!("{table}_pkey"),
            (None, None) => constraint,
        }
    }

    /// Learns which unique index stands on which columns, so that both engines name it alike.
    pub(super) async fn learn_uniques(&self) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Postgres {
            return Ok(());
        }
        let sql = Sql::new(
            "SELECT m.name AS table_name, l.name AS index_name, l.origin AS origin, \
             (SELECT group_concat(m.name || '.' || i.name, ', ') FROM pragma_index_info(l.name) i) AS columns \
             FROM sqlite_master m, pragma_index_list(m.name) l WHERE m.type = 'table' AND l.\"unique\" = 1",
        );
        let mut found = HashMap::new();
        for row in self.fetch_all(sql).await? {
            let name = match row.text("origin")?.as_str() {
                "pk" => format!("{}_pkey", row.text("table_name")?),
                _ => row.text("index_name")?,
            };
            found.insert(row.opt_text("columns")?.unwrap_or_default(), name);
        }
        *self.0.uniques.write().unwrap_or_else(PoisonError::into_inner) = found;
        Ok(())
    }
}

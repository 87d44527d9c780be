//! Opens the connections, each engine with the settings that its traps ask for.

use std::{path::Path, time::Duration};

use sqlx::{
    ConnectOptions as _, Connection as _, PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Dialect, StoreConfig, StoreError, config::Target};

/// Ten connections cost 46 MB; three readers already keep two cores busy.
const SQLITE_READERS: u32 = 3;

pub(super) enum Engine {
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres { writers: PgPool, readers: PgPool },
}

impl Engine {
    pub(super) async fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        match config.target()? {
            Target::Sqlite(path) => {
                open_sqlite(&path, config).await.map_err(|e| unreachable(e, Dialect::Sqlite))
            }
            Target::Postgres(options) => {
                open_postgres(*options, config).await.map_err(|e| unreachable(e, Dialect::Postgres))
            }
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite { .. } => Dialect::Sqlite,
            Self::Postgres { .. } => Dialect::Postgres,
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres { writers, readers } => {
                readers.close().await;
                writers.close().await;
            }
        }
    }
}

fn unreachable(error: sqlx::Error, dialect: Dialect) -> StoreError {
    match StoreError::from_sqlx(error, dialect) {
        StoreError::Other(error) => StoreError::Connection(error.to_string()),
        known => known,
    }
}

async fn open_sqlite(path: &Path, config: &StoreConfig) -> Result<Engine, sqlx::Error> {
    let common = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(config.lock_timeout)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Normal)
        // Negative: KiB instead of pages.
        .pragma("cache_size", "-1024");
    let writes = if config.read_only {
        common.clone().read_only(true)
    } else {
        // Without the limit a WAL keeps the size of its busiest hour.
        common
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("journal_size_limit", "67108864")
    };
    let writing = sqlite_pool(1, config).connect_with(writes).await?;
    let readers = sqlite_pool(SQLITE_READERS, config).connect_with(common.read_only(true)).await?;
    Ok(Engine::Sqlite { writer: writing, readers })
}

fn sqlite_pool(size: u32, config: &StoreConfig) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(size)
        .acquire_timeout(config.lock_timeout.max(Duration::from_secs(30)))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // A full disk rolls back by itself; sqlx still counts a transaction then and would begin no other on
        // this connection.
        .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
}

async fn open_postgres(
    options: PgConnectOptions,
    config: &StoreConfig,
) -> Result<Engine, sqlx::Error> {
    let half = (config.max_connections / 2).max(1);
    let common = options.application_name(&config.application_name);
    let reads = common.clone().options([
        ("default_transaction_read_only", "on".to_owned()),
        ("statement_timeout", config.statement_timeout.as_millis().to_string()),
        // A generic plan cannot know that one workspace has twenty rows and another a million.
        ("plan_cache_mode", "force_custom_plan".to_owned()),
    ]);
    let writes = common.options([
        ("lock_timeout", config.lock_timeout.as_millis().to_string()),
        // A process that stops in the middle of a write must not hold its locks for ever.
        ("idle_in_transaction_session_timeout", "60000".to_owned()),
    ]);
    // A pool tries again until its time is over, and then says no more than that.
    writes.connect().await?.close().await?;
    let pool =
        |size| PgPoolOptions::new().max_connections(size).acquire_timeout(config.lock_timeout);
    let writing = pool(half).connect_with(writes).await?;
    // One more: the event feed listens on it.
    let readers = pool(half + 1).connect_with(reads).await?;
    Ok(Engine::Postgres { writers: writing, readers })
}

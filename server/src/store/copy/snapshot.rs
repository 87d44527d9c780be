//! Every table as it was at one moment, while others go on writing.
//!
//! On SQLite a read transaction beside the writer: the journal grows for as long as it is open. On Postgres a
//! repeatable read on a connection of its own, behind the lock that whoever migrates takes: the shape of the
//! tables must not change either.

use futures::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, Row as _, Sqlite, pool::PoolConnection,
    postgres::PgRow, sqlite::SqliteRow,
};

use super::{Kind, Table, catalogue, columns, quoted};
use crate::store::{
    Db, Dialect, Row, Sql, StoreError, Value,
    connect::Engine,
    migrate::POSTGRES_LOCK,
    query::{self, Statement},
};

pub struct Snapshot {
    inner: Inner,
    db: Db,
}

enum Inner {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PgConnection),
}

impl Db {
    /// Holds still what is read through it, from here on.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let inner = match &self.0.engine {
            Engine::Sqlite { readers, .. } => {
                let mut connection = readers.acquire().await.map_err(|e| self.error(e))?;
                // An earlier read may have left its limit of time behind.
                let handle = connection.lock_handle().await.map_err(|e| self.error(e));
                handle?.remove_progress_handler();
                Inner::Sqlite(connection)
            }
            Engine::Postgres { readers, .. } => {
                let connection = readers.acquire().await.map_err(|e| self.error(e))?;
                // Its settings are not for those who come after, so it leaves the pool.
                Inner::Postgres(connection.detach())
            }
        };
        let mut snapshot = Snapshot { inner, db: self.clone() };
        let first = match self.dialect() {
            Dialect::Sqlite => Sql::new("BEGIN"),
            Dialect::Postgres => {
                snapshot.execute(Sql::new("SET statement_timeout = 0")).await?;
                // Before the transaction: its moment is that of its first statement.
                let lock = Sql::new("SELECT pg_advisory_lock_shared(").arg(POSTGRES_LOCK).push(")");
                snapshot.execute(lock).await?;
                Sql::new("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            }
        };
        snapshot.execute(first).await?;
        // Neither engine has taken it before something is read.
        snapshot.fetch_all(Sql::new(catalogue::any_table(self.dialect()))).await?;
        Ok(snapshot)
    }
}

impl Snapshot {
    async fn execute(&mut self, sql: Sql) -> Result<(), StoreError> {
        let statement = Statement::of(sql)?;
        let done = match &mut self.inner {
            Inner::Sqlite(connection) => query::sqlite::execute(connection, statement).await,
            Inner::Postgres(connection) => query::postgres::execute(connection, statement).await,
        };
        done.map(drop).map_err(|e| self.db.error(e))
    }

    pub async fn fetch_all(&mut self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        let statement = Statement::of(sql)?;
        let rows = match &mut self.inner {
            Inner::Sqlite(connection) => query::sqlite::fetch_all(connection, statement).await,
            Inner::Postgres(connection) => query::postgres::fetch_all(connection, statement).await,
        };
        rows.map_err(|e| self.db.error(e))
    }

    /// All tables but the ledger of migrations, by name.
    pub async fn tables(&mut self) -> Result<Vec<Table>, StoreError> {
        let dialect = self.db.dialect();
        let columns = self.fetch_all(catalogue::columns(dialect)).await?;
        let counters = self.fetch_all(catalogue::counters(dialect)).await?;
        catalogue::read(&columns, &counters)
    }

    pub async fn count(&mut self, table: &Table) -> Result<u64, StoreError> {
        let mut rows = 0;
        let text = format!("SELECT COUNT(*) AS n FROM {}", quoted(&table.name)?);
        let statement = Statement { text, values: Vec::new() };
        let found = match &mut self.inner {
            Inner::Sqlite(connection) => query::sqlite::fetch_all(connection, statement).await,
            Inner::Postgres(connection) => query::postgres::fetch_all(connection, statement).await,
        };
        for row in found.map_err(|e| self.db.error(e))? {
            rows = u64::try_from(row.i64("n")?).unwrap_or(0);
        }
        Ok(rows)
    }

    /// Gives every row, one after the other, never all at once; the order is the database's own.
    pub async fn each_row<E: From<StoreError>>(
        &mut self,
        table: &Table,
        mut each: impl FnMut(Vec<Value>) -> Result<(), E>,
    ) -> Result<(), E> {
        let text = format!("SELECT {} FROM {}", columns(table)?, quoted(&table.name)?);
        let (db, kinds) = (&self.db, &table.columns);
        let failed = |error| E::from(db.error(error));
        match &mut self.inner {
            Inner::Sqlite(connection) => {
                let mut rows = sqlx::query(AssertSqlSafe(text)).fetch(&mut **connection);
                while let Some(row) = rows.try_next().await.map_err(failed)? {
                    let values = kinds.iter().enumerate().map(|(n, c)| of_sqlite(&row, n, c.kind));
                    each(values.collect::<Result<_, _>>().map_err(failed)?)?;
                }
            }
            Inner::Postgres(connection) => {
                let mut rows = sqlx::query(AssertSqlSafe(text)).fetch(connection);
                while let Some(row) = rows.try_next().await.map_err(failed)? {
                    let values =
                        kinds.iter().enumerate().map(|(n, c)| of_postgres(&row, n, c.kind));
                    each(values.collect::<Result<_, _>>().map_err(failed)?)?;
                }
            }
        }
        Ok(())
    }

    /// Lets go of what was held still.
    pub async fn close(mut self) -> Result<(), StoreError> {
        self.execute(Sql::new("ROLLBACK")).await?;
        match self.inner {
            Inner::Sqlite(_) => Ok(()),
            Inner::Postgres(connection) => connection.close().await.map_err(|e| self.db.error(e)),
        }
    }
}

macro_rules! values {
    ($name:ident, $row:ty) => {
        fn $name(row: &$row, column: usize, kind: Kind) -> Result<Value, sqlx::Error> {
            Ok(match kind {
                Kind::Integer => Value::from(row.try_get::<Option<i64>, _>(column)?),
                Kind::Float => Value::from(row.try_get::<Option<f64>, _>(column)?),
                Kind::Text => Value::from(row.try_get::<Option<String>, _>(column)?),
                Kind::Bytes => Value::from(row.try_get::<Option<Vec<u8>>, _>(column)?),
            })
        }
    };
}

values!(of_sqlite, SqliteRow);
values!(of_postgres, PgRow);

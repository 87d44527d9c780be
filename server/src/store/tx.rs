//! One write: all of it or nothing. Dropped without [`Tx::commit`], it is rolled back.
//!
//! No network await in between: on SQLite everybody waits for it. A failed statement, or one whose answer was
//! not waited for, ends it: what follows is refused, and so is the commit.

use app::time::Micros;
use sqlx::{Postgres, Sqlite, Transaction};

use super::{
    Db, Dialect, Row, Sql, StoreError,
    connect::Engine,
    faults::under,
    query::{self, Statement},
};
use crate::{
    journal::{self, AuditRow},
    vault::ChainKeys,
};

pub struct Tx {
    inner: Inner,
    db: Db,
    failed: bool,
    news: bool,
    now: Option<Micros>,
}

enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    pub(super) async fn begin(db: &Db) -> Result<Self, StoreError> {
        let begin = db.dialect().begin();
        let asked_at = db.0.clock.monotonic();
        let inner = under(db, async {
            match &db.0.engine {
                Engine::Sqlite { writer, .. } => writer.begin_with(begin).await.map(Inner::Sqlite),
                Engine::Postgres { writers, .. } => {
                    writers.begin_with(begin).await.map(Inner::Postgres)
                }
            }
            .map_err(|e| db.error(e))
        })
        .await;
        db.0.waits.waited_to_write(db.0.clock.monotonic().saturating_sub(asked_at));
        let inner = inner?;
        Ok(Self { inner, db: db.clone(), failed: false, news: false, now: None })
    }

    pub fn dialect(&self) -> Dialect {
        self.db.dialect()
    }

    /// What audit rows are chained with.
    pub(crate) fn chain(&self) -> Option<&ChainKeys> {
        self.db.chain()
    }

    /// How many rows the statement changed.
    pub async fn execute(&mut self, sql: Sql) -> Result<u64, StoreError> {
        self.enter()?;
        self.entered(Statement::of(sql)?).await
    }

    pub(super) async fn run_statement(&mut self, statement: Statement) -> Result<u64, StoreError> {
        self.enter()?;
        self.entered(statement).await
    }

    async fn entered(&mut self, statement: Statement) -> Result<u64, StoreError> {
        let inner = &mut self.inner;
        let done = under(&self.db, async {
            match inner {
                Inner::Sqlite(tx) => query::sqlite::execute(tx, statement).await,
                Inner::Postgres(tx) => query::postgres::execute(tx, statement).await,
            }
            .map_err(|e| self.db.error(e))
        })
        .await?;
        self.failed = false;
        Ok(done)
    }

    /// The rows of a SELECT, or of a statement with RETURNING.
    pub async fn fetch_all(&mut self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        self.enter()?;
        let statement = Statement::of(sql)?;
        let inner = &mut self.inner;
        let rows = under(&self.db, async {
            match inner {
                Inner::Sqlite(tx) => query::sqlite::fetch_all(tx, statement).await,
                Inner::Postgres(tx) => query::postgres::fetch_all(tx, statement).await,
            }
            .map_err(|e| self.db.error(e))
        })
        .await?;
        self.failed = false;
        Ok(rows)
    }

    /// The first row, if there is one.
    pub async fn fetch_optional(&mut self, sql: Sql) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch_all(sql).await?.into_iter().next())
    }

    /// A missing row is an answer, not a failed statement: the transaction goes on if the caller does.
    pub async fn fetch_one(&mut self, sql: Sql) -> Result<Row, StoreError> {
        self.fetch_optional(sql).await?.ok_or(StoreError::NoRow)
    }

    /// The time of this transaction by the database's clock, the same for all that it writes.
    pub async fn now(&mut self) -> Result<Micros, StoreError> {
        if let Some(now) = self.now {
            return Ok(now);
        }
        let clock = &self.db.0.clock;
        let now = if self.dialect() == Dialect::Sqlite {
            clock.now()
        } else if let Some(held) = clock.held() {
            held
        } else {
            let sql = Sql::new("SELECT ").push(self.dialect().now()).push(" AS now");
            self.fetch_one(sql).await?.micros("now")?
        };
        self.now = Some(now);
        Ok(now)
    }

    /// Appends the audit rows, last of all so that others wait for the chain as briefly as can be, commits, and
    /// wakes the event sequencer when there is news.
    pub async fn commit(mut self, audit: Vec<AuditRow>) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Aborted);
        }
        if !audit.is_empty() {
            journal::append(&mut self, audit).await?;
        }
        let Self { inner, db, news, .. } = self;
        under(&db, async {
            match inner {
                Inner::Sqlite(tx) => tx.commit().await,
                Inner::Postgres(tx) => tx.commit().await,
            }
            .map_err(|e| db.error(e))
        })
        .await
        .map_err(StoreError::of_commit)?;
        if news {
            db.0.news.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    /// Says that this transaction put news into the outbox.
    pub(crate) fn has_news(&mut self) {
        self.news = true;
    }

    /// Runs a text of several statements: migrations.
    pub(super) async fn script(&mut self, text: &'static str) -> Result<(), StoreError> {
        self.enter()?;
        let done = match &mut self.inner {
            Inner::Sqlite(tx) => sqlx::raw_sql(text).execute(&mut **tx).await.map(|_| ()),
            Inner::Postgres(tx) => sqlx::raw_sql(text).execute(&mut **tx).await.map(|_| ()),
        };
        done.map_err(|e| self.db.error(e))?;
        self.failed = false;
        Ok(())
    }

    /// Counts as failed until the answer has come, so that a statement dropped halfway ends the transaction too.
    fn enter(&mut self) -> Result<(), StoreError> {
        if std::mem::replace(&mut self.failed, true) {
            return Err(StoreError::Aborted);
        }
        Ok(())
    }
}

//! Hearing what another replica committed: LISTEN and NOTIFY on Postgres, silence on SQLite.
//!
//! A hint, never the news itself: what is missed while a connection is down is found by the next poll.

use sqlx::postgres::PgListener;

use super::{Db, Dialect, Sql, StoreError, Tx, connect::Engine};

/// Hears one channel.
pub struct Listener {
    db: Db,
    inner: Option<PgListener>,
}

impl Db {
    pub async fn listen(&self, channel: &'static str) -> Result<Listener, StoreError> {
        let inner = match &self.0.engine {
            Engine::Sqlite { .. } => None,
            Engine::Postgres { readers, .. } => {
                let mut listener =
                    PgListener::connect_with(readers).await.map_err(|e| self.error(e))?;
                listener.listen(channel).await.map_err(|e| self.error(e))?;
                Some(listener)
            }
        };
        Ok(Listener { db: self.clone(), inner })
    }
}

impl Listener {
    /// Returns when somebody called, or when calls may have been missed. Never returns on SQLite.
    pub async fn heard(&mut self) -> Result<(), StoreError> {
        match &mut self.inner {
            None => std::future::pending().await,
            Some(listener) => listener.try_recv().await.map(|_| ()).map_err(|e| self.db.error(e)),
        }
    }
}

impl Tx {
    /// Calls the other replicas when this transaction commits. Once per batch: each such commit waits for the
    /// one before it.
    pub async fn notify(&mut self, channel: &'static str) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Postgres {
            self.fetch_all(Sql::new("SELECT pg_notify(").arg(channel).push(", '')")).await?;
        }
        Ok(())
    }
}

//! The epoch of identity, watched: whoever holds a stream open learns within seconds that rights have changed.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::store;
use crate::store::{Db, StoreError};

/// How often it is looked at. Changes must be felt on open streams within 5 s.
const EVERY: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub struct Epochs {
    db: Db,
    now: Arc<watch::Sender<i64>>,
}

impl Epochs {
    pub fn new(db: Db) -> Self {
        Self { db, now: Arc::new(watch::Sender::new(0)) }
    }

    /// Changes whenever rights may have changed.
    pub fn watch(&self) -> watch::Receiver<i64> {
        self.now.subscribe()
    }

    pub async fn look(&self) -> Result<(), StoreError> {
        let epoch = store::epoch(&self.db).await?;
        self.now.send_if_modified(|known| std::mem::replace(known, epoch) != epoch);
        Ok(())
    }

    pub async fn run(&self, stop: CancellationToken) -> Result<(), StoreError> {
        loop {
            self.look().await?;
            crate::tasks::beat();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.db.clock().sleep(EVERY) => {}
            }
        }
    }
}

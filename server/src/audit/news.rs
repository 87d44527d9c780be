//! Tells open pages that the log has grown: at most once in two seconds for each workspace, however much is written.
//!
//! Not by each row's own transaction: everybody's audit rows wait for one another already, and a busy log would
//! push all other news out of the replay window.

use std::time::Duration;

use app::identity::Capability;
use tokio_util::sync::CancellationToken;

use super::store::entries;
use crate::{
    clock::Clock,
    journal::events::{News, publish},
    store::{Db, StoreError},
    tasks,
};

const EVERY: Duration = Duration::from_secs(2);
/// After a long silence (a restore, a console that was read-only) only the newest rows are looked at.
const LOOK: i64 = 10_000;

pub struct AuditNews {
    db: Db,
    clock: Clock,
}

impl AuditNews {
    pub fn new(db: Db) -> Self {
        let clock = db.clock().clone();
        Self { db, clock }
    }

    /// Until told to stop. A store that does not answer ends it; it is started again.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), StoreError> {
        loop {
            self.tell().await?;
            tasks::beat();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.clock.sleep(EVERY) => {}
            }
        }
    }

    /// Says whether there was anything to tell.
    pub async fn tell(&self) -> Result<bool, StoreError> {
        let (head, told) = entries::told(&self.db).await?;
        if head <= told {
            return Ok(false);
        }
        let mut tx = self.db.begin().await?;
        let told = entries::lock_told(&mut tx).await?;
        if head <= told {
            // Another replica was first.
            return Ok(false);
        }
        for workspace_id in entries::workspaces(&mut tx, told.max(head - LOOK), head).await? {
            let news = News {
                topic: app::events::AUDIT,
                kind: "AUDIT_APPENDED",
                id: head.to_string(),
                capability: Capability::AuditView,
                workspace_id,
            };
            publish(&mut tx, news).await?;
        }
        entries::set_told(&mut tx, head).await?;
        tx.commit(Vec::new()).await?;
        Ok(true)
    }
}

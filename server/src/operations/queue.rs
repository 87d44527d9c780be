//! Queues a run within somebody else's transaction: a change and the operation that follows from it are there together
//! or not at all.
//!
//! For domains that change something on behalf of a caller whose right they have checked. Must not check rights again,
//! and must not look at what the run is for.

use std::sync::Arc;

use app::identity::Caller;
use serde_json::Value;
use tokio::sync::Notify;

use super::{
    spec::Spec,
    store::{self, NewRun},
    timer::start_audit,
};
use crate::{
    journal::AuditRow,
    store::{StoreError, Tx},
};

/// Where workers hear that there is something to do. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Queue(pub(super) Arc<Notify>);

/// A run that follows from a change.
pub struct Following<'a> {
    pub spec: &'a Spec,
    pub workspace_id: i64,
    pub tenant_id: Option<i64>,
    /// `cluster:…`
    pub target: &'a str,
    /// What people call it.
    pub label: &'a str,
    pub input: &'a Value,
}

/// A run that is queued once the transaction is committed.
pub struct Queued {
    pub id: i64,
    /// Goes into the same transaction's commit.
    pub audit: AuditRow,
}

impl Queue {
    pub async fn put(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        run: Following<'_>,
    ) -> Result<Queued, StoreError> {
        let now = tx.now().await?;
        let new = NewRun {
            workspace_id: run.workspace_id,
            tenant_id: run.tenant_id,
            kind: run.spec.kind,
            queue: run.spec.queue,
            input_version: run.spec.input_version,
            initiator_kind: caller.kind.as_str(),
            initiator_id: Some(&caller.id),
            initiator_name: Some(&caller.name),
            target: Some(run.target),
            target_label: Some(run.label),
            priority: 0,
            input: run.input,
            scheduled_at: now,
            created_at: now,
            key: None,
            parent: None,
        };
        // Only a key could be in the way, and there is none.
        let id = store::insert(tx, &new).await?.ok_or(StoreError::NoRow)?;
        Ok(Queued { id, audit: start_audit(caller, run.spec, id, run.workspace_id) })
    }

    /// After the commit: somebody takes it up at once.
    pub fn ring(&self) {
        self.0.notify_one();
    }
}

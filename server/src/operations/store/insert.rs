//! How a run comes into being: queued, with its words for the search, and once per key.

use app::time::Micros;
use serde_json::Value;

use super::publish;
use crate::store::{self, Sql, StoreError, Tx};

/// A run that is about to be queued.
pub struct NewRun<'a> {
    pub workspace_id: i64,
    pub tenant_id: Option<i64>,
    pub kind: &'a str,
    pub queue: &'a str,
    pub input_version: i64,
    pub initiator_kind: &'a str,
    pub initiator_id: Option<&'a str>,
    pub initiator_name: Option<&'a str>,
    pub target: Option<&'a str>,
    /// What people call it.
    pub target_label: Option<&'a str>,
    pub priority: i64,
    pub input: &'a Value,
    pub scheduled_at: Micros,
    pub created_at: Micros,
    pub key: Option<Key<'a>>,
    /// The run that this one tries again.
    pub parent: Option<Parent>,
}

/// Where a retry comes from.
#[derive(Clone, Copy, Debug)]
pub struct Parent {
    pub run_id: i64,
    /// The first run of the chain.
    pub root_run_id: i64,
}

/// An `Idempotency-Key`, and what the request that bears it says.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    pub key: &'a str,
    pub request_hash: &'a str,
}

/// Queues a run. `None` when its key was used before.
pub async fn insert(tx: &mut Tx, new: &NewRun<'_>) -> Result<Option<i64>, StoreError> {
    let searched = [new.target, new.target_label, new.initiator_name]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    let sql = Sql::new(
        "INSERT INTO operation_runs (workspace_id, tenant_id, type, status, outcome, initiator_kind, \
         initiator_id, initiator_name, target, target_label, queue, priority, input, input_version, context, \
         scheduled_at, attempt, idempotency_key, request_hash, retry_of_run_id, \
         root_run_id, search_text, created_at) VALUES ",
    )
    .list([
        store::Value::from(new.workspace_id),
        new.tenant_id.into(),
        new.kind.into(),
        "queued".into(),
        "pending".into(),
        new.initiator_kind.into(),
        new.initiator_id.into(),
        new.initiator_name.into(),
        new.target.into(),
        new.target_label.into(),
        new.queue.into(),
        new.priority.into(),
        new.input.to_string().into(),
        new.input_version.into(),
        "{}".into(),
        new.scheduled_at.into(),
        0_i64.into(),
        new.key.map(|key| key.key).into(),
        new.key.map(|key| key.request_hash).into(),
        new.parent.map(|parent| parent.run_id).into(),
        new.parent.map(|parent| parent.root_run_id).into(),
        searched.join("\n").to_lowercase().into(),
        new.created_at.into(),
    ])
    .push(" ON CONFLICT DO NOTHING RETURNING id");
    let Some(row) = tx.fetch_optional(sql).await? else { return Ok(None) };
    let id = row.i64("id")?;
    publish(tx, id, new.workspace_id).await?;
    Ok(Some(id))
}

/// The run that this caller's key gave before, and the hash of the request that came with it.
pub async fn find_by_key(
    tx: &mut Tx,
    initiator_kind: &str,
    initiator_id: &str,
    key: &str,
) -> Result<Option<(i64, Option<String>)>, StoreError> {
    let sql = Sql::new("SELECT id, request_hash FROM operation_runs WHERE initiator_kind = ")
        .arg(initiator_kind)
        .push(" AND initiator_id = ")
        .arg(initiator_id)
        .push(" AND idempotency_key IS NOT NULL AND idempotency_key = ")
        .arg(key);
    let Some(row) = tx.fetch_optional(sql).await? else { return Ok(None) };
    Ok(Some((row.i64("id")?, row.opt_text("request_hash")?)))
}

//! Triage in the store: each change says in its WHERE what it expects to find, so that a run which moved on in the
//! meantime stays as it is.

use app::{identity::Caller, operations::triage::Seen, time::Micros};

use super::{super::timing, Parent, ending::end, publish, read_json, work::Ending};
use crate::store::{Db, Sql, StoreError, Tx};

/// What a decision about a run needs to know of it.
#[derive(Clone, Debug)]
pub struct Subject {
    pub id: i64,
    pub workspace_id: i64,
    pub tenant_id: Option<i64>,
    pub kind: String,
    pub seen: Seen,
    pub target: Option<String>,
    pub target_label: Option<String>,
    pub priority: i64,
    pub input: serde_json::Value,
    pub root_run_id: i64,
    pub cancel_requested_at: Option<Micros>,
}

/// The run, if it is there at all.
pub async fn subject(db: &Db, id: i64) -> Result<Option<Subject>, StoreError> {
    let sql = Sql::new(
        "SELECT id, workspace_id, tenant_id, type, status, outcome, attempt, target, target_label, priority, input, \
         root_run_id, cancel_requested_at FROM operation_runs WHERE id = ",
    )
    .arg(id);
    let Some(row) = db.fetch_optional(sql).await? else { return Ok(None) };
    Ok(Some(Subject {
        id,
        workspace_id: row.i64("workspace_id")?,
        tenant_id: row.opt_i64("tenant_id")?,
        kind: row.text("type")?,
        seen: Seen {
            status: row.word("status")?,
            outcome: row.word("outcome")?,
            attempt: row.i64("attempt")?,
        },
        target: row.opt_text("target")?,
        target_label: row.opt_text("target_label")?,
        priority: row.i64("priority")?,
        input: read_json(&row, "input")?,
        root_run_id: row.opt_i64("root_run_id")?.unwrap_or(id),
        cancel_requested_at: row.opt_micros("cancel_requested_at")?,
    }))
}

impl Subject {
    pub fn as_parent(&self) -> Parent {
        Parent { run_id: self.id, root_run_id: self.root_run_id }
    }
}

/// The retry of this run, if there is one.
pub async fn child(tx: &mut Tx, id: i64) -> Result<Option<i64>, StoreError> {
    tx.fetch_optional(child_of(id)).await?.map(|row| row.i64("id")).transpose()
}

fn child_of(id: i64) -> Sql {
    Sql::new(
        "SELECT id FROM operation_runs WHERE retry_of_run_id IS NOT NULL AND retry_of_run_id = ",
    )
    .arg(id)
}

/// The newest run of a chain of retries, if this run was tried again at all.
pub async fn newest_retry(db: &Db, subject: &Subject) -> Result<Option<i64>, StoreError> {
    if db.fetch_optional(child_of(subject.id)).await?.is_none() {
        return Ok(None);
    }
    let sql =
        Sql::new("SELECT id FROM operation_runs WHERE root_run_id IS NOT NULL AND root_run_id = ")
            .arg(subject.root_run_id)
            .push(" ORDER BY id DESC LIMIT 1");
    db.fetch_optional(sql).await?.map(|row| row.i64("id")).transpose()
}

/// The same for a run that one only looks at.
pub async fn newest_of(db: &Db, id: i64) -> Result<Option<i64>, StoreError> {
    match subject(db, id).await? {
        Some(subject) => newest_retry(db, &subject).await,
        None => Ok(None),
    }
}

fn by(caller: &Caller, now: Micros) -> Sql {
    Sql::new("UPDATE operation_runs SET cancel_requested_at = ")
        .arg(now)
        .push(", cancel_requested_by = ")
        .arg(&caller.name)
        .push(", cancel_requested_by_id = ")
        .arg(&caller.id)
}

fn as_seen(sql: Sql, id: i64, seen: &Seen) -> Sql {
    sql.push(" WHERE id = ")
        .arg(id)
        .push(" AND status = ")
        .arg(seen.status.as_str())
        .push(" AND outcome = ")
        .arg(seen.outcome.as_str())
        .push(" AND attempt = ")
        .arg(seen.attempt)
}

/// Ends a run that nobody works on. False when that is no longer so.
pub async fn cancel_queued(
    tx: &mut Tx,
    run: &Subject,
    caller: &Caller,
    now: Micros,
) -> Result<bool, StoreError> {
    if tx.execute(as_seen(by(caller, now), run.id, &run.seen)).await? == 0 {
        return Ok(false);
    }
    end(tx, run.id, &Ending::Cancelled, now).await?;
    Ok(true)
}

/// How a request to end a run that is worked on went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requested {
    /// Its worker will hear of it.
    Asked,
    /// Its worker was gone already, so it has ended.
    Ended,
    /// It is not as it was seen.
    Moved,
}

/// Waits for whoever writes about a run, and keeps them out: in the order in which workers take the two rows, lease
/// then run, so that nobody waits for the other.
async fn hold_lease(tx: &mut Tx, run_id: i64) -> Result<(), StoreError> {
    let sql = Sql::new("UPDATE operation_leases SET expires_at = expires_at WHERE run_id = ");
    tx.execute(sql.arg(run_id)).await.map(drop)
}

/// Asks the worker to end a run; ends it when its lease has lapsed and nobody is left to ask.
pub async fn cancel_running(
    tx: &mut Tx,
    run: &Subject,
    caller: &Caller,
    now: Micros,
) -> Result<Requested, StoreError> {
    hold_lease(tx, run.id).await?;
    let sql = as_seen(by(caller, now), run.id, &run.seen).push(" AND cancel_requested_at IS NULL");
    if tx.execute(sql).await? == 0 {
        return Ok(Requested::Moved);
    }
    let lapsed = Sql::new("SELECT run_id FROM operation_leases WHERE run_id = ")
        .arg(run.id)
        .push(" AND expires_at < ")
        .arg(now);
    if tx.fetch_optional(lapsed).await?.is_some() {
        end(tx, run.id, &Ending::Cancelled, now).await?;
        return Ok(Requested::Ended);
    }
    publish(tx, run.id, run.workspace_id).await?;
    Ok(Requested::Asked)
}

/// Ends a run whose worker has not followed the request for a minute: its lease goes, and with it the right to write.
pub async fn end_anyway(tx: &mut Tx, run: &Subject, now: Micros) -> Result<bool, StoreError> {
    let asked_before = now.plus(-timing::micros(timing::CANCEL_IGNORED));
    hold_lease(tx, run.id).await?;
    let sql = Sql::new("UPDATE operation_runs SET status = 'running'");
    let sql = as_seen(sql, run.id, &run.seen)
        .push(" AND cancel_requested_at IS NOT NULL AND cancel_requested_at <= ")
        .arg(asked_before);
    if tx.execute(sql).await? == 0 {
        return Ok(false);
    }
    end(tx, run.id, &Ending::Cancelled, now).await?;
    Ok(true)
}

/// Notes that somebody looked into it. False when the run is not as it was seen.
pub async fn investigate(
    tx: &mut Tx,
    run: &Subject,
    caller: &Caller,
    reason: &str,
    now: Micros,
) -> Result<bool, StoreError> {
    let sql = Sql::new("UPDATE operation_runs SET open_work = 0, investigated_at = ")
        .arg(now)
        .push(", investigated_by = ")
        .arg(&caller.name)
        .push(", investigated_by_id = ")
        .arg(&caller.id)
        .push(", investigated_reason = ")
        .arg(reason);
    if tx.execute(as_seen(sql, run.id, &run.seen)).await? == 0 {
        return Ok(false);
    }
    publish(tx, run.id, run.workspace_id).await?;
    Ok(true)
}

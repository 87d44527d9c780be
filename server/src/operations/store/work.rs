//! What a worker writes about the run that it holds.
//!
//! Each write confirms the lease first, in the same transaction. That row is the fence: taking a run away
//! removes it, so the two can only happen one after the other, and who comes second finds nothing.

use app::{
    operations::{log::Level, model::StepStatus},
    time::Micros,
};

use super::{super::timing, ending::end, publish, publish_lines};
use crate::{
    journal::AuditRow,
    store::{self, Db, Sql, StoreError, Tx},
};

/// The right to write about one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub run_id: i64,
    pub workspace_id: i64,
    /// Made anew for each claim: the fencing token.
    pub token: String,
}

/// A step as it stands in the store.
#[derive(Clone, Debug)]
pub struct StepRow {
    pub position: i64,
    pub name: String,
    pub status: StepStatus,
    pub detail: Option<String>,
    pub result: Option<String>,
}

pub struct StepEnd<'a> {
    pub name: &'a str,
    pub status: StepStatus,
    pub detail: Option<&'a str>,
    pub result: Option<&'a str>,
}

/// A line of the log that is about to be written.
pub struct Line<'a> {
    pub number: i64,
    pub level: Level,
    pub text: &'a str,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Ending {
    Succeeded,
    Failed(Failed),
    /// A person asked for its end, and it followed or nobody was left who could.
    Cancelled,
}

#[derive(Clone, Debug)]
pub struct Failed {
    pub code: String,
    pub summary: String,
    pub fingerprint: String,
}

/// Confirms the lease within a transaction. `None` when it is no longer this worker's.
async fn guard(tx: &mut Tx, lease: &Lease) -> Result<Option<Micros>, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE operation_leases SET heartbeat_at = ")
        .arg(now)
        .push(", expires_at = ")
        .arg(now.plus(timing::micros(timing::LEASE)))
        .push(" WHERE run_id = ")
        .arg(lease.run_id)
        .push(" AND token = ")
        .arg(&lease.token);
    Ok((tx.execute(sql).await? == 1).then_some(now))
}

/// What a look at a run tells its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    GoOn,
    /// A person asked for the end of the run.
    Cancel,
    /// The lease is another's, or nobody's.
    Lost,
}

/// Looks, without renewing anything, whether a run is still this worker's and still wanted.
pub async fn watch(db: &Db, lease: &Lease) -> Result<Watch, StoreError> {
    let sql = Sql::new(
        "SELECT r.cancel_requested_at FROM operation_leases l JOIN operation_runs r ON r.id = l.run_id \
         WHERE l.run_id = ",
    )
    .arg(lease.run_id)
    .push(" AND l.token = ")
    .arg(&lease.token);
    let Some(row) = db.fetch_optional(sql).await? else { return Ok(Watch::Lost) };
    let asked = row.opt_micros("cancel_requested_at")?.is_some();
    Ok(if asked { Watch::Cancel } else { Watch::GoOn })
}

/// Renews the lease. `None` when it is lost, else whether a person asked for the end of the run.
pub async fn beat(db: &Db, lease: &Lease) -> Result<Option<bool>, StoreError> {
    let mut tx = db.begin().await?;
    if guard(&mut tx, lease).await?.is_none() {
        return Ok(None);
    }
    let sql =
        Sql::new("SELECT cancel_requested_at FROM operation_runs WHERE id = ").arg(lease.run_id);
    let cancel = tx.fetch_one(sql).await?.opt_micros("cancel_requested_at")?.is_some();
    tx.commit(Vec::new()).await?;
    Ok(Some(cancel))
}

/// Writes that a step begins: a new one, or one that an earlier attempt left unfinished. False: lease lost.
pub async fn begin_step(
    db: &Db,
    lease: &Lease,
    position: i64,
    name: &str,
    label: &str,
) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let Some(now) = guard(&mut tx, lease).await? else { return Ok(false) };
    let sql = Sql::new("INSERT INTO operation_steps (run_id, position, name, label, status, started_at) VALUES ")
        .list([
            store::Value::from(lease.run_id),
            position.into(),
            name.into(),
            label.into(),
            StepStatus::Running.as_str().into(),
            now.into(),
        ])
        .push(" ON CONFLICT (run_id, name) DO UPDATE SET started_at = excluded.started_at, status = excluded.status");
    tx.execute(sql).await?;
    tx.commit(Vec::new()).await?;
    Ok(true)
}

/// Writes how a step ended. False: lease lost.
pub async fn end_step(db: &Db, lease: &Lease, end: StepEnd<'_>) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let Some(now) = guard(&mut tx, lease).await? else { return Ok(false) };
    let sql = Sql::new("UPDATE operation_steps SET status = ")
        .arg(end.status.as_str())
        .push(", detail = ")
        .arg(end.detail)
        .push(", result = ")
        .arg(end.result)
        .push(", completed_at = ")
        .arg(now)
        .push(" WHERE run_id = ")
        .arg(lease.run_id)
        .push(" AND name = ")
        .arg(end.name);
    tx.execute(sql).await?;
    publish(&mut tx, lease.run_id, lease.workspace_id).await?;
    tx.commit(Vec::new()).await?;
    Ok(true)
}

/// One line of the log; the same number again is the same line. False: lease lost.
///
/// `tells`: the line's own transaction says that there are new lines, so that news costs no write of its own.
pub async fn log(db: &Db, lease: &Lease, line: &Line<'_>, tells: bool) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let Some(now) = guard(&mut tx, lease).await? else { return Ok(false) };
    let sql = Sql::new("INSERT INTO operation_logs (run_id, seq, at, level, line) VALUES ")
        .list([
            store::Value::from(lease.run_id),
            line.number.into(),
            now.into(),
            line.level.as_str().into(),
            line.text.into(),
        ])
        .push(" ON CONFLICT (run_id, seq) DO NOTHING");
    tx.execute(sql).await?;
    if tells {
        publish_lines(&mut tx, lease.run_id, lease.workspace_id).await?;
    }
    tx.commit(Vec::new()).await?;
    Ok(true)
}

/// How far the work is, in percent, told to open pages. False: lease lost.
pub async fn progress(db: &Db, lease: &Lease, percent: u8) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    if guard(&mut tx, lease).await?.is_none() {
        return Ok(false);
    }
    let sql = Sql::new("UPDATE operation_leases SET progress = ")
        .arg(percent.to_string())
        .push(" WHERE run_id = ")
        .arg(lease.run_id);
    tx.execute(sql).await?;
    publish(&mut tx, lease.run_id, lease.workspace_id).await?;
    tx.commit(Vec::new()).await?;
    Ok(true)
}

/// Says that there are lines which were written in silence. False: lease lost.
pub async fn tell_lines(db: &Db, lease: &Lease) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    if guard(&mut tx, lease).await?.is_none() {
        return Ok(false);
    }
    publish_lines(&mut tx, lease.run_id, lease.workspace_id).await?;
    tx.commit(Vec::new()).await?;
    Ok(true)
}

/// Ends the run. False: lease lost, and nothing was written.
pub async fn finish(
    db: &Db,
    lease: &Lease,
    ending: &Ending,
    audit: AuditRow,
) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let Some(now) = guard(&mut tx, lease).await? else { return Ok(false) };
    end(&mut tx, lease.run_id, ending, now).await?;
    tx.commit(vec![audit]).await?;
    Ok(true)
}

pub(super) async fn drop_lease(tx: &mut Tx, run_id: i64) -> Result<(), StoreError> {
    tx.execute(Sql::new("DELETE FROM operation_leases WHERE run_id = ").arg(run_id)).await?;
    tx.execute(Sql::new("DELETE FROM operation_slots WHERE run_id = ").arg(run_id)).await?;
    Ok(())
}

/// Gives a run back to the queue: the worker stops, it did not fail. False: lease lost.
pub async fn release(db: &Db, lease: &Lease) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let Some(now) = guard(&mut tx, lease).await? else { return Ok(false) };
    let sql =
        Sql::new("SELECT cancel_requested_at FROM operation_runs WHERE id = ").arg(lease.run_id);
    if tx.fetch_one(sql).await?.opt_micros("cancel_requested_at")?.is_some() {
        // Nobody wants it taken up again.
        end(&mut tx, lease.run_id, &Ending::Cancelled, now).await?;
    } else {
        requeue(&mut tx, lease.run_id, lease.workspace_id, 0).await?;
    }
    tx.commit(Vec::new()).await?;
    Ok(true)
}

pub(super) async fn requeue(
    tx: &mut Tx,
    run_id: i64,
    workspace_id: i64,
    lost: i64,
) -> Result<(), StoreError> {
    let now = tx.now().await?;
    tx.execute(
        Sql::new("UPDATE operation_runs SET status = 'queued', queued_at = ")
            .arg(now)
            .push(", losses = losses + ")
            .arg(lost)
            .push(" WHERE id = ")
            .arg(run_id)
            .push(" AND status = 'running'"),
    )
    .await?;
    drop_lease(tx, run_id).await?;
    publish(tx, run_id, workspace_id).await
}

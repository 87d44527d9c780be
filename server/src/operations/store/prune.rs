//! The SQL of retention: what is old enough, and its removal in batches, each a short transaction of its own.
//!
//! Each batch finds and removes in one transaction, so a batch that was cut off did nothing, and the next one begins
//! where it ended.

use app::time::Micros;

use super::publish;
use crate::store::{Db, Sql, StoreError, Tx};

/// Writers wait no longer than for so many rows.
const ROWS: i64 = 1_000;
/// Runs have indexes, steps and lines of their own.
const RUNS: i64 = 100;
/// A count says "at least" beyond it.
pub const COUNTED_MAX: i64 = 100_000;

/// When a run has been kept for long enough.
#[derive(Clone, Copy, Debug)]
pub struct Cutoffs {
    pub succeeded: Micros,
    pub failed: Micros,
}

async fn count(db: &Db, rows: Sql) -> Result<i64, StoreError> {
    let sql = Sql::new("SELECT COUNT(*) AS n FROM (").append(rows).push(" LIMIT ");
    db.fetch_one(sql.arg(COUNTED_MAX).push(") counted")).await?.i64("n")
}

/// Failures that have been open work for too long.
fn stale_work(before: Micros) -> Sql {
    Sql::new("SELECT id, workspace_id FROM operation_runs WHERE open_work = 1 AND status = 'completed' AND completed_at < ")
        .arg(before)
}

pub async fn count_stale_work(db: &Db, before: Micros) -> Result<i64, StoreError> {
    count(db, stale_work(before)).await
}

/// Takes a batch of them off the open work, and says so to open pages. 0: nothing is left.
pub async fn expire_work(db: &Db, before: Micros) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let now = tx.now().await?;
    let sql = stale_work(before).push(" ORDER BY id LIMIT ").arg(RUNS);
    let stale = tx.fetch_all(sql.push(db.dialect().claim_lock())).await?;
    let mut expired = 0;
    for row in &stale {
        let (id, workspace_id) = (row.i64("id")?, row.i64("workspace_id")?);
        let sql = Sql::new("UPDATE operation_runs SET open_work = 0, open_work_expired_at = ")
            .arg(now)
            .push(" WHERE open_work = 1 AND id = ")
            .arg(id);
        expired += tx.execute(sql).await?;
        publish(&mut tx, id, workspace_id).await?;
    }
    tx.commit(Vec::new()).await?;
    Ok(expired)
}

/// Runs beyond `after` that have a log and ended before `before`, oldest first, at most a batch; none when the walk has
/// come to runs that are younger. Lines have no index by time, but runs are numbered in their order.
pub async fn logs_to_prune(
    db: &Db,
    after: i64,
    before: Micros,
) -> Result<Option<LogBatch>, StoreError> {
    let sql = Sql::new(
        "SELECT r.id AS id, r.created_at AS created_at, CASE WHEN r.status = 'completed' AND r.completed_at < ",
    )
    .arg(before)
    .push(" THEN 1 ELSE 0 END AS old FROM (SELECT DISTINCT run_id FROM operation_logs WHERE run_id > ")
    .arg(after)
    .push(" ORDER BY run_id LIMIT ")
    .arg(RUNS)
    .push(") l JOIN operation_runs r ON r.id = l.run_id ORDER BY r.id");
    let rows = db.fetch_all(sql).await?;
    let mut batch = LogBatch { last: after, runs: Vec::new() };
    for row in &rows {
        if row.micros("created_at")? >= before {
            break;
        }
        batch.last = row.i64("id")?;
        if row.bool("old")? {
            batch.runs.push(batch.last);
        }
    }
    Ok((batch.last > after).then_some(batch))
}

pub struct LogBatch {
    /// Where the next batch begins.
    pub last: i64,
    pub runs: Vec<i64>,
}

pub async fn count_lines(db: &Db, runs: &[i64]) -> Result<i64, StoreError> {
    count(db, lines(runs)).await
}

fn lines(runs: &[i64]) -> Sql {
    Sql::new("SELECT run_id, seq FROM operation_logs WHERE run_id IN ").list(runs.iter().copied())
}

/// Removes a batch of the lines of these runs. 0: none is left.
pub async fn prune_lines(db: &Db, runs: &[i64]) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let gone = delete_lines(&mut tx, runs).await?;
    tx.commit(Vec::new()).await?;
    Ok(gone)
}

async fn delete_lines(tx: &mut Tx, runs: &[i64]) -> Result<u64, StoreError> {
    let sql = Sql::new("DELETE FROM operation_logs WHERE (run_id, seq) IN (").append(lines(runs));
    tx.execute(sql.push(" LIMIT ").arg(ROWS).push(")")).await
}

/// Runs that ended long enough ago and whose chain of retries is at rest.
fn old_runs(cutoffs: Cutoffs) -> Sql {
    Sql::new("SELECT r.id FROM operation_runs r WHERE r.status = 'completed' AND r.completed_at < ")
        .arg(cutoffs.succeeded.max(cutoffs.failed))
        .push(" AND r.completed_at < CASE r.outcome WHEN 'failed' THEN ")
        .arg(cutoffs.failed)
        .push(" ELSE ")
        .arg(cutoffs.succeeded)
        .push(
            " END AND NOT EXISTS (SELECT 1 FROM operation_runs c WHERE c.retry_of_run_id = r.id \
             AND c.status <> 'completed') AND NOT EXISTS (SELECT 1 FROM operation_runs d \
             WHERE d.root_run_id = COALESCE(r.root_run_id, r.id) AND d.status <> 'completed')",
        )
}

pub async fn count_runs(db: &Db, cutoffs: Cutoffs) -> Result<i64, StoreError> {
    count(db, old_runs(cutoffs)).await
}

/// Removes a batch of them with all that belongs to them. `None`: nothing is left. Their lines go first, so that one
/// long log is not one long transaction; such a batch may remove no run yet.
pub async fn prune_runs(db: &Db, cutoffs: Cutoffs) -> Result<Option<u64>, StoreError> {
    let oldest = |sql: Sql| sql.push(" ORDER BY r.completed_at LIMIT ").arg(RUNS);
    let found = db.fetch_all(oldest(old_runs(cutoffs))).await?;
    let ids: Vec<i64> = found.iter().map(|row| row.i64("id")).collect::<Result<_, _>>()?;
    if ids.is_empty() {
        return Ok(None);
    }
    while prune_lines(db, &ids).await? > 0 {}
    let mut tx = db.begin().await?;
    // Held first: a retry that is being made of one of them holds it too, and then it is left alone.
    let sql = Sql::new("SELECT id FROM operation_runs WHERE id IN ").list(ids);
    let held = tx.fetch_all(sql.push(" ORDER BY id").push(db.dialect().claim_lock())).await?;
    let held: Vec<i64> = held.iter().map(|row| row.i64("id")).collect::<Result<_, _>>()?;
    let sql = Sql::new("DELETE FROM operation_runs WHERE id IN (")
        .append(old_runs(cutoffs))
        .push(" AND r.id IN ")
        .list(held)
        .push(")");
    let gone = tx.execute(sql).await?;
    tx.commit(Vec::new()).await?;
    // What is held by others now is looked at in an hour.
    Ok((gone > 0).then_some(gone))
}

fn empty_groups() -> Sql {
    Sql::new(
        "SELECT g.workspace_id, g.fingerprint FROM operation_failure_groups g \
         WHERE NOT EXISTS (SELECT 1 FROM operation_runs r WHERE r.id = g.last_run_id)",
    )
}

pub async fn count_groups(db: &Db) -> Result<i64, StoreError> {
    count(db, empty_groups()).await
}

/// Removes a batch of the groups whose newest failure is gone, and with it every other. 0: none is left.
pub async fn prune_groups(db: &Db) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let sql =
        Sql::new("DELETE FROM operation_failure_groups WHERE (workspace_id, fingerprint) IN (");
    let gone = tx.execute(sql.append(empty_groups()).push(" LIMIT ").arg(ROWS).push(")")).await?;
    tx.commit(Vec::new()).await?;
    Ok(gone)
}

//! What the end of a run writes: the run itself, what it means for the runs before it, and the line of its cause.
//!
//! A failure waits for a human (`open_work`) until a success makes it past: one of its own retries, or, for what nobody
//! but the console asked for, the next success that did the same work: of the same schedule, or of the same type on the
//! same target. A retry that fails takes its forerunners' place: of a chain, one run waits.

use app::time::Micros;

use super::{
    super::failure::fingerprint,
    publish,
    work::{Ending, Failed, drop_lease},
};
use crate::store::{self, Row, Sql, StoreError, Tx};

/// A run as its end finds it.
struct Ended {
    id: i64,
    workspace_id: i64,
    kind: String,
    /// The first run of its chain of retries; itself when there is none.
    root: i64,
    is_retry: bool,
    schedule: Option<String>,
    target: Option<String>,
    cancelled_by: Option<String>,
}

/// Ends a run within a transaction that may do so. Who cancelled it is read here, so that a request which came at the
/// last moment counts.
pub async fn end(tx: &mut Tx, run_id: i64, ending: &Ending, now: Micros) -> Result<(), StoreError> {
    let run = complete(tx, run_id, now).await?;
    match ending {
        Ending::Succeeded => {
            set_succeeded(tx, &run).await?;
            supersede(tx, &run).await?;
        }
        Ending::Failed(failed) => fail(tx, &run, failed, now).await?,
        Ending::Cancelled => fail(tx, &run, &cancelled(&run), now).await?,
    }
    tx.execute(
        Sql::new("UPDATE operation_steps SET status = 'failed', completed_at = ")
            .arg(now)
            .push(" WHERE run_id = ")
            .arg(run.id)
            .push(" AND status = 'running'"),
    )
    .await?;
    drop_lease(tx, run.id).await?;
    publish(tx, run.id, run.workspace_id).await
}

async fn complete(tx: &mut Tx, run_id: i64, now: Micros) -> Result<Ended, StoreError> {
    let sql = Sql::new("UPDATE operation_runs SET status = 'completed', completed_at = ")
        .arg(now)
        .push(" WHERE id = ")
        .arg(run_id)
        .push(
            " RETURNING id, workspace_id, type, root_run_id, retry_of_run_id, initiator_kind, \
             initiator_id, target, cancel_requested_at, cancel_requested_by",
        );
    ended(&tx.fetch_one(sql).await?)
}

fn ended(row: &Row) -> Result<Ended, StoreError> {
    let id = row.i64("id")?;
    let by_schedule = row.text("initiator_kind")? == "schedule";
    let asked = row.opt_micros("cancel_requested_at")?.is_some();
    let by = row.opt_text("cancel_requested_by")?;
    Ok(Ended {
        id,
        workspace_id: row.i64("workspace_id")?,
        kind: row.text("type")?,
        root: row.opt_i64("root_run_id")?.unwrap_or(id),
        is_retry: row.opt_i64("retry_of_run_id")?.is_some(),
        schedule: if by_schedule { row.opt_text("initiator_id")? } else { None },
        target: row.opt_text("target")?,
        cancelled_by: asked.then(|| by.unwrap_or_else(|| "somebody".to_owned())),
    })
}

fn cancelled(run: &Ended) -> Failed {
    let summary = match &run.cancelled_by {
        Some(by) => format!("Cancelled by {by}."),
        None => "Cancelled.".to_owned(),
    };
    let fingerprint = fingerprint(&run.kind, "cancelled", "");
    Failed { code: "cancelled".to_owned(), summary, fingerprint }
}

async fn set_succeeded(tx: &mut Tx, run: &Ended) -> Result<(), StoreError> {
    let sql = Sql::new("UPDATE operation_runs SET outcome = 'succeeded' WHERE id = ").arg(run.id);
    tx.execute(sql).await.map(drop)
}

async fn fail(tx: &mut Tx, run: &Ended, failed: &Failed, now: Micros) -> Result<(), StoreError> {
    let waits = i64::from(run.cancelled_by.is_none());
    let sql = Sql::new("UPDATE operation_runs SET outcome = 'failed', open_work = ")
        .arg(waits)
        .push(", error_code = ")
        .arg(&failed.code)
        .push(", error_fingerprint = ")
        .arg(&failed.fingerprint)
        .push(", error_summary = ")
        .arg(&failed.summary)
        .push(", search_text = search_text || ")
        .arg(format!("\n{}", failed.summary.to_lowercase()))
        .push(" WHERE id = ")
        .arg(run.id);
    tx.execute(sql).await?;
    if run.is_retry && waits == 1 {
        let sql = Sql::new("UPDATE operation_runs SET open_work = 0 WHERE open_work = 1 AND id < ")
            .arg(run.id);
        tx.execute(in_chain(sql, run)).await?;
    }
    count(tx, run, failed, now).await
}

fn in_chain(sql: Sql, run: &Ended) -> Sql {
    sql.push(" AND (id = ").arg(run.root).push(" OR root_run_id = ").arg(run.root).push(")")
}

/// Makes the failures past that this success answers.
async fn supersede(tx: &mut Tx, run: &Ended) -> Result<(), StoreError> {
    let superseded = || {
        Sql::new("UPDATE operation_runs SET open_work = 0, superseded_by_run_id = ")
            .arg(run.id)
            .push(" WHERE superseded_by_run_id IS NULL AND id < ")
            .arg(run.id)
    };
    if run.is_retry {
        let failed = superseded().push(" AND outcome = 'failed'");
        tx.execute(in_chain(failed, run)).await?;
    }
    // What is open is little, and is looked through as it is: no index on anything else may be thought better.
    if let Some(schedule) = &run.schedule {
        let sql = superseded()
            .push(" AND open_work = 1 AND initiator_kind = 'schedule' AND initiator_id = ")
            .arg(schedule)
            .push(" AND type || '' = ")
            .arg(&run.kind);
        tx.execute(sql).await?;
    }
    if let Some(target) = &run.target {
        let sql = superseded()
            .push(" AND open_work = 1 AND initiator_kind = 'system' AND target = ")
            .arg(target)
            .push(" AND type || '' = ")
            .arg(&run.kind);
        tx.execute(sql).await?;
    }
    Ok(())
}

/// One failure more of its cause.
async fn count(tx: &mut Tx, run: &Ended, failed: &Failed, now: Micros) -> Result<(), StoreError> {
    let sql = Sql::new(
        "INSERT INTO operation_failure_groups (workspace_id, fingerprint, type, code, summary, \
         failures, first_seen, last_seen, last_run_id) VALUES ",
    )
    .list([
        store::Value::from(run.workspace_id),
        failed.fingerprint.as_str().into(),
        run.kind.as_str().into(),
        failed.code.as_str().into(),
        failed.summary.as_str().into(),
        1_i64.into(),
        now.into(),
        now.into(),
        run.id.into(),
    ])
    .push(
        " ON CONFLICT (workspace_id, fingerprint) DO UPDATE SET \
         failures = operation_failure_groups.failures + 1, summary = excluded.summary, \
         last_seen = excluded.last_seen, last_run_id = excluded.last_run_id",
    );
    tx.execute(sql).await.map(drop)
}

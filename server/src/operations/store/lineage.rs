//! The chain of retries around a run. A chain is known by its first run: that one, and whatever bears its
//! number as root. Two statements, however long the chain is.

use app::{
    identity::Reach,
    operations::lineage::{CHAIN_SHOWN, Lineage, LineageRun},
};

use super::within;
use crate::store::{Db, Row, Sql, StoreError};

const COLUMNS: &str = "SELECT r.id, r.status, r.outcome, r.cancel_requested_at, r.initiator_kind, \
    r.initiator_name, r.retry_of_run_id, r.root_run_id, r.created_at, r.completed_at \
    FROM operation_runs r WHERE r.id IN (";

/// The first run of this one's chain: itself, unless it is a try of another's.
const ROOT: &str = "(SELECT COALESCE(root_run_id, id) FROM operation_runs WHERE id = ";

/// The chain around a run that is within reach.
pub async fn lineage(
    db: &Db,
    reach: &Reach,
    id: i64,
    superseded_by: Option<i64>,
) -> Result<Lineage, StoreError> {
    let (counted, rows) = tokio::try_join!(
        db.fetch_one(counts(reach, id)),
        db.fetch_all(members(reach, id, superseded_by)),
    )?;
    let root = counted.i64("root")?;
    let first = counted.i64("first_kept")?;
    let mut runs = Vec::new();
    let mut superseding = None;
    for row in &rows {
        let run = run(row)?;
        if Some(run.id) == superseded_by {
            superseding = Some(run.clone());
        }
        // What made a failure past may stand outside of its chain.
        if run.id == root || row.opt_i64("root_run_id")? == Some(root) {
            runs.push(run);
        }
    }
    Ok(Lineage {
        runs,
        total: first + counted.i64("tries")?,
        position: first + counted.i64("tries_before")?,
        first_is_gone: first == 0,
        superseded_by: superseding,
    })
}

/// The first run, this one, the newest ones, and what superseded this one.
fn members(reach: &Reach, id: i64, superseded_by: Option<i64>) -> Sql {
    let sql = Sql::new(COLUMNS)
        .push("SELECT CAST(")
        .arg(id)
        .push(" AS BIGINT) UNION SELECT CAST(")
        .arg(superseded_by)
        .push(" AS BIGINT) UNION SELECT ")
        .push(ROOT)
        .arg(id)
        .push(
            ") UNION SELECT id FROM (SELECT id FROM operation_runs \
             WHERE root_run_id IS NOT NULL AND root_run_id = ",
        )
        .push(ROOT)
        .arg(id)
        .push(") ORDER BY id DESC LIMIT ")
        .arg(CHAIN_SHOWN)
        .push(") newest)");
    within(sql, reach).push(" ORDER BY r.id")
}

fn counts(reach: &Reach, id: i64) -> Sql {
    let first = Sql::new("SELECT ")
        .push(ROOT)
        .arg(id)
        .push(") AS root, (SELECT COUNT(*) FROM operation_runs r WHERE r.id = ")
        .push(ROOT)
        .arg(id)
        .push(")");
    let tries = Sql::new(") AS first_kept, COUNT(*) AS tries, COUNT(CASE WHEN r.id <= ")
        .arg(id)
        .push(
            " THEN 1 END) AS tries_before FROM operation_runs r \
             WHERE r.root_run_id IS NOT NULL AND r.root_run_id <> r.id AND r.root_run_id = ",
        )
        .push(ROOT)
        .arg(id)
        .push(")");
    within(within(first, reach).append(tries), reach)
}

fn run(row: &Row) -> Result<LineageRun, StoreError> {
    Ok(LineageRun {
        id: row.i64("id")?,
        status: row.word("status")?,
        outcome: row.word("outcome")?,
        cancelled: row.opt_micros("cancel_requested_at")?.is_some(),
        initiator_kind: row.text("initiator_kind")?,
        initiator_name: row.opt_text("initiator_name")?,
        retry_of_run_id: row.opt_i64("retry_of_run_id")?,
        created_at: row.micros("created_at")?,
        completed_at: row.opt_micros("completed_at")?,
    })
}

//! The last success of a run's type on its target, before that run.
//!
//! The search walks the type's own index backwards from the run, over 1 000 entries at most, and stops at the
//! first hit. No other index may serve it: that of outcomes would lead through every type's successes.

use app::{
    operations::{
        model::{OperationRun, Step},
        since::{Found, LOOKED_THROUGH_MAX, Side, SinceLastSuccess},
    },
    time::Micros,
};
use serde_json::Value;

use super::{super::spec::Catalog, read_json, shown_input, steps};
use crate::store::{Db, Row, Sql, StoreError};

/// As much of a success as is compared.
pub struct Success {
    id: i64,
    input: Value,
    attempt: i64,
    due_at: Micros,
    started_at: Option<Micros>,
    completed_at: Option<Micros>,
    steps: Vec<Step>,
}

/// The last success before a run, or why there is none.
pub async fn find(
    db: &Db,
    catalog: &Catalog,
    run: &OperationRun,
) -> Result<Result<Success, Found>, StoreError> {
    let Some(row) = db.fetch_optional(last_success(run)).await? else {
        return Ok(Err(why_none(db, run).await?));
    };
    let success = read(catalog, &run.kind, &row)?;
    let steps = steps(db, success.id).await?;
    Ok(Ok(Success { steps, ..success }))
}

/// What is different about a run, whose own steps are given.
pub fn compare(
    before: &Result<Success, Found>,
    run: &OperationRun,
    steps: &[Step],
) -> SinceLastSuccess {
    let success = match before {
        Ok(success) => success,
        Err(why) => return SinceLastSuccess::nothing(*why),
    };
    let before = Side {
        id: success.id,
        input: &success.input,
        steps: &success.steps,
        attempt: success.attempt,
        due_at: success.due_at,
        started_at: success.started_at,
        completed_at: success.completed_at,
    };
    SinceLastSuccess::between(&before, &Side::of(run, steps))
}

fn last_success(run: &OperationRun) -> Sql {
    let sql = Sql::new(
        "SELECT id, input, attempt, scheduled_at, created_at, started_at, completed_at \
         FROM operation_runs WHERE type = ",
    )
    .arg(&run.kind)
    .push(" AND id < ")
    .arg(run.id)
    .push(" AND id >= COALESCE((")
    .append(farthest(run))
    // A comparison that no index serves: see above.
    .push("), 0) AND CASE WHEN outcome = 'succeeded' AND workspace_id = ")
    .arg(run.workspace_id);
    let sql = match &run.target {
        Some(target) => sql.push(" AND target = ").arg(target),
        None => sql.push(" AND target IS NULL"),
    };
    sql.push(" THEN 1 ELSE 0 END = 1 ORDER BY id DESC LIMIT 1")
}

/// The last of the runs that are looked through; none when there are fewer.
fn farthest(run: &OperationRun) -> Sql {
    Sql::new("SELECT id FROM operation_runs WHERE type = ")
        .arg(&run.kind)
        .push(" AND id < ")
        .arg(run.id)
        .push(" ORDER BY id DESC LIMIT 1 OFFSET ")
        .arg(LOOKED_THROUGH_MAX - 1)
}

async fn why_none(db: &Db, run: &OperationRun) -> Result<Found, StoreError> {
    let is_cut = db.fetch_optional(farthest(run)).await?.is_some();
    Ok(if is_cut { Found::NoneNear } else { Found::NoneKept })
}

fn read(catalog: &Catalog, kind: &str, row: &Row) -> Result<Success, StoreError> {
    Ok(Success {
        id: row.i64("id")?,
        input: shown_input(catalog, kind, read_json(row, "input")?),
        attempt: row.i64("attempt")?,
        due_at: row.micros("scheduled_at")?.max(row.micros("created_at")?),
        started_at: row.opt_micros("started_at")?,
        completed_at: row.opt_micros("completed_at")?,
        steps: Vec::new(),
    })
}

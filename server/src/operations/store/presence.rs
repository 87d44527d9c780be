//! Which processes work on which queues.

use std::collections::BTreeSet;

use app::time::Micros;

use crate::store::{Db, Row, Sql, StoreError};

/// The queues that a worker serves which was heard of after `since`.
pub async fn served_queues(db: &Db, since: Micros) -> Result<BTreeSet<String>, StoreError> {
    let sql = Sql::new("SELECT queues FROM operation_workers WHERE heartbeat_at >= ").arg(since);
    let rows = db.fetch_all(sql).await?;
    let lists = rows.iter().map(queues).collect::<Result<Vec<_>, _>>()?;
    Ok(lists.into_iter().flatten().collect())
}

fn queues(row: &Row) -> Result<Vec<String>, StoreError> {
    let column = "queues";
    serde_json::from_str(&row.text(column)?)
        .map_err(|error| StoreError::Column { column, reason: format!("is no list: {error}") })
}

/// Of the newest runs of a type, so many are looked at for successes.
const LOOKED: i64 = 1_000;

/// What the newest successes of a type took.
pub async fn successes(db: &Db, kind: &str, most: usize) -> Result<Vec<i64>, StoreError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    // By the type first: of a type that never succeeds, all successes of the others would be read.
    let sql = Sql::new(
        "SELECT took FROM (SELECT id, outcome, completed_at - started_at AS took FROM operation_runs \
         WHERE type = ",
    )
    .arg(kind)
    .push(" ORDER BY id DESC LIMIT ")
    .arg(LOOKED)
    .push(") newest WHERE outcome = 'succeeded' AND took IS NOT NULL ORDER BY id DESC LIMIT ")
    .arg(most);
    db.fetch_all(sql).await?.iter().map(|row| row.i64("took")).collect()
}

/// The runs that hold the slots which a run of this type and target waits for.
pub async fn slot_holders(
    db: &Db,
    kind: &str,
    target: Option<&str>,
) -> Result<Vec<i64>, StoreError> {
    let keys = [Some(format!("type:{kind}")), target.map(|t| format!("target:{kind}:{t}"))];
    let sql = Sql::new("SELECT DISTINCT run_id FROM operation_slots WHERE limit_key IN ")
        .list(keys.into_iter().flatten())
        .push(" ORDER BY run_id LIMIT 20");
    db.fetch_all(sql).await?.iter().map(|row| row.i64("run_id")).collect()
}

/// How many workers were lost over a run.
pub async fn losses(db: &Db, run_id: i64) -> Result<i64, StoreError> {
    let sql = Sql::new("SELECT losses FROM operation_runs WHERE id = ").arg(run_id);
    let row = db.fetch_optional(sql).await?;
    row.map_or(Ok(0), |row| row.i64("losses"))
}

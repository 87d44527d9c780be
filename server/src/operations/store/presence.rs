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

/// What the newest successes of a type took.
pub async fn successes(db: &Db, kind: &str, most: usize) -> Result<Vec<i64>, StoreError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let sql = Sql::new(
        "SELECT completed_at - started_at AS took FROM operation_runs \
         WHERE outcome = 'succeeded' AND started_at IS NOT NULL AND type = ",
    )
    .arg(kind)
    .push(" ORDER BY id DESC LIMIT ")
    .arg(most);
    db.fetch_all(sql).await?.iter().map(|row| row.i64("took")).collect()
}

//! Counts for metrics. Bounded: a queue of a million must not cost each scrape a walk over all of it.

use app::time::Micros;

use crate::store::{Db, Row, Sql, StoreError};

/// More than that is "many".
const QUEUED_MAX: i64 = 100_000;

pub struct Queued {
    pub queue: String,
    pub is_due: bool,
    pub runs: i64,
}

pub async fn queued(db: &Db, now: Micros) -> Result<Vec<Queued>, StoreError> {
    let sql = Sql::new(
        "SELECT queue, due, COUNT(*) AS runs FROM (SELECT queue, CASE WHEN scheduled_at <= ",
    )
    .arg(now)
    .push(" THEN 1 ELSE 0 END AS due FROM operation_runs WHERE status = 'queued' LIMIT ")
    .arg(QUEUED_MAX)
    .push(") q GROUP BY queue, due");
    let read = |row: &Row| {
        Ok(Queued { queue: row.text("queue")?, is_due: row.bool("due")?, runs: row.i64("runs")? })
    };
    db.fetch_all(sql).await?.iter().map(read).collect()
}

/// Leases are as many as workers, so all of them are counted.
pub async fn active(db: &Db) -> Result<Vec<(String, i64)>, StoreError> {
    let sql = Sql::new(
        "SELECT r.queue AS queue, COUNT(*) AS runs FROM operation_leases l \
         JOIN operation_runs r ON r.id = l.run_id GROUP BY r.queue",
    );
    let rows = db.fetch_all(sql).await?;
    rows.iter().map(|row| Ok((row.text("queue")?, row.i64("runs")?))).collect()
}

//! The schedules' SQL. The replica that moves `next_at` on starts the run, in the same transaction: a tick
//! can happen once only, and not without its run.

use app::time::Micros;

use crate::store::{self, Db, Sql, StoreError, Tx};

/// Makes a schedule known; one that is known keeps its next tick.
pub async fn ensure(db: &Db, name: &str, next_at: Micros) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    let sql = Sql::new("INSERT INTO operation_schedules (name, next_at) VALUES ")
        .list([store::Value::from(name), next_at.into()])
        .push(" ON CONFLICT (name) DO NOTHING");
    tx.execute(sql).await?;
    tx.commit(Vec::new()).await
}

/// When a schedule is due, if it is known.
pub async fn next_at(db: &Db, name: &str) -> Result<Option<Micros>, StoreError> {
    let sql = Sql::new("SELECT next_at FROM operation_schedules WHERE name = ").arg(name);
    db.fetch_optional(sql).await?.map(|row| row.micros("next_at")).transpose()
}

/// Whether the run that this schedule started last has not ended.
pub async fn is_active(tx: &mut Tx, name: &str) -> Result<bool, StoreError> {
    let sql = Sql::new(
        "SELECT r.id FROM operation_schedules s JOIN operation_runs r ON r.id = s.last_run_id \
         WHERE r.status <> 'completed' AND s.name = ",
    )
    .arg(name);
    Ok(tx.fetch_optional(sql).await?.is_some())
}

/// Moves a schedule on from `due`. False when another replica did so first.
pub async fn advance(
    tx: &mut Tx,
    name: &str,
    due: Micros,
    next_at: Micros,
) -> Result<bool, StoreError> {
    let sql = Sql::new("UPDATE operation_schedules SET next_at = ")
        .arg(next_at)
        .push(" WHERE name = ")
        .arg(name)
        .push(" AND next_at = ")
        .arg(due);
    Ok(tx.execute(sql).await? == 1)
}

pub async fn started(tx: &mut Tx, name: &str, run_id: i64) -> Result<(), StoreError> {
    let sql = Sql::new("UPDATE operation_schedules SET last_run_id = ")
        .arg(run_id)
        .push(" WHERE name = ")
        .arg(name);
    tx.execute(sql).await.map(drop)
}

//! The rows of processes that work, written by each about itself. Times are the database's, so that ages can be
//! compared whatever the clocks of their machines say.

use app::{operations::workers::WorkerProcess, time::Micros};

use crate::store::{self, Db, Row, Sql, StoreError};

/// More processes than that are not shown.
const SHOWN_MAX: i64 = 200;

/// What a process says of itself.
pub struct Process {
    /// Made anew by each process.
    pub id: String,
    pub name: String,
    pub queues: Vec<String>,
    pub workers: i64,
    pub version: &'static str,
}

/// Says that the process lives. The row is made, or made again when it was removed as forgotten.
pub async fn keep(db: &Db, process: &Process, started_at: Micros) -> Result<(), StoreError> {
    let queues = serde_json::Value::from(process.queues.clone()).to_string();
    let mut tx = db.begin().await?;
    let now = tx.now().await?;
    let sql = Sql::new(
        "INSERT INTO operation_workers (id, name, queues, workers, version, started_at, heartbeat_at) VALUES ",
    )
    .list([
        store::Value::from(process.id.as_str()),
        process.name.as_str().into(),
        queues.into(),
        process.workers.into(),
        process.version.into(),
        started_at.into(),
        now.into(),
    ])
    .push(" ON CONFLICT (id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at");
    tx.execute(sql).await?;
    tx.commit(Vec::new()).await
}

pub async fn remove(db: &Db, id: &str) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    tx.execute(Sql::new("DELETE FROM operation_workers WHERE id = ").arg(id)).await?;
    tx.commit(Vec::new()).await
}

/// The processes, those that were heard of last first; `alive` are those heard of since then.
pub async fn list(db: &Db, alive_since: Micros) -> Result<Vec<WorkerProcess>, StoreError> {
    let sql = Sql::new(
        "SELECT id, name, queues, workers, version, started_at, heartbeat_at FROM operation_workers \
         ORDER BY heartbeat_at DESC, id LIMIT ",
    )
    .arg(SHOWN_MAX);
    let read = |row: &Row| {
        let heartbeat_at = row.micros("heartbeat_at")?;
        let queues = row.text("queues")?;
        let unreadable = |error: serde_json::Error| StoreError::Column {
            column: "queues",
            reason: format!("is no list: {error}"),
        };
        Ok(WorkerProcess {
            id: row.text("id")?,
            name: row.text("name")?,
            queues: serde_json::from_str(&queues).map_err(unreadable)?,
            workers: row.i64("workers")?,
            version: row.text("version")?,
            started_at: row.micros("started_at")?,
            heartbeat_at,
            alive: heartbeat_at >= alive_since,
        })
    };
    db.fetch_all(sql).await?.iter().map(read).collect()
}

/// How many processes were not heard of since then.
pub async fn count_forgotten(db: &Db, since: Micros) -> Result<i64, StoreError> {
    let sql = Sql::new("SELECT COUNT(*) AS n FROM operation_workers WHERE heartbeat_at < ");
    db.fetch_one(sql.arg(since)).await?.i64("n")
}

/// Removes them: whoever still lives says so again within seconds.
pub async fn forget(db: &Db, since: Micros) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let sql = Sql::new("DELETE FROM operation_workers WHERE heartbeat_at < ").arg(since);
    let gone = tx.execute(sql).await?;
    tx.commit(Vec::new()).await?;
    Ok(gone)
}

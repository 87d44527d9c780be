//! SQL of pruning: under a lock on the checkpoint, so that one replica prunes at a time.

use app::time::Micros;

use super::{CHECKPOINT, Link, StoredCheckpoint, link, read_checkpoint, select_links};
use crate::{
    audit::Checkpoint,
    store::{Db, Sql, StoreError, Tx},
};

/// The oldest row's number and time.
pub async fn oldest(db: &Db) -> Result<Option<(i64, Micros)>, StoreError> {
    let sql = Sql::new("SELECT seq, at FROM audit_log ORDER BY seq LIMIT 1");
    let Some(row) = db.fetch_optional(sql).await? else { return Ok(None) };
    Ok(Some((row.i64("seq")?, row.micros("at")?)))
}

/// How many rows but for the newest of all are older, counted up to 100 000.
pub async fn count_before(db: &Db, before: Micros) -> Result<i64, StoreError> {
    let sql = Sql::new(
        "SELECT COUNT(*) AS n FROM (SELECT l.seq FROM audit_log l, audit_head h WHERE h.id = 1 AND l.seq < h.seq AND l.at < ",
    )
    .arg(before)
    .push(" LIMIT 100000) counted");
    db.fetch_one(sql).await?.i64("n")
}

/// Whoever holds it prunes. None when somebody took it away.
pub async fn lock(tx: &mut Tx) -> Result<Option<StoredCheckpoint>, StoreError> {
    let sql = Sql::new(CHECKPOINT).push(tx.dialect().row_lock());
    let row = tx.fetch_optional(sql).await?;
    row.as_ref().map(|row| read_checkpoint(Some(row))).transpose()
}

/// The rows after a number but for the newest of all, in order.
pub async fn candidates(
    tx: &mut Tx,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, Micros, Link)>, StoreError> {
    let head = tx.fetch_one(Sql::new("SELECT seq FROM audit_head WHERE id = 1")).await?;
    let rows = tx.fetch_all(select_links(after, head.i64("seq")? - 1, limit)).await?;
    rows.iter().map(|row| Ok((row.i64("seq")?, row.micros("at")?, link(row)?))).collect()
}

/// Removes the rows up to the checkpoint, and puts it in the place of the one before. Says how many rows went.
pub async fn cut(tx: &mut Tx, after: i64, checkpoint: &Checkpoint) -> Result<u64, StoreError> {
    let head = &checkpoint.0;
    let sql = Sql::new("DELETE FROM audit_log WHERE seq > ").arg(after);
    let gone = tx.execute(sql.push(" AND seq <= ").arg(head.seq)).await?;
    tx.execute(Sql::new("DELETE FROM audit_heads WHERE seq <= ").arg(head.seq)).await?;
    let sql = Sql::new("UPDATE audit_checkpoint SET seq = ")
        .arg(head.seq)
        .push(", at = ")
        .arg(head.at)
        .push(", hash = ")
        .arg(&head.hash[..])
        .push(", key_id = ")
        .arg(&head.key_id)
        .push(", signature = ")
        .arg(&head.signature[..])
        .push(" WHERE id = 1");
    tx.execute(sql).await?;
    Ok(gone)
}

//! All SQL of what the fleet lets go of: clusters that were removed long ago, and registrations that nobody finished.

use app::time::Micros;

use crate::store::{Db, Sql, StoreError};

/// Rows of one batch.
const ROWS: i64 = 100;

pub async fn count(db: &Db, before: Micros, limit: i64) -> Result<i64, StoreError> {
    let now = db.now().await?;
    let sql = Sql::new(
        "SELECT COUNT(*) AS n FROM (SELECT id FROM clusters WHERE removed_at IS NOT NULL AND removed_at < ",
    )
    .arg(before)
    .push(" UNION ALL SELECT id FROM cluster_drafts WHERE expires_at <= ")
    .arg(now)
    .push(" LIMIT ")
    .arg(limit)
    .push(") AS gone");
    db.fetch_one(sql).await?.i64("n")
}

/// One batch; how many went. What belongs to a cluster goes with it.
pub async fn prune(db: &Db, before: Micros) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let now = tx.now().await?;
    let sql = Sql::new(
        "DELETE FROM clusters WHERE id IN (SELECT id FROM clusters WHERE removed_at IS NOT NULL AND removed_at < ",
    )
    .arg(before)
    .push(" LIMIT ")
    .arg(ROWS)
    .push(")");
    let clusters = tx.execute(sql).await?;
    let sql = Sql::new(
        "DELETE FROM cluster_drafts WHERE id IN (SELECT id FROM cluster_drafts WHERE expires_at <= ",
    )
    .arg(now)
    .push(" LIMIT ")
    .arg(ROWS)
    .push(")");
    let drafts = tx.execute(sql).await?;
    tx.commit(Vec::new()).await?;
    Ok(clusters + drafts)
}

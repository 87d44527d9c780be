//! What becomes of a run whose worker is gone.

use app::time::Micros;

use super::{
    super::timing,
    ending::end,
    work::{Ending, requeue},
};
use crate::store::{Db, Dialect, Sql, StoreError, Tx};

/// A run whose worker has not been heard of for the length of a lease.
#[derive(Clone, Debug)]
pub struct Lapsed {
    pub run_id: i64,
    pub workspace_id: i64,
    pub kind: String,
    pub owner: String,
    /// When its lease ran out.
    pub expired_at: Micros,
    pub losses: i64,
    /// A person asked for its end, which its worker did not live to see.
    pub cancelled: bool,
}

/// One lapsed lease, locked, if there is any beyond `after`.
pub async fn next_lapsed(
    tx: &mut Tx,
    dialect: Dialect,
    now: Micros,
    after: i64,
) -> Result<Option<Lapsed>, StoreError> {
    let sql = Sql::new(
        "SELECT l.run_id, l.owner, l.expires_at, r.workspace_id, r.type, r.losses, r.cancel_requested_at \
         FROM operation_leases l JOIN operation_runs r ON r.id = l.run_id WHERE l.expires_at < ",
    )
    .arg(now)
    .push(" AND l.run_id > ")
    .arg(after)
    .push(" ORDER BY l.run_id LIMIT 1")
    .push(dialect.claim_lock());
    let Some(row) = tx.fetch_optional(sql).await? else { return Ok(None) };
    Ok(Some(Lapsed {
        run_id: row.i64("run_id")?,
        workspace_id: row.i64("workspace_id")?,
        kind: row.text("type")?,
        owner: row.text("owner")?,
        expired_at: row.micros("expires_at")?,
        losses: row.i64("losses")?,
        cancelled: row.opt_micros("cancel_requested_at")?.is_some(),
    }))
}

/// Whether any lease lapsed, or ends later than any can: asked on a reader.
pub async fn has_lapsed(db: &Db, now: Micros) -> Result<bool, StoreError> {
    let sql = Sql::new("SELECT run_id FROM operation_leases WHERE expires_at < ")
        .arg(now)
        .push(" OR expires_at > ")
        .arg(furthest(now))
        .push(" LIMIT 1");
    Ok(db.fetch_optional(sql).await?.is_some())
}

/// A lease that ends later was written before the database's clock was set back. Twice the length, since the
/// look at the clock may be a moment old.
fn furthest(now: Micros) -> Micros {
    now.plus(2 * timing::micros(timing::LEASE))
}

/// Lets leases from before the clock was set back lapse in time: whoever lives confirms its own until then.
pub async fn pull_in(tx: &mut Tx, now: Micros) -> Result<(), StoreError> {
    let sql = Sql::new("UPDATE operation_leases SET expires_at = ")
        .arg(now.plus(timing::micros(timing::LEASE)))
        .push(" WHERE expires_at > ")
        .arg(furthest(now));
    tx.execute(sql).await.map(drop)
}

/// Back into the queue after a lost worker.
pub async fn lose(tx: &mut Tx, lapsed: &Lapsed) -> Result<(), StoreError> {
    requeue(tx, lapsed.run_id, lapsed.workspace_id, 1).await
}

/// Ends a run that nobody holds any more.
pub async fn bury(
    tx: &mut Tx,
    lapsed: &Lapsed,
    ending: &Ending,
    now: Micros,
) -> Result<(), StoreError> {
    end(tx, lapsed.run_id, ending, now).await
}

/// Voids every lease that was taken before `began`.
pub async fn void_leases(db: &Db, began: Micros) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE operation_leases SET expires_at = ")
        .arg(now.plus(-1))
        .push(" WHERE acquired_at < ")
        .arg(began)
        .push(" AND expires_at >= ")
        .arg(now);
    let voided = tx.execute(sql).await?;
    tx.commit(Vec::new()).await?;
    Ok(voided)
}

//! All SQL of registrations and rotations that were checked and are not decided yet.

use app::time::Micros;

use crate::{
    store::{Db, Sql, StoreError, Tx},
    vault::{RowName, SealedColumn},
};

/// What is sealed here.
pub const SEALED: SealedColumn =
    SealedColumn { table: "cluster_drafts", column: "sealed", row: RowName::Text("id") };

/// How long somebody may think about it.
pub const LIFE: i64 = 15 * 60 * Micros::SECOND;

pub struct Draft {
    pub sealed: Vec<u8>,
    pub preflight: String,
}

/// Old ones go when a new one comes, so nobody has to come for them.
pub async fn insert(
    tx: &mut Tx,
    id: &str,
    owner: &str,
    sealed: Vec<u8>,
    preflight: &str,
) -> Result<(), StoreError> {
    let now = tx.now().await?;
    tx.execute(Sql::new("DELETE FROM cluster_drafts WHERE expires_at <= ").arg(now)).await?;
    let sql = Sql::new(
        "INSERT INTO cluster_drafts (id, owner_id, sealed, preflight, created_at, expires_at) VALUES (",
    )
    .arg(id)
    .push(", ")
    .arg(owner)
    .push(", ")
    .arg(sealed)
    .push(", ")
    .arg(preflight)
    .push(", ")
    .arg(now)
    .push(", ")
    .arg(now.plus(LIFE))
    .push(")");
    tx.execute(sql).await.map(|_| ())
}

/// One of this owner's own, while it lives.
pub async fn find(db: &Db, id: &str, owner: &str) -> Result<Option<Draft>, StoreError> {
    let now = db.now().await?;
    let sql = Sql::new("SELECT sealed, preflight FROM cluster_drafts WHERE id = ")
        .arg(id)
        .push(" AND owner_id = ")
        .arg(owner)
        .push(" AND expires_at > ")
        .arg(now);
    let Some(row) = db.fetch_optional(sql).await? else { return Ok(None) };
    Ok(Some(Draft { sealed: row.bytes("sealed")?, preflight: row.text("preflight")? }))
}

/// False when it was gone already: whoever takes it away is the one who decides.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(Sql::new("DELETE FROM cluster_drafts WHERE id = ").arg(id)).await? == 1)
}

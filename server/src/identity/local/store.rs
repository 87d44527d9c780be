//! All SQL of local accounts.

use app::time::Micros;

use crate::store::{Sql, StoreError, Tx};

pub async fn insert_link(
    tx: &mut Tx,
    token_hash: Vec<u8>,
    person_id: Option<&str>,
    expires_at: Micros,
) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new(
        "INSERT INTO setup_links (token_hash, person_id, created_at, expires_at) VALUES (",
    )
    .arg(token_hash)
    .push(", ")
    .arg(person_id)
    .push(", ")
    .arg(now)
    .push(", ")
    .arg(expires_at)
    .push(")");
    tx.execute(sql).await.map(|_| ())
}

pub async fn delete_links_of(tx: &mut Tx, person_id: &str) -> Result<(), StoreError> {
    let sql = Sql::new("DELETE FROM setup_links WHERE person_id = ").arg(person_id);
    tx.execute(sql).await.map(|_| ())
}

/// Whose link it was, when it was still good.
pub async fn spend_link(
    tx: &mut Tx,
    token_hash: Vec<u8>,
) -> Result<Option<Option<String>>, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE setup_links SET used_at = ")
        .arg(now)
        .push(" WHERE used_at IS NULL AND expires_at > ")
        .arg(now)
        .push(" AND token_hash = ")
        .arg(token_hash)
        .push(" RETURNING person_id");
    tx.fetch_optional(sql).await?.map(|row| row.opt_text("person_id")).transpose()
}

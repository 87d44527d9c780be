//! All SQL over the columns that the keys of the ring seal, whosever they are.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::reseal::{NamingColumn, RowName, SealedColumn};
use crate::store::{Db, Sql, StoreError, Tx};

/// The primary key of a row.
#[derive(Clone, Debug)]
pub(super) enum RowKey {
    Text(String),
    Bytes(Vec<u8>),
}

impl RowKey {
    /// As its place names it.
    pub fn name(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => URL_SAFE_NO_PAD.encode(bytes),
        }
    }

    fn arg(&self, sql: Sql) -> Sql {
        match self {
            Self::Text(text) => sql.arg(text),
            Self::Bytes(bytes) => sql.arg(bytes.as_slice()),
        }
    }
}

impl RowName {
    fn column(self) -> &'static str {
        match self {
            Self::Text(column) | Self::Bytes(column) => column,
        }
    }

    /// Before every key.
    fn first(self) -> RowKey {
        match self {
            Self::Text(_) => RowKey::Text(String::new()),
            Self::Bytes(_) => RowKey::Bytes(Vec::new()),
        }
    }
}

/// A sealed value as it lies there.
pub(super) struct Found {
    pub key: RowKey,
    pub sealed: Vec<u8>,
}

/// Whether no key came to the store later than this one.
pub(super) async fn is_newest(db: &Db, id: &str) -> Result<bool, StoreError> {
    let sql = Sql::new(
        "SELECT CASE WHEN created_at = (SELECT MAX(created_at) FROM vault_keys) THEN 1 ELSE 0 END AS newest \
         FROM vault_keys WHERE id = ",
    );
    db.fetch_optional(sql.arg(id)).await?.map_or(Ok(false), |row| row.bool("newest"))
}

/// Values that do not begin so, in the order of their keys.
pub(super) async fn list_others(
    db: &Db,
    column: &SealedColumn,
    prefix: &[u8],
    after: Option<RowKey>,
    limit: i64,
) -> Result<Vec<Found>, StoreError> {
    let SealedColumn { table, column: sealed, row } = *column;
    let after = after.unwrap_or_else(|| row.first());
    let sql = Sql::new("SELECT ").push(row.column()).push(" AS row_key, ").push(sealed);
    let sql = sql.push(" AS sealed FROM ").push(table).push(" WHERE ").push(row.column());
    let sql = after.arg(sql.push(" > ")).push(" AND ").push(sealed).push(" IS NOT NULL AND ");
    let sql = begins(sql, sealed, " <> ", prefix).push(" ORDER BY ").push(row.column());
    let rows = db.fetch_all(sql.push(" LIMIT ").arg(limit)).await?;
    let found = |found: &crate::store::Row| {
        let key = match row {
            RowName::Text(_) => RowKey::Text(found.text("row_key")?),
            RowName::Bytes(_) => RowKey::Bytes(found.bytes("row_key")?),
        };
        Ok(Found { key, sealed: found.bytes("sealed")? })
    };
    rows.iter().map(found).collect()
}

fn begins(sql: Sql, sealed: &'static str, compared: &'static str, prefix: &[u8]) -> Sql {
    let length = i64::try_from(prefix.len()).unwrap_or(i64::MAX);
    sql.push("substr(")
        .push(sealed)
        .push(", 1, CAST(")
        .arg(length)
        .push(" AS INTEGER))")
        .push(compared)
        .arg(prefix)
}

/// Puts `sealed` in the place of what was found, unless something else lies there by now.
pub(super) async fn replace(
    tx: &mut Tx,
    column: &SealedColumn,
    was: &Found,
    sealed: Vec<u8>,
) -> Result<u64, StoreError> {
    let sql = Sql::new("UPDATE ").push(column.table).push(" SET ").push(column.column).push(" = ");
    let sql = sql.arg(sealed).push(" WHERE ").push(column.row.column()).push(" = ");
    let sql = was.key.arg(sql).push(" AND ").push(column.column).push(" = ");
    tx.execute(sql.arg(was.sealed.as_slice())).await
}

/// How many values begin so, as `n`.
pub(super) fn counted(column: &SealedColumn, prefix: &[u8]) -> Sql {
    let sql = Sql::new("SELECT COUNT(*) AS n FROM ").push(column.table).push(" WHERE ");
    begins(sql.push(column.column).push(" IS NOT NULL AND "), column.column, " = ", prefix)
}

/// How many rows name this key, as `n`.
pub(super) fn counted_naming(column: &NamingColumn, id: &str) -> Sql {
    let sql = Sql::new("SELECT COUNT(*) AS n FROM ").push(column.table).push(" WHERE ");
    sql.push(column.column).push(" = ").arg(id)
}

pub(super) async fn retire(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE vault_keys SET retired_at = ").arg(now).push(" WHERE id = ").arg(id);
    tx.execute(sql.push(" AND retired_at IS NULL")).await.map(|_| ())
}

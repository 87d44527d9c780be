//! Appending to the chain: each row carries the hash of the row before it.
//!
//! `audit_head` holds the last row's number and hash, and its only row is locked until the commit: one chain
//! without gaps, whoever writes. Everybody else's audit rows wait meanwhile, so there are two statements and
//! no more: take the head, and write the rows together with the new head.

use app::time::Micros;

use super::{
    AuditRow,
    encoding::{Field, Fields, Hash, START, VERSION, columns},
};
use crate::{
    store::{Sql, StoreError, Tx},
    vault::ChainKeys,
};

/// Called by [`Tx::commit`] alone: from here to the commit everybody else's audit rows wait.
pub(crate) async fn append(tx: &mut Tx, rows: Vec<AuditRow>) -> Result<(), StoreError> {
    let chain = tx.chain().cloned().ok_or(StoreError::NoChain)?;
    let at = tx.now().await?;
    let lock = tx.dialect().row_lock();
    let head = Sql::new("SELECT seq, hash FROM audit_head WHERE id = 1").push(lock);
    let head = tx.fetch_one(head).await?;
    let (before, prev) = (head.i64("seq")?, read_hash(head.opt_bytes("hash")?)?);
    let (insert, seq, hash) = link(&chain, at, before, prev, rows);
    let update = Sql::new("UPDATE audit_head SET seq = ").arg(seq).push(", hash = ").arg(&hash[..]);
    let update = update.push(" WHERE id = 1");
    for statement in tx.dialect().together(update, insert) {
        tx.execute(statement).await?;
    }
    Ok(())
}

fn read_hash(hash: Option<Vec<u8>>) -> Result<Hash, StoreError> {
    let Some(hash) = hash else { return Ok(START) };
    hash.try_into().map_err(|_| StoreError::Column {
        column: "hash",
        reason: "of audit_head does not have 32 bytes".to_owned(),
    })
}

/// The statement that writes the rows, and the head that they leave.
fn link(
    chain: &ChainKeys,
    at: Micros,
    mut seq: i64,
    mut prev: Hash,
    rows: Vec<AuditRow>,
) -> (Sql, i64, Hash) {
    let (key_id, key) = chain.active();
    let mut sql = columns(Sql::new("INSERT INTO audit_log (")).push(") VALUES ");
    for (n, row) in rows.into_iter().enumerate() {
        seq += 1;
        let fields = fields(seq, at, row);
        let hash = key.mac(&fields.encode(&prev, key_id));
        sql = sql.push(if n == 0 { "(" } else { ", (" });
        for field in fields.0 {
            sql = sql.arg(field).push(", ");
        }
        sql = sql.arg(i64::from(VERSION)).push(", ").arg(key_id);
        sql = sql.push(", ").arg(&prev[..]).push(", ").arg(&hash[..]).push(")");
        prev = hash;
    }
    (sql, seq, prev)
}

/// In the order of [`super::encoding::COLUMNS`].
fn fields(seq: i64, at: Micros, row: AuditRow) -> Fields {
    let is = |text: &str| Field::Text(Some(text.to_owned()));
    Fields([
        Field::Number(Some(seq)),
        Field::Number(Some(at.0)),
        is(row.actor_kind),
        Field::Text(Some(row.actor_id)),
        Field::Text(Some(row.actor_name)),
        Field::Text(row.on_behalf_of),
        Field::Text(row.service_identity),
        is(row.action),
        Field::Text(row.target_kind.map(str::to_owned)),
        Field::Text(row.target_id),
        Field::Text(row.target_label),
        Field::Number(row.workspace_id),
        Field::Text(row.capability.map(|capability| capability.as_str().to_owned())),
        is(row.decision.as_str()),
        Field::Text(row.reason),
        Field::Text(Some(row.request_id)),
        Field::Text(Some(row.correlation_id)),
        Field::Text(row.session_hash),
        Field::Text(row.address),
        Field::Text(Some(row.details.to_string())),
    ])
}

//! SQL of what people read: the list's rows, one entry, the actions there are, and the word to open pages.

use app::{
    audit::model::{AuditDetail, AuditEntry, FILTERS},
    identity::Reach,
};
use serde_json::Value;

use crate::store::{Db, Row, Sql, StoreError, Tx, list::Table};

/// What the generic list needs to know of our table.
pub const ENTRIES: Table = Table {
    from: "audit_log a",
    id: "a.seq",
    filters: FILTERS,
    workspace: "a.workspace_id",
    created: "a.at",
    facets: "audit_log_facets",
    search: None,
    implied: &[],
};

const COLUMNS: &str = "SELECT a.seq, a.at, a.actor_kind, a.actor_id, a.actor_name, a.on_behalf_of, \
    a.service_identity, a.action, a.target_kind, a.target_id, a.target_label, a.workspace_id, \
    w.name AS workspace_name, a.capability, a.decision, a.reason, a.request_id, a.correlation_id, \
    a.session_hash, a.address, a.details, a.hash_version, a.hash_key, a.prev_hash, a.hash \
    FROM audit_log a LEFT JOIN workspaces w ON w.id = a.workspace_id WHERE ";

/// The entries with these numbers, newest first.
pub async fn read(db: &Db, seqs: &[i64]) -> Result<Vec<AuditEntry>, StoreError> {
    if seqs.is_empty() {
        return Ok(Vec::new());
    }
    let sql = Sql::new(COLUMNS).push("a.seq IN ").list(seqs.iter().copied());
    db.fetch_all(sql.push(" ORDER BY a.seq DESC")).await?.iter().map(entry).collect()
}

/// One entry, if it is within reach.
pub async fn find(db: &Db, reach: &Reach, seq: i64) -> Result<Option<AuditDetail>, StoreError> {
    let sql = Sql::new(COLUMNS).push("a.seq = ").arg(seq);
    let sql = match reach {
        Reach::Everything => sql,
        Reach::Workspaces(ids) => sql.push(" AND a.workspace_id IN ").list(ids.iter().copied()),
    };
    let Some(row) = db.fetch_optional(sql).await? else { return Ok(None) };
    let hex = |bytes: Option<Vec<u8>>| bytes.map(|bytes| hex(&bytes));
    Ok(Some(AuditDetail {
        entry: entry(&row)?,
        hash_version: row.opt_i64("hash_version")?,
        hash_key: row.opt_text("hash_key")?,
        prev_hash: hex(row.opt_bytes("prev_hash")?),
        hash: hex(row.opt_bytes("hash")?),
    }))
}

fn hex(bytes: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| char::from(HEX[usize::from(n & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

fn entry(row: &Row) -> Result<AuditEntry, StoreError> {
    let details = row.text("details")?;
    Ok(AuditEntry {
        seq: row.i64("seq")?,
        at: row.micros("at")?,
        actor_kind: row.text("actor_kind")?,
        actor_id: row.text("actor_id")?,
        actor_name: row.text("actor_name")?,
        on_behalf_of: row.opt_text("on_behalf_of")?,
        service_identity: row.opt_text("service_identity")?,
        action: row.text("action")?,
        target_kind: row.opt_text("target_kind")?,
        target_id: row.opt_text("target_id")?,
        target_label: row.opt_text("target_label")?,
        workspace_id: row.opt_i64("workspace_id")?,
        workspace_name: row.opt_text("workspace_name")?,
        capability: row.opt_text("capability")?,
        decision: row.word("decision")?,
        reason: row.opt_text("reason")?,
        request_id: row.text("request_id")?,
        correlation_id: row.text("correlation_id")?,
        session_hash: row.opt_text("session_hash")?,
        address: row.opt_text("address")?,
        // Somebody who altered the row may have left anything; it is shown all the same.
        details: serde_json::from_str(&details).unwrap_or(Value::String(details)),
    })
}

/// Every action there is, from one to the next in the index.
pub async fn actions(db: &Db) -> Result<Vec<String>, StoreError> {
    let sql = Sql::new(
        "WITH RECURSIVE known (action) AS (SELECT MIN(action) FROM audit_log UNION ALL \
         SELECT (SELECT MIN(l.action) FROM audit_log l WHERE l.action > k.action) FROM known k \
         WHERE k.action IS NOT NULL) SELECT action FROM known WHERE action IS NOT NULL",
    );
    db.fetch_all(sql).await?.iter().map(|row| row.text("action")).collect()
}

/// Where the chain ends, and up to where open pages were told.
pub async fn told(db: &Db) -> Result<(i64, i64), StoreError> {
    let sql = "SELECT h.seq AS head, t.seq AS told FROM audit_head h, audit_told t WHERE h.id = 1 AND t.id = 1";
    let row = db.fetch_one(Sql::new(sql)).await?;
    Ok((row.i64("head")?, row.i64("told")?))
}

/// Up to where they were told; whoever holds it tells.
pub async fn lock_told(tx: &mut Tx) -> Result<i64, StoreError> {
    let lock = tx.dialect().row_lock();
    let sql = Sql::new("SELECT seq FROM audit_told WHERE id = 1").push(lock);
    tx.fetch_one(sql).await?.i64("seq")
}

/// The workspaces of the rows between two numbers, the second included; 0 for rows without one.
pub async fn workspaces(tx: &mut Tx, after: i64, to: i64) -> Result<Vec<i64>, StoreError> {
    let sql =
        Sql::new("SELECT DISTINCT COALESCE(workspace_id, 0) AS id FROM audit_log WHERE seq > ")
            .arg(after)
            .push(" AND seq <= ")
            .arg(to);
    tx.fetch_all(sql).await?.iter().map(|row| row.i64("id")).collect()
}

pub async fn set_told(tx: &mut Tx, seq: i64) -> Result<(), StoreError> {
    let sql = Sql::new("UPDATE audit_told SET seq = ").arg(seq).push(" WHERE id = 1");
    tx.execute(sql).await.map(|_| ())
}

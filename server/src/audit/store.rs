//! All SQL of `audit`: the chain read in order of its numbers, its signed heads and its checkpoint; below it what
//! people list and what is pruned.

pub mod entries;
pub mod prune;

use app::time::Micros;

use super::{Checkpoint, SignedHead};
use crate::{
    journal::encoding::{Fields, Hash, columns},
    store::{Db, Row, Sql, StoreError},
};

/// How the chain ends, all of it seen at one moment.
#[derive(Clone, Debug)]
pub struct Ends {
    /// What `audit_head` says.
    pub head: i64,
    pub head_hash: Option<Vec<u8>>,
    /// The number of the last row that is there; 0 when there is none.
    pub last: i64,
    /// The hash that the row `head` has.
    pub row_hash: Option<Vec<u8>>,
    /// The number of the last signed head.
    pub signed: i64,
}

pub async fn ends(db: &Db) -> Result<Ends, StoreError> {
    // One statement: writers go on meanwhile, and what is compared must be of one moment.
    let sql = Sql::new(
        "SELECT h.seq AS seq, h.hash AS head_hash, \
         (SELECT COALESCE(MAX(seq), 0) FROM audit_log) AS last, \
         (SELECT hash FROM audit_log WHERE seq = h.seq) AS row_hash, \
         (SELECT COALESCE(MAX(seq), 0) FROM audit_heads) AS signed \
         FROM audit_head h WHERE h.id = 1",
    );
    let row = db.fetch_one(sql).await?;
    Ok(Ends {
        head: row.i64("seq")?,
        head_hash: row.opt_bytes("head_hash")?,
        last: row.i64("last")?,
        row_hash: row.opt_bytes("row_hash")?,
        signed: row.i64("signed")?,
    })
}

/// What no signed head covers.
pub struct HeadLag {
    pub rows: i64,
    /// When the first of them was written; none when there is none.
    pub since: Option<Micros>,
}

pub async fn head_lag(db: &Db) -> Result<HeadLag, StoreError> {
    let sql = Sql::new(
        "SELECT h.seq - s.seq AS lag, (SELECT at FROM audit_log WHERE seq = s.seq + 1) AS since FROM audit_head h, \
         (SELECT CASE WHEN c.seq > COALESCE(MAX(a.seq), 0) THEN c.seq ELSE COALESCE(MAX(a.seq), 0) END AS seq \
         FROM audit_checkpoint c LEFT JOIN audit_heads a ON 1 = 1 WHERE c.id = 1 GROUP BY c.seq) s WHERE h.id = 1",
    );
    // A checkpoint that was taken away is for verification to tell.
    let Some(row) = db.fetch_optional(sql).await? else { return Err(StoreError::NoRow) };
    Ok(HeadLag { rows: row.i64("lag")?.max(0), since: row.opt_micros("since")? })
}

/// A row with its part of the chain, as it stands in the table.
#[derive(Clone, Debug)]
pub struct Link {
    pub fields: Fields,
    pub version: Option<i64>,
    pub key: Option<String>,
    pub prev: Option<Vec<u8>>,
    pub hash: Option<Vec<u8>>,
}

/// The rows after a number, in order. One that cannot be read stands in the list with the reason.
pub async fn links(
    db: &Db,
    after: i64,
    to: i64,
    limit: i64,
) -> Result<Vec<(i64, Result<Link, StoreError>)>, StoreError> {
    let rows = db.fetch_all(select_links(after, to, limit)).await?;
    rows.iter().map(|row| Ok((row.i64("seq")?, link(row)))).collect()
}

fn select_links(after: i64, to: i64, limit: i64) -> Sql {
    let sql = columns(Sql::new("SELECT ")).push(" FROM audit_log WHERE seq > ").arg(after);
    sql.push(" AND seq <= ").arg(to).push(" ORDER BY seq LIMIT ").arg(limit)
}

/// The rows with these numbers, in order.
pub async fn links_of(db: &Db, seqs: &[i64]) -> Result<Vec<(i64, Link)>, StoreError> {
    let sql = columns(Sql::new("SELECT ")).push(" FROM audit_log WHERE seq IN ");
    let sql = sql.list(seqs.iter().copied()).push(" ORDER BY seq");
    let rows = db.fetch_all(sql).await?;
    rows.iter().map(|row| Ok((row.i64("seq")?, link(row)?))).collect()
}

fn link(row: &Row) -> Result<Link, StoreError> {
    Ok(Link {
        fields: Fields::read(row)?,
        version: row.opt_i64("hash_version")?,
        key: row.opt_text("hash_key")?,
        prev: row.opt_bytes("prev_hash")?,
        hash: row.opt_bytes("hash")?,
    })
}

pub async fn find_hash(db: &Db, seq: i64) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = Sql::new("SELECT hash FROM audit_log WHERE seq = ").arg(seq);
    Ok(db.fetch_optional(sql).await?.map(|row| row.opt_bytes("hash")).transpose()?.flatten())
}

/// A head as it stands in the table; `None` when its hash or signature has another length than any has.
pub type StoredHead = (i64, Option<SignedHead>);

/// The signed heads after a number, in order.
pub async fn heads(
    db: &Db,
    after: i64,
    to: i64,
    limit: i64,
) -> Result<Vec<StoredHead>, StoreError> {
    let sql = Sql::new("SELECT seq, at, hash, key_id, signature FROM audit_heads WHERE seq > ");
    let sql = sql.arg(after).push(" AND seq <= ").arg(to).push(" ORDER BY seq LIMIT ").arg(limit);
    let rows = db.fetch_all(sql).await?;
    rows.iter().map(|row| Ok((row.i64("seq")?, head(row)?))).collect()
}

fn head(row: &Row) -> Result<Option<SignedHead>, StoreError> {
    let hash = |bytes: Vec<u8>| Hash::try_from(bytes).ok();
    let (hash, signature) = (hash(row.bytes("hash")?), hash(row.bytes("signature")?));
    let (Some(hash), Some(signature)) = (hash, signature) else { return Ok(None) };
    let (at, seq, key_id) = (row.micros("at")?, row.i64("seq")?, row.text("key_id")?);
    Ok(Some(SignedHead { at, seq, hash, key_id, signature }))
}

/// One head for each end of the chain, whichever replica is first; says whether this one was.
pub async fn keep_head(db: &Db, head: &SignedHead) -> Result<bool, StoreError> {
    let Micros(at) = head.at;
    let sql = Sql::new("INSERT INTO audit_heads (seq, at, hash, key_id, signature) VALUES (")
        .arg(head.seq)
        .push(", ")
        .arg(at)
        .push(", ")
        .arg(&head.hash[..])
        .push(", ")
        .arg(&head.key_id)
        .push(", ")
        .arg(&head.signature[..])
        .push(") ON CONFLICT DO NOTHING");
    let mut tx = db.begin().await?;
    let kept = tx.execute(sql).await?;
    tx.commit(Vec::new()).await?;
    Ok(kept > 0)
}

/// Up to which row the chain was pruned.
#[derive(Clone, Debug)]
pub struct StoredCheckpoint {
    /// 0 when nothing was pruned.
    pub seq: i64,
    /// None when it has not all that a checkpoint has.
    pub signed: Option<Checkpoint>,
}

const CHECKPOINT: &str =
    "SELECT seq, at, hash, key_id, signature FROM audit_checkpoint WHERE id = 1";

/// A checkpoint that was taken away says nothing; then the rows before the first are missing.
pub async fn checkpoint(db: &Db) -> Result<StoredCheckpoint, StoreError> {
    read_checkpoint(db.fetch_optional(Sql::new(CHECKPOINT)).await?.as_ref())
}

fn read_checkpoint(row: Option<&Row>) -> Result<StoredCheckpoint, StoreError> {
    let Some(row) = row else { return Ok(StoredCheckpoint { seq: 0, signed: None }) };
    let hash = |bytes: Option<Vec<u8>>| bytes.and_then(|bytes| Hash::try_from(bytes).ok());
    let (seq, at) = (row.i64("seq")?, row.micros("at")?);
    let (hash, signature) = (hash(row.opt_bytes("hash")?), hash(row.opt_bytes("signature")?));
    let signed = hash.zip(signature).zip(row.opt_text("key_id")?);
    let signed = signed.map(|((hash, signature), key_id)| {
        Checkpoint(SignedHead { at, seq, hash, key_id, signature })
    });
    Ok(StoredCheckpoint { seq, signed })
}

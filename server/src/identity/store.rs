//! All SQL of sessions and rights.

use app::{identity::Role, time::Micros};

use super::rights::{Held, Holder};
use crate::store::{Db, Row, Sql, StoreError, Tx};

/// A session as one request needs it, with whose it is.
#[derive(Clone, Debug)]
pub struct SessionRow {
    pub id: String,
    pub person_id: String,
    pub name: String,
    pub seen_at: Micros,
    pub expires_at: Micros,
    pub ended: bool,
    pub disabled: bool,
    pub epoch: i64,
}

/// A key as one request needs it, with whose it is.
#[derive(Clone, Debug)]
pub struct KeyRow {
    pub id: String,
    pub name: String,
    pub owner_id: Option<String>,
    pub owner_disabled: bool,
    pub service_identity: Option<String>,
    pub capabilities: String,
    pub workspace_id: Option<i64>,
    pub expires_at: Option<Micros>,
    pub revoked: bool,
    pub epoch: i64,
}

pub async fn find_session(db: &Db, token_hash: Vec<u8>) -> Result<Option<SessionRow>, StoreError> {
    let sql = Sql::new(
        "SELECT s.id, s.person_id, p.display_name, s.seen_at, s.expires_at, s.ended_at, p.disabled_at, e.epoch \
         FROM sessions s JOIN people p ON p.id = s.person_id CROSS JOIN identity_epoch e \
         WHERE s.token_hash = ",
    )
    .arg(token_hash);
    db.fetch_optional(sql).await?.map(|row| session(&row)).transpose()
}

fn session(row: &Row) -> Result<SessionRow, StoreError> {
    Ok(SessionRow {
        id: row.text("id")?,
        person_id: row.text("person_id")?,
        name: row.text("display_name")?,
        seen_at: row.micros("seen_at")?,
        expires_at: row.micros("expires_at")?,
        ended: row.opt_micros("ended_at")?.is_some(),
        disabled: row.opt_micros("disabled_at")?.is_some(),
        epoch: row.i64("epoch")?,
    })
}

pub async fn find_key(db: &Db, token_hash: Vec<u8>) -> Result<Option<KeyRow>, StoreError> {
    let sql = Sql::new(
        "SELECT k.id, k.name, k.owner_id, p.disabled_at, k.service_identity, k.capabilities, k.workspace_id, \
         k.expires_at, k.revoked_at, e.epoch \
         FROM api_keys k LEFT JOIN people p ON p.id = k.owner_id CROSS JOIN identity_epoch e \
         WHERE k.token_hash = ",
    )
    .arg(token_hash);
    db.fetch_optional(sql).await?.map(|row| key(&row)).transpose()
}

fn key(row: &Row) -> Result<KeyRow, StoreError> {
    Ok(KeyRow {
        id: row.text("id")?,
        name: row.text("name")?,
        owner_id: row.opt_text("owner_id")?,
        owner_disabled: row.opt_micros("disabled_at")?.is_some(),
        service_identity: row.opt_text("service_identity")?,
        capabilities: row.text("capabilities")?,
        workspace_id: row.opt_i64("workspace_id")?,
        expires_at: row.opt_micros("expires_at")?,
        revoked: row.opt_micros("revoked_at")?.is_some(),
        epoch: row.i64("epoch")?,
    })
}

pub async fn epoch(db: &Db) -> Result<i64, StoreError> {
    db.fetch_one(Sql::new("SELECT epoch FROM identity_epoch WHERE id = 1")).await?.i64("epoch")
}

/// Part of every transaction that changes what anyone may do.
pub async fn move_epoch(tx: &mut Tx) -> Result<(), StoreError> {
    let sql = Sql::new("UPDATE identity_epoch SET epoch = epoch + 1 WHERE id = 1");
    tx.execute(sql).await.map(|_| ())
}

/// Grants to the holder and, of a person, to the groups that they are in.
pub async fn grants_of(db: &Db, holder: &Holder) -> Result<Vec<Held>, StoreError> {
    const SELECT: &str = "SELECT role, workspace_id FROM grants WHERE (subject_kind = ";
    let sql = match holder {
        Holder::Key(id) => {
            Sql::new(SELECT).arg("api_key").push(" AND subject_id = ").arg(id).push(")")
        }
        Holder::Person(id) => Sql::new(SELECT)
            .arg("person")
            .push(" AND subject_id = ")
            .arg(id)
            .push(") OR (subject_kind = ")
            .arg("group")
            .push(" AND subject_id IN (SELECT name FROM person_groups WHERE person_id = ")
            .arg(id)
            .push("))"),
    };
    db.fetch_all(sql).await?.iter().map(held).filter_map(Result::transpose).collect()
}

/// None for a role that this version does not know: it grants nothing here.
fn held(row: &Row) -> Result<Option<Held>, StoreError> {
    let workspace_id = row.opt_i64("workspace_id")?;
    Ok(row.text("role")?.parse::<Role>().ok().map(|role| Held { role, workspace_id }))
}

/// Whether a role is granted to anybody who can sign in: to a group, or to a person who is not disabled.
pub async fn holds_any_grant(db: &Db) -> Result<bool, StoreError> {
    let sql = Sql::new(
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM grants WHERE subject_kind = 'group') \
         OR EXISTS (SELECT 1 FROM grants g JOIN people p ON p.id = g.subject_id \
         WHERE g.subject_kind = 'person' AND p.disabled_at IS NULL) THEN 1 ELSE 0 END AS held",
    );
    db.fetch_one(sql).await?.bool("held")
}

pub async fn groups_of(db: &Db, person_id: &str) -> Result<Vec<String>, StoreError> {
    let sql = Sql::new("SELECT name FROM person_groups WHERE person_id = ").arg(person_id);
    db.fetch_all(sql.push(" ORDER BY name")).await?.iter().map(|row| row.text("name")).collect()
}

/// A session that begins.
pub struct Begins<'a> {
    pub id: &'a str,
    pub token_hash: Vec<u8>,
    pub person_id: &'a str,
    pub method: &'a str,
    pub address: Option<String>,
    pub device: Option<String>,
    pub now: Micros,
    pub expires_at: Micros,
}

pub async fn insert_session(tx: &mut Tx, begins: Begins<'_>) -> Result<(), StoreError> {
    let sql = Sql::new(
        "INSERT INTO sessions (id, token_hash, person_id, method, address, device, created_at, seen_at, \
         expires_at) VALUES (",
    )
    .arg(begins.id)
    .push(", ")
    .arg(begins.token_hash)
    .push(", ")
    .arg(begins.person_id)
    .push(", ")
    .arg(begins.method)
    .push(", ")
    .arg(begins.address)
    .push(", ")
    .arg(begins.device)
    .push(", ")
    .arg(begins.now)
    .push(", ")
    .arg(begins.now)
    .push(", ")
    .arg(begins.expires_at)
    .push(")");
    tx.execute(sql).await?;
    let sql = Sql::new("UPDATE people SET signed_in_at = ").arg(begins.now);
    tx.execute(sql.push(" WHERE id = ").arg(begins.person_id)).await.map(|_| ())
}

/// Ends one session; false when it had ended before.
pub async fn end_session(tx: &mut Tx, id: &str, why: &'static str) -> Result<bool, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE sessions SET ended_at = ")
        .arg(now)
        .push(", ended_why = ")
        .arg(why)
        .push(", tokens = NULL WHERE ended_at IS NULL AND id = ")
        .arg(id);
    Ok(tx.execute(sql).await? > 0)
}

/// Ends every session of a person, but perhaps the one that asks; says how many.
pub async fn end_sessions_of(
    tx: &mut Tx,
    person_id: &str,
    but: Option<&str>,
    why: &'static str,
) -> Result<u64, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE sessions SET ended_at = ")
        .arg(now)
        .push(", ended_why = ")
        .arg(why)
        .push(", tokens = NULL WHERE ended_at IS NULL AND person_id = ")
        .arg(person_id)
        .push(" AND id <> ")
        .arg(but.unwrap_or_default());
    tx.execute(sql).await
}

/// When a session was last of use. Never earlier than what is known already: replicas write in any order.
pub async fn touch_session(tx: &mut Tx, id: &str, at: Micros) -> Result<(), StoreError> {
    let sql = Sql::new("UPDATE sessions SET seen_at = ").arg(at).push(" WHERE id = ").arg(id);
    tx.execute(sql.push(" AND seen_at < ").arg(at)).await.map(|_| ())
}

pub async fn touch_key(tx: &mut Tx, id: &str, at: Micros) -> Result<(), StoreError> {
    let sql = Sql::new("UPDATE api_keys SET used_at = ").arg(at).push(" WHERE id = ").arg(id);
    tx.execute(sql.push(" AND (used_at IS NULL OR used_at < ").arg(at).push(")")).await.map(|_| ())
}

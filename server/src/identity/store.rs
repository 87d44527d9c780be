//! All SQL of sessions and rights.

use app::{
    identity::{Caller, Capability, Role, model::WorkspaceName},
    time::Micros,
};

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
    pub used_at: Option<Micros>,
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
         k.expires_at, k.used_at, k.revoked_at, e.epoch \
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
        used_at: row.opt_micros("used_at")?,
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

/// A person, as far as their own page tells.
pub struct PersonRow {
    pub login: String,
    pub email: Option<String>,
    pub has_password: bool,
}

pub async fn find_person(db: &Db, id: &str) -> Result<Option<PersonRow>, StoreError> {
    let sql = Sql::new("SELECT source, login, email FROM people WHERE id = ").arg(id);
    let Some(row) = db.fetch_optional(sql).await? else { return Ok(None) };
    Ok(Some(PersonRow {
        login: row.text("login")?,
        email: row.opt_text("email")?,
        has_password: row.text("source")? == "local",
    }))
}

/// Workspaces that are not archived.
pub async fn workspaces(db: &Db) -> Result<Vec<WorkspaceName>, StoreError> {
    let sql =
        Sql::new("SELECT id, name FROM workspaces WHERE archived_at IS NULL ORDER BY name, id");
    let rows = db.fetch_all(sql).await?;
    rows.iter()
        .map(|row| Ok(WorkspaceName { id: row.i64("id")?, name: row.text("name")? }))
        .collect()
}

/// A session as its owner sees it.
pub struct OpenSession {
    pub id: String,
    pub token_hash: Vec<u8>,
    pub method: String,
    pub address: Option<String>,
    pub device: Option<String>,
    pub created_at: Micros,
    pub seen_at: Micros,
    pub expires_at: Micros,
}

/// The newest sessions of a person that nobody ended.
pub async fn open_sessions_of(db: &Db, person_id: &str) -> Result<Vec<OpenSession>, StoreError> {
    let sql = Sql::new(
        "SELECT id, token_hash, method, address, device, created_at, seen_at, expires_at FROM sessions \
         WHERE ended_at IS NULL AND person_id = ",
    )
    .arg(person_id)
    .push(" ORDER BY created_at DESC LIMIT 200");
    let rows = db.fetch_all(sql).await?;
    let read = |row: &Row| {
        Ok(OpenSession {
            id: row.text("id")?,
            token_hash: row.bytes("token_hash")?,
            method: row.text("method")?,
            address: row.opt_text("address")?,
            device: row.opt_text("device")?,
            created_at: row.micros("created_at")?,
            seen_at: row.micros("seen_at")?,
            expires_at: row.micros("expires_at")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Ids and token hashes of the sessions of a person that nobody ended.
pub async fn sessions_of(
    tx: &mut Tx,
    person_id: &str,
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let sql =
        Sql::new("SELECT id, token_hash FROM sessions WHERE ended_at IS NULL AND person_id = ")
            .arg(person_id);
    tx.fetch_all(sql)
        .await?
        .iter()
        .map(|row| Ok((row.text("id")?, row.bytes("token_hash")?)))
        .collect()
}

pub async fn owner_of_session(tx: &mut Tx, id: &str) -> Result<Option<String>, StoreError> {
    let sql = Sql::new("SELECT person_id FROM sessions WHERE id = ").arg(id);
    tx.fetch_optional(sql).await?.map(|row| row.text("person_id")).transpose()
}

/// None when the same grant stands already.
pub async fn insert_grant(
    tx: &mut Tx,
    id: &str,
    (subject_kind, subject_id): (&'static str, &str),
    role: Role,
    workspace_id: Option<i64>,
    by: &Caller,
) -> Result<Option<()>, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new(
        "INSERT INTO grants (id, subject_kind, subject_id, role, workspace_id, created_at, created_by_id, \
         created_by_name) VALUES (",
    )
    .arg(id)
    .push(", ")
    .arg(subject_kind)
    .push(", ")
    .arg(subject_id)
    .push(", ")
    .arg(role.as_str())
    .push(", ")
    .arg(workspace_id)
    .push(", ")
    .arg(now)
    .push(", ")
    .arg(&by.id)
    .push(", ")
    .arg(&by.name)
    .push(") ON CONFLICT DO NOTHING RETURNING id");
    Ok(tx.fetch_optional(sql).await?.map(|_| ()))
}

/// A key that begins.
pub struct NewKey<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub prefix: &'a str,
    pub token_hash: Vec<u8>,
    pub owner_id: Option<&'a str>,
    pub service_identity: Option<&'a str>,
    pub capabilities: &'a [Capability],
    pub workspace_id: Option<i64>,
    pub expires_at: Option<Micros>,
}

/// None when the same key is there already.
pub async fn insert_key(
    tx: &mut Tx,
    key: NewKey<'_>,
    by: &Caller,
) -> Result<Option<()>, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new(
        "INSERT INTO api_keys (id, name, prefix, token_hash, owner_id, service_identity, capabilities, \
         workspace_id, expires_at, created_at, created_by_id, created_by_name) VALUES (",
    )
    .arg(key.id)
    .push(", ")
    .arg(key.name)
    .push(", ")
    .arg(key.prefix)
    .push(", ")
    .arg(key.token_hash)
    .push(", ")
    .arg(key.owner_id)
    .push(", ")
    .arg(key.service_identity)
    .push(", ")
    .arg(Capability::names(key.capabilities))
    .push(", ")
    .arg(key.workspace_id)
    .push(", ")
    .arg(key.expires_at)
    .push(", ")
    .arg(now)
    .push(", ")
    .arg(&by.id)
    .push(", ")
    .arg(&by.name)
    .push(") ON CONFLICT (token_hash) DO NOTHING RETURNING id");
    Ok(tx.fetch_optional(sql).await?.map(|_| ()))
}

/// Revokes the keys of this name that somebody owns.
pub async fn revoke_keys_of(tx: &mut Tx, owner_id: &str, name: &str) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE api_keys SET revoked_at = ")
        .arg(now)
        .push(" WHERE revoked_at IS NULL AND owner_id = ")
        .arg(owner_id)
        .push(" AND name = ")
        .arg(name);
    tx.execute(sql).await.map(|_| ())
}

//! API keys: whose, what at most, how long.

use app::{
    identity::{
        Caller, Capability, Reach,
        model::{ApiKey, KeyOwner, KeyState},
    },
    list::{ListQuery, Page},
    time::Micros,
};

use super::{people::workspace, within};
use crate::store::{
    Db, Row, Sql, StoreError, Tx,
    paged::{Ask, like, paged},
};

const COLUMNS: &str = "SELECT k.id, k.name, k.prefix, k.owner_id, p.display_name AS owner_name, \
    p.disabled_at AS owner_disabled_at, k.service_identity, k.capabilities, k.workspace_id, \
    w.name AS workspace_name, k.created_at, k.created_by_id, k.created_by_name, k.expires_at, \
    k.used_at, k.revoked_at";
const FROM: &str = " FROM api_keys k LEFT JOIN people p ON p.id = k.owner_id \
    LEFT JOIN workspaces w ON w.id = k.workspace_id WHERE ";

/// Everybody's within reach, or with `owner` one person's.
pub async fn list(
    db: &Db,
    reach: &Reach,
    owner: Option<&str>,
    query: &ListQuery,
    now: Micros,
) -> Result<Page<ApiKey>, StoreError> {
    let mut sql = within(Sql::new(FROM).push("1 = 1"), "k.workspace_id", reach);
    if let Some(owner) = owner {
        sql = sql.push(" AND k.owner_id = ").arg(owner);
    }
    if let Some(words) = query.value("q") {
        let like = like(words);
        for (before, after) in [
            (" AND (LOWER(k.name) LIKE ", " ESCAPE '\\'"),
            (" OR LOWER(k.service_identity) LIKE ", " ESCAPE '\\'"),
            (" OR LOWER(p.display_name) LIKE ", " ESCAPE '\\')"),
        ] {
            sql = sql.push(before).arg(&like).push(after);
        }
    }
    if !query.values("state").is_empty() {
        sql = sql.push(" AND (");
        for (n, state) in query.values("state").iter().enumerate() {
            sql = in_state(if n == 0 { sql } else { sql.push(" OR ") }, state, now);
        }
        sql = sql.push(")");
    }
    let workspaces = query.values("workspace_id");
    if !workspaces.is_empty() {
        let ids = workspaces.iter().filter_map(|id| id.parse::<i64>().ok());
        sql = sql.push(" AND k.workspace_id IN ").list(ids);
    }
    let order = " ORDER BY k.created_at DESC, k.id";
    paged(db, query, Ask { select: COLUMNS, from_where: sql, order }, |row| key(row, now)).await
}

/// As [`ApiKey::state`] decides.
fn in_state(sql: Sql, state: &str, now: Micros) -> Sql {
    match state.parse() {
        Ok(KeyState::Revoked) => sql.push("k.revoked_at IS NOT NULL"),
        Ok(KeyState::Expired) => {
            sql.push("(k.revoked_at IS NULL AND k.expires_at <= ").arg(now).push(")")
        }
        Ok(KeyState::OwnerDisabled) => sql
            .push("(k.revoked_at IS NULL AND p.disabled_at IS NOT NULL AND (k.expires_at IS NULL OR k.expires_at > ")
            .arg(now)
            .push("))"),
        _ => sql
            .push("(k.revoked_at IS NULL AND p.disabled_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ")
            .arg(now)
            .push("))"),
    }
}

fn key(row: &Row, now: Micros) -> Result<ApiKey, StoreError> {
    let (expires_at, revoked_at) = (row.opt_micros("expires_at")?, row.opt_micros("revoked_at")?);
    let disabled = row.opt_micros("owner_disabled_at")?.is_some();
    let owner_name = row.opt_text("owner_name")?.unwrap_or_default();
    let capabilities = row.text("capabilities")?;
    Ok(ApiKey {
        id: row.text("id")?,
        name: row.text("name")?,
        prefix: row.text("prefix")?,
        state: ApiKey::state(revoked_at.is_some(), expires_at, disabled, now),
        owner: row.opt_text("owner_id")?.map(|id| KeyOwner { id, name: owner_name }),
        service_identity: row.opt_text("service_identity")?,
        capabilities: capabilities.split(' ').filter_map(|name| name.parse().ok()).collect(),
        workspace: workspace(row, "workspace_id", "workspace_name")?,
        created_at: row.micros("created_at")?,
        created_by_id: row.text("created_by_id")?,
        created_by_name: row.text("created_by_name")?,
        expires_at,
        used_at: row.opt_micros("used_at")?,
        revoked_at,
    })
}

pub async fn find_in(tx: &mut Tx, id: &str) -> Result<Option<ApiKey>, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new(COLUMNS).push(FROM).push("k.id = ").arg(id);
    tx.fetch_optional(sql).await?.map(|row| key(&row, now)).transpose()
}

pub struct New<'a> {
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

/// False when this very key is known.
pub async fn insert(tx: &mut Tx, by: &Caller, new: New<'_>) -> Result<bool, StoreError> {
    let now = tx.now().await?;
    let names = new.capabilities.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(" ");
    let sql = Sql::new(
        "INSERT INTO api_keys (id, name, prefix, token_hash, owner_id, service_identity, capabilities, \
         workspace_id, expires_at, created_at, created_by_id, created_by_name) VALUES (",
    )
    .arg(new.id)
    .push(", ")
    .arg(new.name)
    .push(", ")
    .arg(new.prefix)
    .push(", ")
    .arg(new.token_hash)
    .push(", ")
    .arg(new.owner_id)
    .push(", ")
    .arg(new.service_identity)
    .push(", ")
    .arg(names)
    .push(", ")
    .arg(new.workspace_id)
    .push(", ")
    .arg(new.expires_at)
    .push(", ")
    .arg(now)
    .push(", ")
    .arg(&by.id)
    .push(", ")
    .arg(&by.name)
    .push(") ON CONFLICT DO NOTHING RETURNING id");
    Ok(tx.fetch_optional(sql).await?.is_some())
}

/// Keys that were made with this one and open something still.
pub async fn made_with(tx: &mut Tx, id: &str) -> Result<Vec<ApiKey>, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new(COLUMNS).push(FROM).push("k.revoked_at IS NULL AND k.created_by_id = ");
    tx.fetch_all(sql.arg(id)).await?.iter().map(|row| key(row, now)).collect()
}

pub async fn revoke(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE api_keys SET revoked_at = ").arg(now);
    tx.execute(sql.push(" WHERE revoked_at IS NULL AND id = ").arg(id)).await.map(|_| ())
}

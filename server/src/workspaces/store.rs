//! All SQL of workspaces and tenants.

use app::{
    error::ApiError,
    identity::Reach,
    list::{ListQuery, Page},
    workspaces::model::{PLATFORM, Tenant, Workspace},
};

use crate::store::{
    Db, Row, Sql, StoreError, Tx,
    paged::{Ask, like, paged},
};

const COLUMNS: &str = "SELECT w.id, w.name, w.created_at, w.archived_at";
const TENANT: &str = "SELECT t.id, t.workspace_id, t.name, t.created_at, t.archived_at";

/// What the domain answers when the store could not.
pub fn refused(error: StoreError) -> ApiError {
    tracing::error!(%error, "The store could not answer for workspaces.");
    error.into()
}

fn within(sql: Sql, column: &'static str, reach: &Reach) -> Sql {
    match reach {
        Reach::Everything => sql,
        Reach::Workspaces(ids) => {
            sql.push(" AND ").push(column).push(" IN ").list(ids.iter().copied())
        }
    }
}

fn workspace(row: &Row) -> Result<Workspace, StoreError> {
    let id = row.i64("id")?;
    Ok(Workspace {
        id,
        name: row.text("name")?,
        built_in: id == PLATFORM,
        tenants: Vec::new(),
        created_at: row.micros("created_at")?,
        archived_at: row.opt_micros("archived_at")?,
    })
}

fn tenant(row: &Row) -> Result<Tenant, StoreError> {
    Ok(Tenant {
        id: row.i64("id")?,
        workspace_id: row.i64("workspace_id")?,
        name: row.text("name")?,
        created_at: row.micros("created_at")?,
        archived_at: row.opt_micros("archived_at")?,
    })
}

pub async fn list(
    db: &Db,
    reach: &Reach,
    query: &ListQuery,
) -> Result<Page<Workspace>, StoreError> {
    let mut sql = within(Sql::new(" FROM workspaces w WHERE 1 = 1"), "w.id", reach);
    if let Some(words) = query.value("q") {
        sql = sql.push(" AND LOWER(w.name) LIKE ").arg(like(words)).push(" ESCAPE '\\'");
    }
    if let [state] = query.values("state") {
        sql = sql.push(match state.as_str() {
            "archived" => " AND w.archived_at IS NOT NULL",
            _ => " AND w.archived_at IS NULL",
        });
    }
    let order = " ORDER BY w.name, w.id";
    let mut page =
        paged(db, query, Ask { select: COLUMNS, from_where: sql, order }, workspace).await?;
    with_tenants(db, &mut page.items).await?;
    Ok(page)
}

async fn with_tenants(db: &Db, workspaces: &mut [Workspace]) -> Result<(), StoreError> {
    let ids = workspaces.iter().map(|w| w.id).collect::<Vec<_>>();
    let sql = Sql::new(TENANT).push(" FROM tenants t WHERE t.workspace_id IN ").list(ids);
    for row in db.fetch_all(sql.push(" ORDER BY t.name, t.id")).await? {
        let tenant = tenant(&row)?;
        if let Some(of) = workspaces.iter_mut().find(|w| w.id == tenant.workspace_id) {
            of.tenants.push(tenant);
        }
    }
    Ok(())
}

pub async fn find(db: &Db, id: i64) -> Result<Option<Workspace>, StoreError> {
    let sql = Sql::new(COLUMNS).push(" FROM workspaces w WHERE w.id = ").arg(id);
    let Some(row) = db.fetch_optional(sql).await? else { return Ok(None) };
    let mut found = [workspace(&row)?];
    with_tenants(db, &mut found).await?;
    let [found] = found;
    Ok(Some(found))
}

pub async fn find_in(tx: &mut Tx, id: i64) -> Result<Option<Workspace>, StoreError> {
    let sql = Sql::new(COLUMNS).push(" FROM workspaces w WHERE w.id = ").arg(id);
    tx.fetch_optional(sql).await?.map(|row| workspace(&row)).transpose()
}

pub async fn tenants(
    db: &Db,
    reach: &Reach,
    query: &ListQuery,
) -> Result<Page<Tenant>, StoreError> {
    let mut sql = within(Sql::new(" FROM tenants t WHERE 1 = 1"), "t.workspace_id", reach);
    if let Some(words) = query.value("q") {
        sql = sql.push(" AND LOWER(t.name) LIKE ").arg(like(words)).push(" ESCAPE '\\'");
    }
    if let [state] = query.values("state") {
        sql = sql.push(match state.as_str() {
            "archived" => " AND t.archived_at IS NOT NULL",
            _ => " AND t.archived_at IS NULL",
        });
    }
    let workspaces = query.values("workspace_id");
    if !workspaces.is_empty() {
        let ids = workspaces.iter().filter_map(|id| id.parse::<i64>().ok());
        sql = sql.push(" AND t.workspace_id IN ").list(ids);
    }
    let order = " ORDER BY t.name, t.id";
    paged(db, query, Ask { select: TENANT, from_where: sql, order }, tenant).await
}

pub async fn find_tenant(db: &Db, id: i64) -> Result<Option<Tenant>, StoreError> {
    let sql = Sql::new(TENANT).push(" FROM tenants t WHERE t.id = ").arg(id);
    db.fetch_optional(sql).await?.map(|row| tenant(&row)).transpose()
}

pub async fn find_tenant_in(tx: &mut Tx, id: i64) -> Result<Option<Tenant>, StoreError> {
    let sql = Sql::new(TENANT).push(" FROM tenants t WHERE t.id = ").arg(id);
    tx.fetch_optional(sql).await?.map(|row| tenant(&row)).transpose()
}

/// None when the name is taken.
pub async fn insert(tx: &mut Tx, name: &str) -> Result<Option<Workspace>, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("INSERT INTO workspaces (name, created_at) VALUES (")
        .arg(name)
        .push(", ")
        .arg(now)
        .push(") ON CONFLICT DO NOTHING RETURNING id, name, created_at, archived_at");
    tx.fetch_optional(sql).await?.map(|row| workspace(&row)).transpose()
}

/// None when the workspace has one of that name.
pub async fn insert_tenant(
    tx: &mut Tx,
    workspace_id: i64,
    name: &str,
) -> Result<Option<Tenant>, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("INSERT INTO tenants (workspace_id, name, created_at) VALUES (")
        .arg(workspace_id)
        .push(", ")
        .arg(name)
        .push(", ")
        .arg(now)
        .push(") ON CONFLICT DO NOTHING RETURNING id, workspace_id, name, created_at, archived_at");
    tx.fetch_optional(sql).await?.map(|row| tenant(&row)).transpose()
}

/// False when the name is taken. Names change under the lock of the epoch alone, so looking first is enough.
pub async fn rename(tx: &mut Tx, id: i64, name: &str) -> Result<bool, StoreError> {
    let taken = Sql::new("SELECT id FROM workspaces WHERE name = ").arg(name);
    if tx.fetch_optional(taken).await?.is_some() {
        return Ok(false);
    }
    let sql = Sql::new("UPDATE workspaces SET name = ").arg(name).push(" WHERE id = ").arg(id);
    Ok(tx.execute(sql).await? == 1)
}

pub async fn rename_tenant(tx: &mut Tx, tenant: &Tenant, name: &str) -> Result<bool, StoreError> {
    let taken = Sql::new("SELECT id FROM tenants WHERE workspace_id = ")
        .arg(tenant.workspace_id)
        .push(" AND name = ")
        .arg(name);
    if tx.fetch_optional(taken).await?.is_some() {
        return Ok(false);
    }
    let sql = Sql::new("UPDATE tenants SET name = ").arg(name).push(" WHERE id = ").arg(tenant.id);
    Ok(tx.execute(sql).await? == 1)
}

pub async fn archive(tx: &mut Tx, id: i64) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE workspaces SET archived_at = ").arg(now).push(" WHERE id = ");
    tx.execute(sql.arg(id)).await.map(|_| ())
}

pub async fn archive_tenant(tx: &mut Tx, id: i64) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE tenants SET archived_at = ").arg(now).push(" WHERE id = ");
    tx.execute(sql.arg(id)).await.map(|_| ())
}

//! Saved views. Whoever reads says whose they are to be: shared ones within reach, and one's own.

use app::{
    identity::Reach,
    list::{ListQuery, Page},
    operations::{
        filters::List,
        model::Named,
        saved_views::{SavedView, read},
    },
};

use crate::store::{
    Db, Row, Sql, StoreError, Tx,
    paged::{Ask, paged},
};

const COLUMNS: &str = "SELECT v.id, v.workspace_id, w.name AS workspace_name, v.list, v.name, \
    v.query, v.shared, v.owner_id, v.owner_name, v.created_at, v.updated_at";
const FROM: &str = " FROM saved_views v JOIN workspaces w ON w.id = v.workspace_id WHERE ";

/// Whose views are meant.
pub struct Seen<'a> {
    pub reach: &'a Reach,
    /// None for who owns none.
    pub owner: Option<&'a str>,
}

fn seen(sql: Sql, seen: &Seen<'_>) -> Sql {
    let sql = sql.push("(v.shared = 1 OR v.owner_id = ").arg(seen.owner).push(")");
    match seen.reach {
        Reach::Everything => sql,
        Reach::Workspaces(ids) => sql.push(" AND v.workspace_id IN ").list(ids.iter().copied()),
    }
}

pub async fn list(
    db: &Db,
    whose: &Seen<'_>,
    query: &ListQuery,
) -> Result<Page<SavedView>, StoreError> {
    let mut sql = seen(Sql::new(FROM), whose);
    let lists = query.values("list");
    if !lists.is_empty() {
        sql = sql.push(" AND v.list IN ").list(lists.iter());
    }
    let workspaces = query.values("workspace_id");
    if !workspaces.is_empty() {
        let ids = workspaces.iter().filter_map(|id| id.parse::<i64>().ok());
        sql = sql.push(" AND v.workspace_id IN ").list(ids);
    }
    // A list that this program no longer has is none that it can show.
    sql = sql.push(" AND v.list IN ").list(List::ALL.map(List::as_str));
    let order = " ORDER BY v.shared DESC, v.name, v.id";
    paged(db, query, Ask { select: COLUMNS, from_where: sql, order }, view).await
}

pub async fn find_in(
    tx: &mut Tx,
    whose: &Seen<'_>,
    id: &str,
) -> Result<Option<SavedView>, StoreError> {
    let sql = seen(Sql::new(COLUMNS).push(FROM), whose).push(" AND v.id = ").arg(id);
    tx.fetch_optional(sql).await?.map(|row| view(&row)).transpose()
}

/// A view that is about to be stored.
pub struct NewView<'a> {
    pub id: &'a str,
    pub workspace_id: i64,
    pub list: List,
    pub name: &'a str,
    pub query: &'a str,
    pub shared: bool,
    pub owner_id: &'a str,
    pub owner_name: &'a str,
}

/// False when the name is taken.
pub async fn insert(tx: &mut Tx, new: &NewView<'_>) -> Result<bool, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new(
        "INSERT INTO saved_views (id, workspace_id, list, name, query, shared, owner_id, \
         owner_name, created_at, updated_at) VALUES ",
    )
    .list([
        crate::store::Value::from(new.id),
        new.workspace_id.into(),
        new.list.as_str().into(),
        new.name.into(),
        new.query.into(),
        new.shared.into(),
        new.owner_id.into(),
        new.owner_name.into(),
        now.into(),
        now.into(),
    ])
    .push(" ON CONFLICT DO NOTHING RETURNING id");
    Ok(tx.fetch_optional(sql).await?.is_some())
}

/// Fails with [`StoreError::Unique`] when the name is taken.
pub async fn rename(tx: &mut Tx, id: &str, name: &str) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE saved_views SET name = ")
        .arg(name)
        .push(", updated_at = ")
        .arg(now)
        .push(" WHERE id = ")
        .arg(id);
    tx.execute(sql).await.map(|_| ())
}

pub async fn delete(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    tx.execute(Sql::new("DELETE FROM saved_views WHERE id = ").arg(id)).await.map(|_| ())
}

fn view(row: &Row) -> Result<SavedView, StoreError> {
    let (list, query): (List, String) = (row.word("list")?, row.text("query")?);
    Ok(SavedView {
        id: row.text("id")?,
        workspace: Named { id: row.i64("workspace_id")?, name: row.text("workspace_name")? },
        list,
        name: row.text("name")?,
        outdated: read(list, &query).err().unwrap_or_default(),
        query,
        shared: row.i64("shared")? == 1,
        owner_id: row.text("owner_id")?,
        owner_name: row.text("owner_name")?,
        // Decided by the service, which knows who asks.
        changeable: false,
        created_at: row.micros("created_at")?,
        updated_at: row.micros("updated_at")?,
    })
}

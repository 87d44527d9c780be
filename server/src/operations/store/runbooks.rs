//! What workspaces write instead of the product's runbooks. Versions are added and never changed.

use app::{
    identity::Reach,
    operations::{model::Named, runbooks::RunbookVersion},
    time::Micros,
};

use crate::store::{self, Db, Row, Sql, StoreError, Tx};

/// Versions that a history shows.
pub const VERSIONS_MAX: i64 = 200;
/// Workspaces that a chooser offers.
const WORKSPACES_MAX: i64 = 500;

const COLUMNS: &str = "SELECT o.type, o.version, o.markdown, o.author_id, o.author_name, o.created_at \
     FROM runbook_overrides o WHERE o.workspace_id = ";

fn version(row: &Row) -> Result<RunbookVersion, StoreError> {
    Ok(RunbookVersion {
        version: row.i64("version")?,
        markdown: row.text("markdown")?,
        author_id: row.text("author_id")?,
        author_name: row.text("author_name")?,
        created_at: row.micros("created_at")?,
    })
}

/// What the workspace wrote about a type, newest first.
pub async fn versions(
    db: &Db,
    workspace_id: i64,
    kind: &str,
    most: i64,
) -> Result<Vec<RunbookVersion>, StoreError> {
    let sql = Sql::new(COLUMNS)
        .arg(workspace_id)
        .push(" AND o.type = ")
        .arg(kind)
        .push(" ORDER BY o.version DESC LIMIT ")
        .arg(most);
    db.fetch_all(sql).await?.iter().map(version).collect()
}

/// The newest version of each type of which the workspace wrote any.
pub async fn newest(
    db: &Db,
    workspace_id: i64,
) -> Result<Vec<(String, RunbookVersion)>, StoreError> {
    let sql = Sql::new(COLUMNS).arg(workspace_id).push(
        " AND o.version = (SELECT MAX(n.version) FROM runbook_overrides n \
          WHERE n.workspace_id = o.workspace_id AND n.type = o.type)",
    );
    let read = |row: &Row| Ok((row.text("type")?, version(row)?));
    db.fetch_all(sql).await?.iter().map(read).collect()
}

/// The newest version, within the transaction that may add to it.
pub async fn newest_in(
    tx: &mut Tx,
    workspace_id: i64,
    kind: &str,
) -> Result<Option<RunbookVersion>, StoreError> {
    let sql = Sql::new(COLUMNS)
        .arg(workspace_id)
        .push(" AND o.type = ")
        .arg(kind)
        .push(" ORDER BY o.version DESC LIMIT 1");
    tx.fetch_optional(sql).await?.map(|row| version(&row)).transpose()
}

/// Adds a version. False when somebody else added that one first.
pub async fn insert(
    tx: &mut Tx,
    workspace_id: i64,
    kind: &str,
    new: &RunbookVersion,
) -> Result<bool, StoreError> {
    let sql = Sql::new(
        "INSERT INTO runbook_overrides (workspace_id, type, version, markdown, author_id, \
         author_name, created_at) VALUES ",
    )
    .list([
        store::Value::from(workspace_id),
        kind.into(),
        new.version.into(),
        new.markdown.as_str().into(),
        new.author_id.as_str().into(),
        new.author_name.as_str().into(),
        new.created_at.into(),
    ])
    .push(" ON CONFLICT DO NOTHING");
    Ok(tx.execute(sql).await? == 1)
}

/// A workspace that a runbook belongs to.
pub struct Place {
    pub name: String,
    pub archived_at: Option<Micros>,
}

fn place(row: &Row) -> Result<Place, StoreError> {
    Ok(Place { name: row.text("name")?, archived_at: row.opt_micros("archived_at")? })
}

const PLACE: &str = "SELECT name, archived_at FROM workspaces WHERE id = ";

pub async fn find_place(db: &Db, id: i64) -> Result<Option<Place>, StoreError> {
    db.fetch_optional(Sql::new(PLACE).arg(id)).await?.map(|row| place(&row)).transpose()
}

pub async fn find_place_in(tx: &mut Tx, id: i64) -> Result<Option<Place>, StoreError> {
    tx.fetch_optional(Sql::new(PLACE).arg(id)).await?.map(|row| place(&row)).transpose()
}

/// The open workspaces within reach, by name.
pub async fn workspaces(db: &Db, reach: &Reach) -> Result<Vec<Named>, StoreError> {
    let sql = Sql::new("SELECT id, name FROM workspaces WHERE archived_at IS NULL");
    let sql = match reach {
        Reach::Everything => sql,
        Reach::Workspaces(ids) => sql.push(" AND id IN ").list(ids.iter().copied()),
    };
    let sql = sql.push(" ORDER BY name, id LIMIT ").arg(WORKSPACES_MAX);
    let named = |row: &Row| Ok(Named { id: row.i64("id")?, name: row.text("name")? });
    db.fetch_all(sql).await?.iter().map(named).collect()
}

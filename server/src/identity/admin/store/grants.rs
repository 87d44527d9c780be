//! Grants: a subject, a role, and where.

use app::{
    identity::{
        Caller, Reach,
        model::{Grant, Subject, SubjectKind},
    },
    list::{ListQuery, Page},
};

use super::{people::workspace, within};
use crate::store::{
    Db, Row, Sql, StoreError, Tx,
    paged::{Ask, paged},
};

const COLUMNS: &str = "SELECT g.id, g.subject_kind, g.subject_id, p.display_name AS person_name, \
    k.name AS key_name, g.role, g.workspace_id, w.name AS workspace_name, g.created_at, \
    g.created_by_id, g.created_by_name";
const FROM: &str = " FROM grants g LEFT JOIN workspaces w ON w.id = g.workspace_id \
    LEFT JOIN people p ON g.subject_kind = 'person' AND p.id = g.subject_id \
    LEFT JOIN api_keys k ON g.subject_kind = 'api_key' AND k.id = g.subject_id WHERE ";
/// Roles that this version knows; another one grants nothing here.
const KNOWN: &str = "g.role IN ('auditor', 'operator', 'admin')";

pub async fn list(db: &Db, reach: &Reach, query: &ListQuery) -> Result<Page<Grant>, StoreError> {
    let mut sql = within(Sql::new(FROM).push(KNOWN), "g.workspace_id", reach);
    for (key, column) in [
        ("subject_kind", " AND g.subject_kind IN "),
        ("role", " AND g.role IN "),
        ("subject_id", " AND g.subject_id IN "),
    ] {
        if !query.values(key).is_empty() {
            sql = sql.push(column).list(query.values(key));
        }
    }
    let workspaces = query.values("workspace_id");
    if !workspaces.is_empty() {
        let ids = workspaces.iter().filter_map(|id| id.parse::<i64>().ok());
        sql = sql.push(" AND g.workspace_id IN ").list(ids);
    }
    let order = " ORDER BY g.created_at DESC, g.id";
    paged(db, query, Ask { select: COLUMNS, from_where: sql, order }, grant).await
}

fn grant(row: &Row) -> Result<Grant, StoreError> {
    let kind = row.word::<SubjectKind>("subject_kind")?;
    let id = row.text("subject_id")?;
    let name = match kind {
        SubjectKind::Person => row.opt_text("person_name")?,
        SubjectKind::ApiKey => row.opt_text("key_name")?,
        SubjectKind::Group => None,
    };
    Ok(Grant {
        id: row.text("id")?,
        subject: Subject { kind, name: name.unwrap_or_else(|| id.clone()), id },
        role: row.word("role")?,
        workspace: workspace(row, "workspace_id", "workspace_name")?,
        created_at: row.micros("created_at")?,
        created_by_id: row.text("created_by_id")?,
        created_by_name: row.text("created_by_name")?,
    })
}

pub async fn find_in(tx: &mut Tx, id: &str) -> Result<Option<Grant>, StoreError> {
    let sql = Sql::new(COLUMNS).push(FROM).push(KNOWN).push(" AND g.id = ").arg(id);
    tx.fetch_optional(sql).await?.map(|row| grant(&row)).transpose()
}

pub struct New<'a> {
    pub id: &'a str,
    pub subject_kind: SubjectKind,
    pub subject_id: &'a str,
    pub role: app::identity::Role,
    pub workspace_id: Option<i64>,
}

/// False when it stands already.
pub async fn insert(tx: &mut Tx, by: &Caller, new: &New<'_>) -> Result<bool, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new(
        "INSERT INTO grants (id, subject_kind, subject_id, role, workspace_id, created_at, created_by_id, \
         created_by_name) VALUES (",
    )
    .arg(new.id)
    .push(", ")
    .arg(new.subject_kind.as_str())
    .push(", ")
    .arg(new.subject_id)
    .push(", ")
    .arg(new.role.as_str())
    .push(", ")
    .arg(new.workspace_id)
    .push(", ")
    .arg(now)
    .push(", ")
    .arg(&by.id)
    .push(", ")
    .arg(&by.name)
    .push(") ON CONFLICT DO NOTHING RETURNING id");
    Ok(tx.fetch_optional(sql).await?.is_some())
}

pub async fn delete(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    tx.execute(Sql::new("DELETE FROM grants WHERE id = ").arg(id)).await.map(|_| ())
}

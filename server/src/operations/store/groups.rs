//! Failures by cause, as the ends of runs have counted them. Several workspaces' lines of one cause are one here.

use app::{
    identity::Reach,
    list::{ListQuery, Page},
    operations::lists::FailureGroup,
};

use super::Catalog;
use crate::store::{
    Db, Row, Sql, StoreError,
    paged::{Ask, like, paged},
};

const COLUMNS: &str = "SELECT g.fingerprint, s.type, s.code, s.summary, g.failures, g.first_seen, \
    g.last_seen, g.last_run_id, g.workspaces";

/// The cause that was seen last first.
pub async fn groups(
    db: &Db,
    catalog: &Catalog,
    reach: &Reach,
    query: &ListQuery,
) -> Result<Page<FailureGroup>, StoreError> {
    let all = Sql::new(
        " FROM (SELECT fingerprint, CAST(SUM(failures) AS BIGINT) AS failures, \
         MIN(first_seen) AS first_seen, MAX(last_seen) AS last_seen, \
         MAX(last_run_id) AS last_run_id, COUNT(*) AS workspaces FROM operation_failure_groups \
         WHERE 1 = 1",
    );
    // The line of the newest run speaks for all of its cause.
    let mut sql = within(all, reach, query).push(
        " GROUP BY fingerprint) g JOIN operation_failure_groups s \
         ON s.fingerprint = g.fingerprint AND s.last_run_id = g.last_run_id WHERE 1 = 1",
    );
    if let Some(words) = query.value("q") {
        sql = sql.push(" AND LOWER(s.summary) LIKE ").arg(like(words)).push(" ESCAPE '\\'");
    }
    let order = " ORDER BY g.last_seen DESC, g.fingerprint";
    let ask = Ask { select: COLUMNS, from_where: sql, order };
    paged(db, query, ask, |row| group(catalog, row)).await
}

fn within(mut sql: Sql, reach: &Reach, query: &ListQuery) -> Sql {
    if let Reach::Workspaces(ids) = reach {
        sql = sql.push(" AND workspace_id IN ").list(ids.iter().copied());
    }
    let workspaces = query.values("workspace_id");
    if !workspaces.is_empty() {
        let ids = workspaces.iter().filter_map(|id| id.parse::<i64>().ok());
        sql = sql.push(" AND workspace_id IN ").list(ids);
    }
    let kinds = query.values("type");
    if kinds.is_empty() { sql } else { sql.push(" AND type IN ").list(kinds.iter()) }
}

fn group(catalog: &Catalog, row: &Row) -> Result<FailureGroup, StoreError> {
    let kind = row.text("type")?;
    Ok(FailureGroup {
        fingerprint: row.text("fingerprint")?,
        type_label: catalog.label(&kind).to_owned(),
        kind,
        code: row.text("code")?,
        summary: row.text("summary")?,
        failures: row.i64("failures")?,
        first_seen: row.micros("first_seen")?,
        last_seen: row.micros("last_seen")?,
        last_run_id: row.i64("last_run_id")?,
        workspaces: row.i64("workspaces")?,
    })
}

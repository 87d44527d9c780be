//! What filters can be set to: names within reach, and who asked for the newest runs.

use app::{identity::Reach, operations::model::Named};

use crate::store::{Db, Row, Sql, StoreError};

/// More names than that are no choice any more; the filter takes what is typed as well.
const NAMES: i64 = 200;
/// How many of the newest runs tell who asks.
const LOOK: i64 = 1_000;
const INITIATORS: i64 = 30;

pub async fn workspaces(db: &Db, reach: &Reach) -> Result<Vec<Named>, StoreError> {
    let sql = Sql::new("SELECT id, name FROM workspaces WHERE 1 = 1");
    named(db, within(sql, " AND id IN ", reach)).await
}

pub async fn tenants(db: &Db, reach: &Reach) -> Result<Vec<Named>, StoreError> {
    let sql = Sql::new("SELECT id, name FROM tenants WHERE 1 = 1");
    named(db, within(sql, " AND workspace_id IN ", reach)).await
}

/// Who asked for the newest runs, the newest first.
pub async fn initiators(db: &Db, reach: &Reach) -> Result<Vec<String>, StoreError> {
    // The look is bounded before the reach narrows it, so that a narrow one does not look through everything.
    let sql = Sql::new(
        "SELECT initiator_name, MAX(id) AS newest FROM (SELECT id, initiator_name, workspace_id \
         FROM operation_runs ORDER BY id DESC LIMIT ",
    )
    .arg(LOOK)
    .push(") latest WHERE initiator_name IS NOT NULL");
    let sql = within(sql, " AND workspace_id IN ", reach)
        .push(" GROUP BY initiator_name ORDER BY newest DESC LIMIT ")
        .arg(INITIATORS);
    db.fetch_all(sql).await?.iter().map(|row| row.text("initiator_name")).collect()
}

fn within(sql: Sql, column_in: &'static str, reach: &Reach) -> Sql {
    match reach {
        Reach::Everything => sql,
        Reach::Workspaces(ids) => sql.push(column_in).list(ids.iter().copied()),
    }
}

async fn named(db: &Db, sql: Sql) -> Result<Vec<Named>, StoreError> {
    let read = |row: &Row| Ok(Named { id: row.i64("id")?, name: row.text("name")? });
    db.fetch_all(sql.push(" ORDER BY name, id LIMIT ").arg(NAMES)).await?.iter().map(read).collect()
}

//! All SQL of the administration of identity: people with their sessions, grants, keys.

pub mod grants;
pub mod keys;
pub mod people;

use app::{
    error::{ApiError, Conflict, Thing},
    identity::Reach,
};

use crate::store::{Db, Sql, StoreError, Tx};

/// ` AND column IN (…)`, unless everything is reached.
fn within(sql: Sql, column: &'static str, reach: &Reach) -> Sql {
    match reach {
        Reach::Everything => sql,
        Reach::Workspaces(ids) => {
            sql.push(" AND ").push(column).push(" IN ").list(ids.iter().copied())
        }
    }
}

/// What the domain answers when the store could not.
pub fn refused(error: StoreError) -> ApiError {
    tracing::error!(%error, "The store could not answer for the administration of identity.");
    error.into()
}

/// The first statement of every change: changes of who may what wait here for each other, on both engines, so that
/// each judges what the one before it left.
pub async fn begin(db: &Db) -> Result<Tx, ApiError> {
    let mut tx = db.begin().await.map_err(refused)?;
    crate::identity::store::move_epoch(&mut tx).await.map_err(refused)?;
    Ok(tx)
}

/// The name of a workspace that takes new things.
pub async fn open_workspace(tx: &mut Tx, id: Option<i64>) -> Result<Option<String>, ApiError> {
    let Some(id) = id else { return Ok(None) };
    let sql = Sql::new("SELECT name, archived_at FROM workspaces WHERE id = ").arg(id);
    let row = tx.fetch_optional(sql).await.map_err(refused)?;
    let row = row.ok_or(ApiError::NotFound(Thing::Workspace))?;
    match row.opt_micros("archived_at").map_err(refused)? {
        None => row.opt_text("name").map_err(refused),
        Some(_) => Err(ApiError::Conflict(Conflict::Archived)),
    }
}

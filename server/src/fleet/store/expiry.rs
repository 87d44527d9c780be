//! All SQL behind what of the fleet needs a human.

use app::{fleet::model::ClusterState, identity::Reach, time::Micros};

use crate::store::{Db, Sql, StoreError, Tx};

/// A cluster whose credential ends soon, told of for the first time.
pub struct Ending {
    pub cluster_id: String,
    pub workspace_id: i64,
}

/// Those that end within `before` and were not told of; they are now.
pub async fn take_unwarned(tx: &mut Tx, before: i64) -> Result<Vec<Ending>, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE cluster_credentials SET warned_at = ")
        .arg(now)
        .push(" WHERE warned_at IS NULL AND expires_at IS NOT NULL AND expires_at <= ")
        .arg(now.plus(before))
        .push(
            " RETURNING cluster_id, (SELECT c.workspace_id FROM clusters c WHERE c.id = \
             cluster_credentials.cluster_id) AS workspace_id",
        );
    let rows = tx.fetch_all(sql).await?;
    rows.iter()
        .map(|row| {
            Ok(Ending {
                cluster_id: row.text("cluster_id")?,
                workspace_id: row.i64("workspace_id")?,
            })
        })
        .collect()
}

/// A cluster that somebody should look at.
pub struct Troubled {
    pub id: String,
    pub name: String,
    pub workspace_id: i64,
    pub workspace: String,
    pub state: ClusterState,
    pub state_since: Micros,
    pub last_error: Option<String>,
    pub expires_at: Option<Micros>,
}

/// Offline, or with a credential that ends before `until`.
pub async fn troubled(
    db: &Db,
    reach: &Reach,
    until: Micros,
    limit: i64,
) -> Result<Vec<Troubled>, StoreError> {
    let sql = Sql::new(
        "SELECT c.id, c.name, c.workspace_id, w.name AS workspace, c.state, c.state_since, c.last_error, \
         k.expires_at FROM clusters c JOIN workspaces w ON w.id = c.workspace_id \
         LEFT JOIN cluster_credentials k ON k.cluster_id = c.id AND k.part = 'api' \
         WHERE c.removed_at IS NULL AND (c.state = 'OFFLINE' OR k.expires_at <= ",
    )
    .arg(until)
    .push(")");
    let sql = super::within(sql, reach).push(" ORDER BY c.state_since, c.id LIMIT ").arg(limit);
    let rows = db.fetch_all(sql).await?;
    rows.iter()
        .map(|row| {
            Ok(Troubled {
                id: row.text("id")?,
                name: row.text("name")?,
                workspace_id: row.i64("workspace_id")?,
                workspace: row.text("workspace")?,
                state: row.word("state")?,
                state_since: row.micros("state_since")?,
                last_error: row.opt_text("last_error")?,
                expires_at: row.opt_micros("expires_at")?,
            })
        })
        .collect()
}

//! All SQL of discovery: what was found beside what was typed. Leaves alone what people set and the version that counts
//! it.

use app::{
    fleet::{model::ClusterCapabilities, model::Platform, trouble::Trouble},
    time::Micros,
};

use super::json;
use crate::{
    fleet::discovery::Found,
    store::{Sql, StoreError, Tx},
};

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub workspace_id: i64,
    /// Something is otherwise than it was known.
    pub changed: bool,
}

/// Known clusters are asked again after so long; those that could not be, when they answer, and not all the time.
pub const EVERY: i64 = 24 * 3_600 * Micros::SECOND;
const AGAIN: i64 = 600 * Micros::SECOND;

/// None when the cluster was removed meanwhile. Who asked for another look since this one `began` still gets it.
pub async fn write(
    tx: &mut Tx,
    id: &str,
    found: &Found,
    began: Micros,
) -> Result<Option<Written>, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new(
        "SELECT workspace_id, found_platform, found_version, kubernetes_version, capabilities FROM clusters \
         WHERE removed_at IS NULL AND id = ",
    )
    .arg(id)
    .push(tx.dialect().row_lock());
    let Some(row) = tx.fetch_optional(sql).await? else { return Ok(None) };
    let before = row.opt_text("capabilities")?;
    let before =
        before.map(|text| json::<ClusterCapabilities>(&text, "capabilities")).transpose()?;
    let capabilities = &found.capabilities;
    let platform = found.platform.map(Platform::as_str);
    let changed = before.as_ref() != Some(capabilities)
        || row.opt_text("found_platform")?.as_deref() != platform
        || row.opt_text("found_version")? != found.platform_version
        || row.opt_text("kubernetes_version")?.as_deref() != Some(&found.kubernetes_version);
    let text = serde_json::to_string(capabilities).map_err(|error| StoreError::Column {
        column: "capabilities",
        reason: error.to_string(),
    })?;
    let sql = Sql::new("UPDATE clusters SET found_platform = ")
        .arg(platform)
        .push(", found_version = ")
        .arg(found.platform_version.as_deref())
        .push(", kubernetes_version = ")
        .arg(found.kubernetes_version.as_str())
        .push(", has_gpu_nodes = ")
        .arg(capabilities.has_gpu_nodes)
        .push(", gpu_count = ")
        .arg(capabilities.gpu_count)
        .push(", has_cnf_workloads = ")
        .arg(capabilities.has_cnf_workloads)
        .push(", capabilities = ")
        .arg(text)
        .push(", discovered_at = ")
        .arg(now)
        .push(", discovery_error = NULL WHERE id = ")
        .arg(id);
    tx.execute(sql).await?;
    let sql = Sql::new("UPDATE cluster_probes SET discover_at = ")
        .arg(now.plus(EVERY))
        .push(" WHERE cluster_id = ")
        .arg(id)
        .push(" AND (discover_at <= ")
        .arg(began)
        .push(" OR discover_at > ")
        .arg(now)
        .push(")");
    tx.execute(sql).await?;
    Ok(Some(Written { workspace_id: row.i64("workspace_id")?, changed }))
}

/// What was known stays known, with what kept it from being looked at again. A cluster that did not answer is asked
/// once it does; one that refused is not pestered.
pub async fn write_trouble(tx: &mut Tx, id: &str, trouble: Trouble) -> Result<(), StoreError> {
    if trouble.may_pass() {
        let soon = tx.now().await?.plus(AGAIN);
        due(tx, id, soon).await?;
    }
    let sql = Sql::new("UPDATE clusters SET discovery_error = ")
        .arg(trouble.says())
        .push(" WHERE removed_at IS NULL AND id = ")
        .arg(id);
    tx.execute(sql).await.map(|_| ())
}

/// From this moment on, the next probe that finds the cluster well has it discovered.
pub async fn due(tx: &mut Tx, id: &str, at: Micros) -> Result<(), StoreError> {
    let sql = Sql::new("UPDATE cluster_probes SET discover_at = ")
        .arg(at)
        .push(" WHERE cluster_id = ")
        .arg(id);
    tx.execute(sql).await.map(|_| ())
}

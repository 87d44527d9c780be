//! What is written of clusters: registered, changed, removed, due to be looked at.

use app::{
    fleet::{
        model::{ClusterState, Connectivity, Platform, Transport},
        registration::Settings,
    },
    time::Micros,
};

use crate::store::{Sql, StoreError, Tx};

/// A run discovers it; should none come to it, a probe has it discovered after so long.
const BY_RUN: i64 = 3_600 * Micros::SECOND;

/// A cluster as it is registered.
pub struct NewRow<'a> {
    pub id: &'a str,
    pub workspace_id: i64,
    pub name: &'a str,
    pub transport: Transport,
    pub settings: &'a Settings,
    /// Whether there is something that opens it.
    pub opens: bool,
}

/// Whether a cluster may go into a workspace and a tenant of it.
pub enum Place {
    Open,
    NoWorkspace,
    NoTenant,
    Archived,
}

pub async fn place(tx: &mut Tx, workspace: i64, tenant: Option<i64>) -> Result<Place, StoreError> {
    let sql = Sql::new("SELECT archived_at FROM workspaces WHERE id = ").arg(workspace);
    let Some(found) = tx.fetch_optional(sql).await? else { return Ok(Place::NoWorkspace) };
    if found.opt_micros("archived_at")?.is_some() {
        return Ok(Place::Archived);
    }
    let Some(tenant) = tenant else { return Ok(Place::Open) };
    let sql = Sql::new("SELECT archived_at FROM tenants WHERE id = ")
        .arg(tenant)
        .push(" AND workspace_id = ")
        .arg(workspace);
    let Some(found) = tx.fetch_optional(sql).await? else { return Ok(Place::NoTenant) };
    Ok(if found.opt_micros("archived_at")?.is_some() { Place::Archived } else { Place::Open })
}

/// False when the name or the external id is taken.
pub async fn insert(tx: &mut Tx, new: &NewRow<'_>) -> Result<bool, StoreError> {
    let now = tx.now().await?;
    let state = if new.opens { ClusterState::Provisioning } else { ClusterState::Unknown };
    let NewRow { settings, .. } = new;
    let sql = Sql::new(
        "INSERT INTO clusters (id, workspace_id, name, transport, api_server_url, external_id, cluster_type, \
         environment, state, state_since, connectivity, deductions, created_at, updated_at, version) VALUES ",
    )
    .push("(")
    .arg(new.id)
    .push(", ")
    .arg(new.workspace_id)
    .push(", ")
    .arg(new.name)
    .push(", ")
    .arg(new.transport.as_str())
    .push(", ")
    .arg(&settings.api_server_url)
    .push(", ")
    .arg(&settings.external_id)
    .push(", ")
    .arg(settings.cluster_type.as_str())
    .push(", ")
    .arg(settings.environment.as_str())
    .push(", ")
    .arg(state.as_str())
    .push(", ")
    .arg(now)
    .push(", ")
    .arg(Connectivity::Disconnected.as_str())
    .push(", '[]', ")
    .arg(now)
    .push(", ")
    .arg(now)
    .push(", 0) ON CONFLICT DO NOTHING");
    if tx.execute(sql).await? == 0 {
        return Ok(false);
    }
    // The rest is written as every later change writes it.
    update(tx, new.id, settings).await?;
    let probe = Sql::new("INSERT INTO cluster_probes (cluster_id, next_at, discover_at) VALUES (")
        .arg(new.id)
        .push(", ")
        .arg(now)
        .push(", ")
        .arg(if new.opens { now.plus(BY_RUN) } else { now })
        .push(")");
    tx.execute(probe).await?;
    Ok(true)
}

/// Whether another living cluster has this external id. Asked before a change, under the lock of the row.
pub async fn has_external_id(tx: &mut Tx, id: &str, wanted: &str) -> Result<bool, StoreError> {
    let sql = Sql::new("SELECT id FROM clusters WHERE removed_at IS NULL AND external_id = ")
        .arg(wanted)
        .push(" AND id <> ")
        .arg(id);
    Ok(tx.fetch_optional(sql).await?.is_some())
}

/// The platform that people typed, not the one that was found: the entity shows the one that counts.
pub async fn typed_platform(
    tx: &mut Tx,
    id: &str,
) -> Result<(Option<Platform>, Option<String>), StoreError> {
    let sql = Sql::new("SELECT platform, platform_version FROM clusters WHERE id = ").arg(id);
    let row = tx.fetch_one(sql).await?;
    let typed = row.opt_text("platform")?;
    Ok((typed.and_then(|word| word.parse().ok()), row.opt_text("platform_version")?))
}

/// Everything that people set, and the version that counts it.
pub async fn update(tx: &mut Tx, id: &str, settings: &Settings) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let endpoints = &settings.endpoints;
    let sql = Sql::new("UPDATE clusters SET external_id = ")
        .arg(&settings.external_id)
        .push(", display_name = ")
        .arg(settings.display_name.as_deref())
        .push(", api_server_url = ")
        .arg(&settings.api_server_url)
        .push(", cluster_type = ")
        .arg(settings.cluster_type.as_str())
        .push(", environment = ")
        .arg(settings.environment.as_str())
        .push(", region = ")
        .arg(settings.region.as_deref())
        .push(", platform = ")
        .arg(settings.platform.map(Platform::as_str))
        .push(", platform_version = ")
        .arg(settings.platform_version.as_deref())
        .push(", tenant_id = ")
        .arg(settings.tenant_id)
        .push(", prometheus_url = ")
        .arg(endpoints.prometheus_url.as_deref())
        .push(", tempo_url = ")
        .arg(endpoints.tempo_url.as_deref())
        .push(", loki_url = ")
        .arg(endpoints.loki_url.as_deref())
        .push(", alertmanager_url = ")
        .arg(endpoints.alertmanager_url.as_deref())
        .push(", thanos_url = ")
        .arg(endpoints.thanos_url.as_deref())
        .push(", updated_at = ")
        .arg(now)
        .push(", version = version + 1 WHERE id = ")
        .arg(id);
    tx.execute(sql).await?;
    let clear = Sql::new("DELETE FROM cluster_labels WHERE cluster_id = ").arg(id);
    tx.execute(clear).await?;
    for (key, value) in &settings.labels {
        let sql = Sql::new("INSERT INTO cluster_labels (cluster_id, key, value) VALUES ").list([
            id,
            key.as_str(),
            value.as_str(),
        ]);
        tx.execute(sql).await?;
    }
    Ok(())
}

/// The row stays for those who look back; what opened it goes at once.
pub async fn remove(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE clusters SET removed_at = ")
        .arg(now)
        .push(", updated_at = ")
        .arg(now)
        .push(", version = version + 1 WHERE id = ")
        .arg(id);
    tx.execute(sql).await?;
    for table in [
        "DELETE FROM cluster_credentials WHERE cluster_id = ",
        "DELETE FROM cluster_probes WHERE cluster_id = ",
        "DELETE FROM cluster_drafts WHERE cluster_id = ",
    ] {
        tx.execute(Sql::new(table).arg(id)).await?;
    }
    Ok(())
}

/// Its probe and its discovery are due.
pub async fn make_due(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE cluster_probes SET next_at = ")
        .arg(now)
        .push(", discover_at = ")
        .arg(now)
        .push(" WHERE cluster_id = ")
        .arg(id);
    tx.execute(sql).await.map(|_| ())
}

/// Its probe is due; what is installed is asked by the run that was queued with this change.
pub async fn make_due_with_run(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("UPDATE cluster_probes SET next_at = ")
        .arg(now)
        .push(", discover_at = ")
        .arg(now.plus(BY_RUN))
        .push(" WHERE cluster_id = ")
        .arg(id);
    tx.execute(sql).await.map(|_| ())
}

/// Nothing is known of it until it has been looked at with what opens it now.
pub async fn restart(tx: &mut Tx, id: &str, opens: bool) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let state = if opens { ClusterState::Provisioning } else { ClusterState::Unknown };
    let sql = Sql::new("UPDATE clusters SET state = ")
        .arg(state.as_str())
        .push(", state_since = ")
        .arg(now)
        .push(", connectivity = ")
        .arg(Connectivity::Disconnected.as_str())
        .push(
            ", health_score = NULL, api_server_healthy = NULL, prometheus_healthy = NULL, tempo_healthy = NULL, \
             loki_healthy = NULL, last_error = NULL, last_error_code = NULL, deductions = '[]' WHERE id = ",
        )
        .arg(id);
    tx.execute(sql).await?;
    // A look that is under way was begun with what opened it before.
    let sql = Sql::new(
        "UPDATE cluster_probes SET owner = NULL, until = NULL, failures = 0, successes = 0, flips = '[]' \
         WHERE cluster_id = ",
    )
    .arg(id);
    tx.execute(sql).await.map(|_| ())
}

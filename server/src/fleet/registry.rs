//! Clusters: registered, changed, removed, and what is said of all of them. Each change is one transaction with its
//! news and its audit row.

use app::{
    error::{ApiError, Conflict, Rule, Thing},
    fleet::{
        Clusters, Manage, View,
        credentials::{CredentialMeta, NewCredential},
        health::{self, HealthPoint},
        model::{Cluster, Transport},
        overview::{FleetCapabilities, FleetHealth, FleetSummary},
        preflight::{Preflight, Validation},
        registration::{ChangeCluster, NewCluster, Settings},
    },
    identity::{Capability, Permit, Reach},
    list::{ListQuery, Page},
    workspaces::model::PLATFORM,
};
use async_trait::async_trait;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    FleetService,
    credentials::{self, Prepared},
    operations::register,
    refusals::{for_this_server, may_use_own, refuse_what_opens_nothing},
    store::{self, NewRow, Place, refused},
};
use crate::{
    journal::{
        AuditRow,
        events::{News, publish},
    },
    operations::{
        queue::{Following, Queued},
        spec::Spec,
    },
    store::Tx,
};

pub(super) const MISSING: ApiError = ApiError::NotFound(Thing::Cluster);

/// An id that is none is nobody's.
pub(super) fn uuid(id: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(id).ok().filter(|uuid| uuid.to_string() == id).ok_or(MISSING)
}

pub(super) fn audit(permit: &Permit<Manage>, action: &'static str, cluster: &Cluster) -> AuditRow {
    AuditRow::allowed(permit.caller(), action)
        .target("cluster", &cluster.id, cluster.name.clone())
        .workspace(cluster.workspace_id)
        .capability(Capability::FleetManage)
}

pub(super) async fn tell(
    tx: &mut Tx,
    kind: &'static str,
    cluster: &Cluster,
) -> Result<(), ApiError> {
    let news = News {
        topic: app::events::CLUSTERS,
        kind,
        id: cluster.id.clone(),
        capability: Capability::FleetView,
        workspace_id: cluster.workspace_id,
    };
    publish(tx, news).await.map_err(refused)
}

/// What people set, as it stands.
fn settings(cluster: &Cluster) -> Settings {
    Settings {
        external_id: cluster.external_id.clone(),
        display_name: cluster.display_name.clone(),
        api_server_url: cluster.api_server_url.clone(),
        cluster_type: cluster.cluster_type,
        platform: cluster.registered_platform.or(cluster.platform),
        platform_version: cluster
            .registered_platform_version
            .clone()
            .or_else(|| cluster.platform_version.clone()),
        region: cluster.region.clone(),
        environment: cluster.environment,
        labels: cluster.labels.clone(),
        endpoints: cluster.endpoints.clone(),
        tenant_id: cluster.tenant_id,
    }
}

impl FleetService {
    pub(super) async fn found(&self, reach: &Reach, id: &str) -> Result<Cluster, ApiError> {
        uuid(id)?;
        store::find(&self.db, reach, id).await.map_err(refused)?.ok_or(MISSING)
    }

    /// One that is to be changed, held until the end of the transaction.
    pub(super) async fn held(
        &self,
        permit: &Permit<Manage>,
        id: &str,
    ) -> Result<(Tx, Cluster), ApiError> {
        uuid(id)?;
        let mut tx = self.db.begin().await.map_err(refused)?;
        let found = store::find_in(&mut tx, permit.reach(), id).await.map_err(refused)?;
        found.map(|found| (tx, found)).ok_or(MISSING)
    }

    /// Where a new cluster belongs when nobody says.
    pub(super) fn usual_workspace(permit: &Permit<Manage>) -> i64 {
        match permit.reach() {
            Reach::Workspaces(ids) => ids.first().copied().unwrap_or(PLATFORM),
            Reach::Everything => PLATFORM,
        }
    }

    /// A cluster, and what opens it where something does, in one transaction.
    pub(super) async fn put_in(
        &self,
        permit: &Permit<Manage>,
        new: &NewCluster,
        opens: Option<(Prepared, Option<&Preflight>)>,
        draft: Option<&str>,
    ) -> Result<Cluster, ApiError> {
        let (name, settings) = new.check()?;
        may_use_own(permit, new.transport, new.credentials.as_ref()).await?;
        let workspace_id = new.workspace_id.unwrap_or_else(|| Self::usual_workspace(permit));
        permit.within(Some(workspace_id)).await?;
        let id = self.rng.uuid();
        let mut tx = self.db.begin().await.map_err(refused)?;
        if let Some(draft) = draft
            && !store::drafts::delete(&mut tx, draft).await.map_err(refused)?
        {
            return Err(ApiError::NotFound(Thing::ClusterDraft));
        }
        open_place(&mut tx, workspace_id, settings.tenant_id).await?;
        let row = NewRow {
            id: &id,
            workspace_id,
            name: &name,
            transport: new.transport,
            settings: &settings,
            opens: opens.is_some() || new.transport == Transport::InCluster,
        };
        if !store::insert(&mut tx, &row).await.map_err(refused)? {
            return Err(ApiError::Conflict(Conflict::ClusterExists));
        }
        if let Some((prepared, preflight)) = opens {
            self.seal(&mut tx, permit, &id, prepared, preflight).await.map_err(refused)?;
        }
        let made = store::find_in(&mut tx, permit.reach(), &id).await.map_err(refused)?;
        let made = made.ok_or(MISSING)?;
        tell(&mut tx, "CLUSTER_REGISTERED", &made).await?;
        let run = self.follow(&mut tx, permit, &made, &register::SPEC, &json!({})).await?;
        let row = audit(permit, "fleet.cluster.create", &made)
            .detail("transport", made.transport.as_str())
            .detail("api_server_url", made.api_server_url.as_str())
            .detail("auth_type", made.credential.as_ref().map(|c| c.auth_type.as_str()))
            .detail("operation_id", run.id);
        tx.commit(vec![row, run.audit]).await.map_err(refused)?;
        self.queue.ring();
        Ok(made)
    }

    /// Queues the operation that follows from a change of this cluster.
    pub(super) async fn follow(
        &self,
        tx: &mut Tx,
        permit: &Permit<Manage>,
        cluster: &Cluster,
        spec: &Spec,
        input: &Value,
    ) -> Result<Queued, ApiError> {
        let target = format!("cluster:{}", cluster.id);
        let run = Following {
            spec,
            workspace_id: cluster.workspace_id,
            tenant_id: cluster.tenant_id,
            target: &target,
            label: &cluster.name,
            input,
        };
        self.queue.put(tx, permit.caller(), run).await.map_err(refused)
    }
}

/// Nothing new goes into a workspace or tenant that is archived, or is not there.
async fn open_place(tx: &mut Tx, workspace: i64, tenant: Option<i64>) -> Result<(), ApiError> {
    match store::place(tx, workspace, tenant).await.map_err(refused)? {
        Place::Open => Ok(()),
        Place::NoWorkspace => Err(ApiError::NotFound(Thing::Workspace)),
        Place::NoTenant => Err(ApiError::NotFound(Thing::Tenant)),
        Place::Archived => Err(ApiError::Conflict(Conflict::Archived)),
    }
}

/// A stored credential was given for an address: another address would be handed it.
fn bound(before: &Cluster, after: &Settings) -> bool {
    let Some(credential) = &before.credential else { return false };
    let token = |part: &str| credential.upstream_tokens.iter().any(|held| held == part);
    let (old, new) = (&before.endpoints, &after.endpoints);
    before.api_server_url != after.api_server_url
        || (token("prometheus") && old.prometheus_url != new.prometheus_url)
        || (token("tempo") && old.tempo_url != new.tempo_url)
        || (token("loki") && old.loki_url != new.loki_url)
}

#[async_trait]
impl Clusters for FleetService {
    async fn list(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
    ) -> Result<Page<Cluster>, ApiError> {
        store::list(&self.db, permit.reach(), query).await.map_err(refused)
    }

    async fn get(&self, permit: &Permit<View>, id: &str) -> Result<Cluster, ApiError> {
        self.found(permit.reach(), id).await
    }

    async fn get_by_name(&self, permit: &Permit<View>, name: &str) -> Result<Cluster, ApiError> {
        let found = store::find_by_name(&self.db, permit.reach(), name).await;
        found.map_err(refused)?.ok_or(MISSING)
    }

    async fn create(&self, permit: &Permit<Manage>, new: NewCluster) -> Result<Cluster, ApiError> {
        let (_, settings) = new.check()?;
        let Some(given) = &new.credentials else {
            return self.put_in(permit, &new, None, None).await;
        };
        may_use_own(permit, new.transport, Some(given)).await?;
        let prepared = credentials::prepare(given)?;
        for_this_server(&prepared, &settings.api_server_url)?;
        let preflight = self.look_with(&settings.api_server_url, &prepared, &new.endpoints).await;
        refuse_what_opens_nothing(&preflight)?;
        self.put_in(permit, &new, Some((prepared, Some(&preflight))), None).await
    }

    async fn change(
        &self,
        permit: &Permit<Manage>,
        id: &str,
        change: ChangeCluster,
    ) -> Result<Cluster, ApiError> {
        let (mut tx, before) = self.held(permit, id).await?;
        if change.version.is_some_and(|seen| seen != before.version) {
            return Err(ApiError::Conflict(Conflict::Changed));
        }
        if change.api_server_url.is_some() && before.transport != Transport::Direct {
            return Err(ApiError::invalid("api_server_url", Rule::UnknownField));
        }
        let tenant_changes = !change.tenant_id.is_leave();
        let (platform, platform_version) =
            store::typed_platform(&mut tx, id).await.map_err(refused)?;
        let was = Settings { platform, platform_version, ..settings(&before) };
        let after = change.apply(&was)?;
        if after == was {
            return Ok(before);
        }
        if bound(&before, &after) {
            return Err(ApiError::Conflict(Conflict::CredentialBound));
        }
        if tenant_changes {
            open_place(&mut tx, before.workspace_id, after.tenant_id).await?;
        }
        let taken = store::has_external_id(&mut tx, id, &after.external_id).await;
        if taken.map_err(refused)? {
            return Err(ApiError::Conflict(Conflict::ClusterExists));
        }
        store::update(&mut tx, id, &after).await.map_err(refused)?;
        if after.api_server_url != was.api_server_url {
            store::restart(&mut tx, id, false).await.map_err(refused)?;
        }
        store::make_due(&mut tx, id).await.map_err(refused)?;
        tell(&mut tx, "CLUSTER_UPDATED", &before).await?;
        let row =
            audit(permit, "fleet.cluster.change", &before).detail("fields", changed(&was, &after));
        tx.commit(vec![row]).await.map_err(refused)?;
        self.found(permit.reach(), id).await
    }

    async fn remove(&self, permit: &Permit<Manage>, id: &str) -> Result<(), ApiError> {
        let (mut tx, found) = self.held(permit, id).await?;
        store::remove(&mut tx, id).await.map_err(refused)?;
        tell(&mut tx, "CLUSTER_REMOVED", &found).await?;
        let row = audit(permit, "fleet.cluster.remove", &found)
            .detail("credential_erased", found.credential.is_some());
        tx.commit(vec![row]).await.map_err(refused)?;
        self.clients.forget(uuid(id)?);
        Ok(())
    }

    async fn history(&self, permit: &Permit<View>, id: &str) -> Result<Vec<HealthPoint>, ApiError> {
        self.found(permit.reach(), id).await?;
        let since = self.db.now().await.map_err(refused)?.plus(-health::SHOWN);
        store::probes::history(&self.db, id, since).await.map_err(refused)
    }

    async fn refresh(&self, permit: &Permit<Manage>, id: &str) -> Result<Cluster, ApiError> {
        let (mut tx, found) = self.held(permit, id).await?;
        store::make_due(&mut tx, id).await.map_err(refused)?;
        tell(&mut tx, "CLUSTER_UPDATED", &found).await?;
        let row = audit(permit, "fleet.cluster.refresh", &found);
        tx.commit(vec![row]).await.map_err(refused)?;
        self.found(permit.reach(), id).await
    }

    async fn credential(
        &self,
        permit: &Permit<View>,
        id: &str,
    ) -> Result<CredentialMeta, ApiError> {
        let found = self.found(permit.reach(), id).await?;
        found.credential.ok_or(ApiError::NotFound(Thing::Credential))
    }

    async fn store_credential(
        &self,
        permit: &Permit<Manage>,
        id: &str,
        new: NewCredential,
    ) -> Result<CredentialMeta, ApiError> {
        self.rotate(permit, id, &new).await
    }

    async fn remove_credential(&self, permit: &Permit<Manage>, id: &str) -> Result<(), ApiError> {
        let (mut tx, found) = self.held(permit, id).await?;
        if store::credentials::erase(&mut tx, id).await.map_err(refused)? == 0 {
            return Err(ApiError::NotFound(Thing::Credential));
        }
        store::restart(&mut tx, id, false).await.map_err(refused)?;
        tell(&mut tx, "CLUSTER_UPDATED", &found).await?;
        let row = audit(permit, "fleet.credential.remove", &found);
        tx.commit(vec![row]).await.map_err(refused)?;
        self.clients.forget(uuid(id)?);
        Ok(())
    }

    async fn validate(&self, permit: &Permit<Manage>, id: &str) -> Result<Validation, ApiError> {
        self.check_stored(permit, id).await
    }

    async fn summary(&self, permit: &Permit<View>) -> Result<FleetSummary, ApiError> {
        store::overview::summary(&self.db, permit.reach()).await.map_err(refused)
    }

    async fn health(&self, permit: &Permit<View>) -> Result<FleetHealth, ApiError> {
        store::overview::health(&self.db, permit.reach()).await.map_err(refused)
    }

    async fn capabilities(&self, permit: &Permit<View>) -> Result<FleetCapabilities, ApiError> {
        store::overview::capabilities(&self.db, permit.reach()).await.map_err(refused)
    }
}

/// Names of the fields that differ.
fn changed(was: &Settings, after: &Settings) -> Value {
    let (was, after) = (serde_json::to_value(was), serde_json::to_value(after));
    let (Ok(was), Ok(after)) = (was, after) else { return Value::Null };
    let fields = after.as_object().into_iter().flatten();
    fields
        .filter(|(key, value)| was.get(key.as_str()) != Some(value))
        .map(|(key, _)| key.clone())
        .collect()
}

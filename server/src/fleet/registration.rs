//! A registration in steps: what was typed is looked at, kept sealed while somebody thinks about it, and becomes a
//! cluster or nothing. And several clusters at once, from one kubeconfig.

use app::{
    error::{ApiError, Rule, Thing},
    fleet::{
        Manage, Registrations,
        credentials::{AuthType, NewCredential},
        drafts::{ContextRow, Draft, IMPORT_MAX, ImportClusters, Imported, Stage},
        model::{Cluster, Transport},
        preflight::Preflight,
        registration::{NewCluster, suggest_name},
        upstreams,
    },
    identity::{Permit, model::Secret},
};
use async_trait::async_trait;
use futures::future::join_all;

use super::{
    FleetService,
    credentials::{self, Prepared},
    kubeconfig::{Context, File},
    preflight::{self, Known},
    rbac,
    refusals::{for_this_server, may_use_own, refuse_what_opens_nothing},
    rotation::verdict,
    store::{drafts, refused},
};

const GONE: ApiError = ApiError::NotFound(Thing::ClusterDraft);
/// Clusters that are looked at together.
const AT_ONCE: usize = 8;

fn row(context: Context) -> ContextRow {
    ContextRow {
        name: context.name,
        server: context.server,
        user: context.user,
        is_current: context.is_current,
        refused: context.refused.map(|error| error.to_string()),
    }
}

/// The kubeconfig that was typed, when its contexts are to be chosen from.
fn undecided(new: &NewCluster) -> Result<Option<File>, ApiError> {
    let given = new.credentials.as_ref().filter(|given| given.context.is_none());
    let Some(Secret(text)) = given.and_then(|given| given.kubeconfig.as_ref()) else {
        return Ok(None);
    };
    let file = File::read(text)?;
    Ok(Some(file).filter(|file| file.contexts().len() > 1))
}

/// What a kubeconfig says goes before what was not typed.
fn completed(mut new: NewCluster) -> Result<(NewCluster, Option<Prepared>), ApiError> {
    let Some(given) = &new.credentials else {
        new.check()?;
        return Ok((new, None));
    };
    let prepared = credentials::prepare(given)?;
    if let Some(server) = &prepared.server {
        new.api_server_url = Some(server.clone());
    }
    if new.name.is_empty()
        && let Some(name) = given.context.as_deref().and_then(suggest_name)
    {
        new.name = name;
    }
    new.check()?;
    Ok((new, Some(prepared)))
}

impl FleetService {
    async fn keep(
        &self,
        permit: &Permit<Manage>,
        new: &NewCluster,
        stage: &Stage,
    ) -> Result<String, ApiError> {
        let id = self.rng.uuid();
        let internal = |_| ApiError::Internal(permit.caller().request_id.clone());
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(new).map_err(internal)?);
        let sealed = self.vault.seal(drafts::SEALED.place(&id), &plain);
        let stage = serde_json::to_string(stage).map_err(internal)?;
        let mut tx = self.db.begin().await.map_err(refused)?;
        drafts::insert(&mut tx, &id, &permit.caller().id, sealed, &stage).await.map_err(refused)?;
        tx.commit(Vec::new()).await.map_err(refused)?;
        Ok(id)
    }

    async fn kept(
        &self,
        permit: &Permit<Manage>,
        id: &str,
    ) -> Result<(NewCluster, Stage), ApiError> {
        let found = drafts::find(&self.db, id, &permit.caller().id).await.map_err(refused)?;
        let found = found.ok_or(GONE)?;
        let plain = self.vault.open_sealed(drafts::SEALED.place(id), &found.sealed);
        let plain = plain.map_err(|error| {
            tracing::error!(%error, "a registration cannot be opened");
            GONE
        })?;
        let new = serde_json::from_slice(&plain).map_err(|_| GONE)?;
        let stage = serde_json::from_str(&found.preflight).map_err(|_| GONE)?;
        Ok((new, stage))
    }

    /// A look at a cluster that is not there yet.
    async fn look_before(
        &self,
        new: &NewCluster,
        prepared: Option<&Prepared>,
    ) -> Option<Preflight> {
        match (new.transport, prepared) {
            (Transport::Direct, Some(prepared)) => {
                let url = new.api_server_url.as_deref().unwrap_or_default();
                Some(self.look_with(url, prepared, &new.endpoints).await)
            }
            (Transport::InCluster, _) => {
                let known = Known::of_new(&new.endpoints, None);
                let clock = self.db.clock();
                Some(match self.clients.own().await {
                    Ok(made) => preflight::look(&made, &known, clock).await,
                    Err(error) => {
                        let trouble = error.trouble();
                        let trouble = trouble.unwrap_or(app::fleet::trouble::Trouble::NoCredential);
                        preflight::failed(trouble, &known, clock)
                    }
                })
            }
            (Transport::Direct, None) | (Transport::Outpost, _) => None,
        }
    }

    /// One context of a kubeconfig, from the look at it to the cluster.
    async fn import_one(
        &self,
        permit: &Permit<Manage>,
        import: &ImportClusters,
        context: String,
    ) -> Imported {
        let name = suggest_name(&context);
        let mut imported = Imported {
            context: context.clone(),
            name: name.clone(),
            cluster_id: None,
            status: None,
            message: None,
        };
        let credential = NewCredential {
            kubeconfig: Some(import.kubeconfig.clone()),
            context: Some(context),
            ..NewCredential::empty(AuthType::Kubeconfig)
        };
        let new = NewCluster {
            name: name.unwrap_or_default(),
            cluster_type: import.cluster_type,
            environment: import.environment,
            workspace_id: import.workspace_id,
            ..bare(credential)
        };
        let made = async {
            let (new, prepared) = completed(new)?;
            let preflight = self.look_before(&new, prepared.as_ref()).await;
            if let Some(preflight) = &preflight {
                imported.status = Some(verdict(preflight).to_owned());
                refuse_what_opens_nothing(preflight)?;
            }
            let opens = prepared.map(|prepared| (prepared, preflight.as_ref()));
            self.put_in(permit, &new, opens, None).await
        };
        match made.await {
            Ok(cluster) => imported.cluster_id = Some(cluster.id),
            Err(error) => imported.message = Some(error.to_string()),
        }
        imported
    }
}

/// A cluster of which nothing is known but what opens it.
fn bare(credential: NewCredential) -> NewCluster {
    NewCluster {
        name: String::new(),
        external_id: None,
        display_name: None,
        api_server_url: None,
        transport: Transport::Direct,
        cluster_type: app::fleet::model::ClusterType::default(),
        platform: None,
        platform_version: None,
        region: None,
        environment: app::fleet::model::Environment::default(),
        labels: std::collections::BTreeMap::new(),
        endpoints: app::fleet::model::ClusterEndpoints::default(),
        workspace_id: None,
        tenant_id: None,
        credentials: Some(credential),
    }
}

#[async_trait]
impl Registrations for FleetService {
    async fn check(&self, permit: &Permit<Manage>, new: NewCluster) -> Result<String, ApiError> {
        if let Some(given) = &new.credentials {
            given.check()?;
        }
        may_use_own(permit, new.transport, new.credentials.as_ref()).await?;
        if let Some(file) = undecided(&new)? {
            let contexts = file.contexts().into_iter().map(row).collect();
            return self.keep(permit, &new, &Stage::Choose { contexts }).await;
        }
        let mut new = new;
        // The only context of a kubeconfig need not be named.
        if let Some(given) = &mut new.credentials
            && let (None, Some(Secret(text))) = (&given.context, &given.kubeconfig)
        {
            given.context = Some(File::read(text)?.choose(None)?.context);
        }
        let (mut new, prepared) = completed(new)?;
        permit.within(new.workspace_id.or_else(|| Some(Self::usual_workspace(permit)))).await?;
        let preflight = self.look_before(&new, prepared.as_ref()).await;
        if let Some(prepared) = &prepared {
            prepared.carry_over(new.credentials.as_mut());
        }
        let stage = preflight
            .map_or(Stage::Unchecked, |found| Stage::Checked { preflight: Box::new(found) });
        self.keep(permit, &new, &stage).await
    }

    async fn draft(&self, permit: &Permit<Manage>, id: &str) -> Result<Draft, ApiError> {
        let (new, stage) = self.kept(permit, id).await?;
        let given = new.credentials.as_ref();
        Ok(Draft {
            id: id.to_owned(),
            api_server_url: new.api_server_url.clone().unwrap_or_default(),
            transport: new.transport,
            cluster_type: new.cluster_type,
            environment: new.environment,
            region: new.region.clone(),
            opened_by: given.map(|given| given.auth_type.label()),
            context: given.and_then(|given| given.context.clone()),
            display_name: new.display_name.clone(),
            proxied_namespaces: upstreams::proxied_namespaces(&new.endpoints),
            name: new.name,
            stage,
        })
    }

    async fn choose(
        &self,
        permit: &Permit<Manage>,
        id: &str,
        context: &str,
    ) -> Result<String, ApiError> {
        let (mut new, _) = self.kept(permit, id).await?;
        let given = new.credentials.as_mut().ok_or(GONE)?;
        given.context = Some(context.to_owned());
        self.check(permit, new).await
    }

    async fn import_draft(
        &self,
        permit: &Permit<Manage>,
        id: &str,
        contexts: Vec<String>,
    ) -> Result<Vec<Imported>, ApiError> {
        let (new, _) = self.kept(permit, id).await?;
        let given = new.credentials.ok_or(GONE)?;
        let import = ImportClusters {
            kubeconfig: given.kubeconfig.ok_or(GONE)?,
            contexts: Some(contexts),
            cluster_type: new.cluster_type,
            environment: new.environment,
            workspace_id: new.workspace_id,
        };
        let imported = self.import(permit, import).await?;
        self.discard(permit, id).await?;
        Ok(imported)
    }

    async fn import(
        &self,
        permit: &Permit<Manage>,
        import: ImportClusters,
    ) -> Result<Vec<Imported>, ApiError> {
        let Secret(text) = &import.kubeconfig;
        let file = File::read(text)?;
        let known = file.contexts();
        let wanted: Vec<String> = match &import.contexts {
            Some(contexts) => contexts.clone(),
            None => known
                .iter()
                .filter(|context| context.refused.is_none())
                .map(|context| context.name.clone())
                .collect(),
        };
        if wanted.is_empty() {
            return Err(ApiError::invalid("contexts", Rule::Required));
        }
        if wanted.len() > IMPORT_MAX {
            return Err(ApiError::invalid("contexts", Rule::Length { min: 1, max: 100 }));
        }
        let workspace = import.workspace_id.unwrap_or_else(|| Self::usual_workspace(permit));
        permit.within(Some(workspace)).await?;
        let mut imported = Vec::new();
        for some in wanted.chunks(AT_ONCE) {
            let some = some.iter().map(|context| self.import_one(permit, &import, context.clone()));
            imported.extend(join_all(some.collect::<Vec<_>>()).await);
        }
        Ok(imported)
    }

    async fn register(&self, permit: &Permit<Manage>, id: &str) -> Result<Cluster, ApiError> {
        let (new, stage) = self.kept(permit, id).await?;
        let preflight = match &stage {
            Stage::Choose { .. } => return Err(ApiError::invalid("context", Rule::Required)),
            Stage::Checked { preflight } => Some(preflight.as_ref()),
            Stage::Unchecked => None,
        };
        if let Some(preflight) = preflight {
            refuse_what_opens_nothing(preflight)?;
        }
        let (new, prepared) = completed(new)?;
        if let Some(prepared) = &prepared {
            for_this_server(prepared, new.api_server_url.as_deref().unwrap_or_default())?;
        }
        let opens = prepared.map(|prepared| (prepared, preflight));
        self.put_in(permit, &new, opens, Some(id)).await
    }

    async fn discard(&self, permit: &Permit<Manage>, id: &str) -> Result<(), ApiError> {
        self.kept(permit, id).await?;
        let mut tx = self.db.begin().await.map_err(refused)?;
        drafts::delete(&mut tx, id).await.map_err(refused)?;
        tx.commit(Vec::new()).await.map_err(refused)
    }

    fn manifest(&self, observe: &[String]) -> String {
        rbac::manifest(&rbac::Ask { observe: observe.to_vec(), ..rbac::Ask::default() })
    }
}

//! `fleet.discover`: what is installed in a cluster, by what its API says. Safe to repeat: it asks, and writes down what
//! it was told.

use std::{sync::Arc, time::Duration};

use app::{
    error::ApiError,
    fleet::trouble::Trouble,
    identity::{Caller, Capability},
    operations::{Operations, model::StartOperation},
};
use async_trait::async_trait;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    fleet::{
        Clients, FleetError, Purpose,
        discovery::{self, Found},
        probes::Discover,
        store::{discovery as store, probes::Target},
    },
    journal::events::{News, publish},
    operations::{
        failure::Failure,
        run::{Done, Run},
        spec::{Catalog, Limits, RetrySafety, Retryable, Spec},
    },
    store::Db,
};

pub const SPEC: Spec = Spec {
    kind: "fleet.discover",
    label: "Discover a cluster",
    summary: "Asks a cluster which platform it is and what is installed in it; changes nothing there.",
    capability: Capability::FleetManage,
    queue: "fleet",
    limits: Limits { per_type: Some(16), per_target: Some(1) },
    budget: Duration::from_mins(1),
    cancelable: true,
    retryable: Retryable::Yes,
    retry_safety: RetrySafety::Safe,
    secrets: &[],
    input_version: 1,
    runbook: include_str!("discover.md"),
};

/// For all questions together.
const WITHIN: Duration = Duration::from_mins(2);

/// Which cluster it is stands in the target: `cluster:<id>`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {}

/// Adds the type to the catalog.
#[must_use]
pub fn register(catalog: Catalog, db: &Db, clients: &Clients) -> Catalog {
    let (db, clients) = (db.clone(), clients.clone());
    catalog.with(SPEC, move |run: Run, _: Input| {
        let (db, clients) = (db.clone(), clients.clone());
        async move { Discovering { run: &run, db: &db, clients: &clients }.all().await }
    })
}

struct Discovering<'a> {
    run: &'a Run,
    db: &'a Db,
    clients: &'a Clients,
}

impl Discovering<'_> {
    async fn all(&self) -> Result<(), Failure> {
        let target = self.run.facts().target.as_deref();
        let id = target.and_then(|target| Uuid::parse_str(target.strip_prefix("cluster:")?).ok());
        let Some(id) = id else {
            return Err(Failure::new("no_target", "The target names no cluster: cluster:<id>."));
        };
        // A kept answer would be an old one: both are one step.
        self.run.step("discover", "Ask the cluster", self.discover(id)).await
    }

    async fn discover(&self, id: Uuid) -> Result<Done<()>, Failure> {
        let asked = tokio::select! {
            asked = self.ask(id) => asked,
            () = self.run.clock().sleep(WITHIN) => Err(Trouble::Timeout.into()),
        };
        match asked {
            Ok(found) => self.write(&id.to_string(), &found).await,
            Err(error) => Err(self.failed(&id.to_string(), error).await),
        }
    }

    async fn ask(&self, id: Uuid) -> Result<Found, FleetError> {
        let client = self.clients.of(id, Purpose::Discovery).await?;
        Ok(discovery::discover(&client.client).await?)
    }

    async fn write(&self, id: &str, found: &Found) -> Result<Done<()>, Failure> {
        let mut tx = self.db.begin().await?;
        let Some(written) = store::write(&mut tx, id, found).await? else {
            return Err(gone());
        };
        if written.changed {
            let news = News {
                topic: app::events::CLUSTERS,
                kind: "CAPABILITIES_CHANGED",
                id: id.to_owned(),
                capability: Capability::FleetView,
                workspace_id: written.workspace_id,
            };
            publish(&mut tx, news).await?;
        }
        tx.commit(Vec::new()).await?;
        let what = found.platform.map_or("An unknown platform", |platform| platform.label());
        let version = found.platform_version.as_deref().unwrap_or("of unknown version");
        let known = if written.changed { "something changed" } else { "all as it was known" };
        Ok(Done::saying(format!("{what} {version}; {known}.")))
    }

    async fn failed(&self, id: &str, error: FleetError) -> Failure {
        let trouble = match (error.trouble(), error) {
            (_, FleetError::Missing) => return gone(),
            (_, FleetError::Store(error)) => return error.into(),
            (Some(trouble), _) => trouble,
            (None, _) => Trouble::Credential,
        };
        let noted = async {
            let mut tx = self.db.begin().await?;
            store::write_trouble(&mut tx, id, trouble).await?;
            tx.commit(Vec::new()).await
        };
        if let Err(error) = noted.await {
            return error.into();
        }
        Failure::new(trouble.as_str(), format!("{} {}", trouble.says(), trouble.way_out()))
    }
}

fn gone() -> Failure {
    Failure::new("cluster_gone", "The cluster was removed, or was never registered.")
}

/// Has the engine do it, on the console's own behalf.
pub struct Starter {
    pub operations: Arc<dyn Operations>,
    pub system: Caller,
}

#[async_trait]
impl Discover for Starter {
    async fn discover(&self, target: &Target) -> Result<(), ApiError> {
        let request = StartOperation {
            kind: SPEC.kind.to_owned(),
            input: serde_json::Value::Null,
            workspace_id: Some(target.workspace_id),
            tenant_id: None,
            target: Some(format!("cluster:{}", target.id)),
            priority: None,
            scheduled_at: None,
        };
        // Whoever asks twice for the same moment gets the same run.
        let key = format!("{} {} {}", SPEC.kind, target.id, target.discover_at.0);
        self.operations.start(&self.system, request, Some(&key)).await.map(|_| ())
    }
}

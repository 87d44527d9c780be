//! `fleet.discover`: what is installed in a cluster, by what its API says. Safe to repeat: it asks, and writes down what
//! it was told.

use std::{sync::Arc, time::Duration};

use app::{
    error::ApiError,
    fleet::trouble::Trouble,
    identity::{Caller, Capability},
    operations::{Operations, model::StartOperation},
    time::Micros,
};
use async_trait::async_trait;
use serde::Deserialize;
use uuid::Uuid;

use super::reach;
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
        spec::{Catalog, Spec},
    },
    store::Db,
};

pub const SPEC: Spec = Spec {
    kind: "fleet.discover",
    label: "Discover a cluster",
    summary: "Asks a cluster which platform it is and what is installed in it; changes nothing there.",
    budget: Duration::from_mins(1),
    runbook: include_str!("discover.md"),
    ..reach::SPEC
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
        async move {
            let id = reach::target(&run)?;
            Discovering { run: &run, db: &db, clients: &clients }.one(id).await
        }
    })
}

pub(super) struct Discovering<'a> {
    pub run: &'a Run,
    pub db: &'a Db,
    pub clients: &'a Clients,
}

impl Discovering<'_> {
    pub async fn one(&self, id: Uuid) -> Result<(), Failure> {
        // A kept answer would be an old one: asking and writing are one step.
        self.run.step("discover", "Ask what is installed", self.discover(id)).await
    }

    async fn discover(&self, id: Uuid) -> Result<Done<()>, Failure> {
        let began = self.db.now().await?;
        let asked = tokio::select! {
            asked = self.ask(id) => asked,
            () = self.run.clock().sleep(WITHIN) => Err(Trouble::Timeout.into()),
        };
        match asked {
            Ok(found) => self.write(&id.to_string(), &found, began).await,
            Err(error) => Err(self.failed(&id.to_string(), error).await),
        }
    }

    async fn ask(&self, id: Uuid) -> Result<Found, FleetError> {
        let client = self.clients.of(id, Purpose::Discovery).await?;
        Ok(discovery::discover(&client.client).await?)
    }

    async fn write(&self, id: &str, found: &Found, began: Micros) -> Result<Done<()>, Failure> {
        let mut tx = self.db.begin().await?;
        let Some(written) = store::write(&mut tx, id, found, began).await? else {
            return Err(reach::gone());
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
            (_, FleetError::Missing) => return reach::gone(),
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
        reach::failed(trouble)
    }
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
            target_label: Some(target.name.clone()),
            priority: None,
            scheduled_at: None,
        };
        // Whoever asks twice for the same moment gets the same run.
        let key = format!("{} {} {}", SPEC.kind, target.id, target.discover_at.0);
        self.operations.start(&self.system, request, Some(&key)).await.map(|_| ())
    }
}

//! Probes and discovery against a real API server: one that goes and comes back, a credential that is worth nothing any
//! more, and what is found out about a cluster.

use std::{sync::Arc, time::Duration};

use app::{
    fleet::{
        Clusters as _, Manage,
        credentials::{AuthType, NewCredential},
        model::{Cluster, ClusterState, Connectivity, Platform},
        registration::NewCluster,
    },
    identity::{Caller, CallerKind, Capability, Gate, Permit, Reach, model::Secret, permit},
};
use cluster_proof::{Practice, eventually, start};
use fleet::link::Links;
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::{Node, ServiceAccount},
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::json;
use server::{
    clock::{Clock, Rng},
    egress::{Egress, EgressConfig},
    fleet::{
        Clients, FleetService,
        clients::Own,
        operations::{
            discover::{self, Starter},
            register, rotate,
        },
        probes::{Looker, Probes},
        rbac,
    },
    identity::AuditedGate,
    operations::{OperationsService, queue::Queue, spec::Catalog},
    store::{Dialect, Sql, testing::Engine},
    vault::Vault,
};
use tokio_util::sync::CancellationToken;

/// A fleet of one cluster, and the domain at work over a database of its own.
struct Stand {
    practice: Practice,
    service: FleetService,
    caller: Caller,
    stop: CancellationToken,
    engine: Engine,
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Stand {
    async fn new() -> Self {
        let practice = start(1, 3);
        let clock = Clock::system();
        let engine = Engine::fresh(Dialect::Sqlite, clock.clone()).await;
        let db = engine.db.clone();
        let (vault, rng) = (Vault::for_tests(), Rng::system());
        let gate: Arc<dyn Gate> = Arc::new(AuditedGate::new(db.clone()));
        let everything =
            Capability::ALL.iter().map(|capability| (*capability, Reach::Everything)).collect();
        let caller = Caller::new(CallerKind::User, "u-1", "Test", everything, gate);
        let egress = Egress::new(EgressConfig::default(), &clock);
        let own = Own::default();
        let clients = Clients::new(db.clone(), vault.clone(), egress, caller.clone(), own);
        let catalog = discover::register(Catalog::default(), &db, &clients);
        let catalog = register::register(catalog, &db, &clients);
        let catalog = rotate::register(catalog, &db, &clients);
        let queue = Queue::default();
        let operations =
            OperationsService::new(db.clone(), rng.clone(), catalog, Vec::new(), caller.clone())
                .hearing(&queue);
        let stop = CancellationToken::new();
        let (worker, stopped) = (operations.worker("w", &["fleet"]), stop.clone());
        tokio::spawn(async move { worker.run(stopped).await });
        let starter = Starter { operations: Arc::new(operations), system: caller.clone() };
        let look = Looker::new(clients.clone(), clock);
        let probes = Probes::new(db.clone(), rng.clone(), Arc::new(look), Arc::new(starter));
        let stopped = stop.clone();
        tokio::spawn(async move { probes.run(stopped).await });
        let service = FleetService::new(db, vault, rng, clients, queue);
        Self { practice, service, caller, stop, engine }
    }

    async fn permit(&self) -> Permit<Manage> {
        permit::<Manage>(&self.caller).await.expect("a permit")
    }

    async fn register(&self, name: &str, token: &str) -> String {
        let url = &self.practice.cluster(0).proxied_url;
        let new = json!({ "name": name, "api_server_url": url, "cluster_type": "HUB" });
        let new: NewCluster = serde_json::from_value(new).expect("a cluster");
        let new = NewCluster { credentials: Some(self.credential(token)), ..new };
        self.service.create(&self.permit().await, new).await.expect("a cluster").id
    }

    /// An account that may read what the manifest grants.
    async fn apply_manifest(&self) {
        let text = rbac::manifest(&rbac::Ask::default());
        let documents = text.split("\n---\n").map(|document| {
            let value: serde_json::Value = serde_saphyr::from_str(document).expect("YAML");
            value
        });
        self.practice.apply(0, documents.collect()).await;
    }

    async fn token(&self) -> String {
        let admin = self.practice.admin(0).await;
        let accounts = Api::<ServiceAccount>::namespaced(admin, "quarterdeck");
        let spec = TokenRequestSpec { expiration_seconds: Some(7200), ..Default::default() };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let made = accounts
            .create_token_request("quarterdeck-viewer", &PostParams::default(), &request)
            .await;
        made.expect("a token").status.and_then(|status| status.token).expect("a token")
    }

    fn credential(&self, token: &str) -> NewCredential {
        NewCredential {
            token: Some(Secret(token.to_owned())),
            certificate_authority: Some(self.practice.cluster(0).ca.clone()),
            ..NewCredential::empty(AuthType::ServiceAccount)
        }
    }

    /// The newest run of this type, once it has ended: how, and what its steps say.
    async fn run(&self, kind: &str) -> (String, Vec<String>) {
        let db = &self.engine.db;
        let ended = eventually("the run has ended", async || {
            let sql = Sql::new(
                "SELECT id, outcome FROM operation_runs WHERE status = 'completed' AND id = \
                                (SELECT MAX(id) FROM operation_runs WHERE type = ",
            )
            .arg(kind)
            .push(")");
            let row = db.fetch_optional(sql).await.expect("the store answers");
            if row.is_none() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            row
        });
        let ended = ended.await;
        let steps = Sql::new("SELECT detail FROM operation_steps WHERE run_id = ")
            .arg(ended.i64("id").expect("an id"))
            .push(" ORDER BY position");
        let steps = db.fetch_all(steps).await.expect("steps");
        let says = steps.iter().map(|row| row.text("detail").expect("a detail")).collect();
        (ended.text("outcome").expect("an outcome"), says)
    }

    /// Has it looked at until it is as wanted.
    async fn becomes(&self, id: &str, what: &str, is: impl Fn(&Cluster) -> bool) -> Cluster {
        eventually(what, async || {
            let seen = self.service.refresh(&self.permit().await, id).await.expect("asked");
            if is(&seen) {
                return Some(seen);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            None
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_looked_after_and_found_out_about() {
    let stand = Stand::new().await;
    stand.apply_manifest().await;
    let id = stand.register("harbour", &stand.token().await).await;
    it_is_well_and_discovered(&stand, &id).await;
    it_goes_and_comes_back(&stand, &id).await;
    its_credential_is_refused(&stand, &id).await;
}

async fn it_is_well_and_discovered(stand: &Stand, id: &str) {
    let seen = stand.becomes(id, "it is online", |c| c.status.state == ClusterState::Online).await;
    assert_eq!(seen.status.connectivity, Connectivity::Connected);
    assert_eq!((seen.status.health_score, seen.status.api_server_healthy), (Some(100), Some(true)));
    assert!(seen.status.certificate_expires_at.is_some() && seen.last_seen_at.is_some());
    let seen = stand.becomes(id, "it is discovered", |c| c.capabilities.is_some()).await;
    assert_eq!(seen.platform, Some(Platform::Kubernetes));
    assert!(seen.kubernetes_version.is_some_and(|version| version.starts_with("v1.")));
    let found = seen.capabilities.expect("capabilities");
    let admin = stand.practice.admin(0).await;
    let nodes = Api::<Node>::all(admin).list(&ListParams::default()).await.expect("nodes");
    let gpus: i64 = nodes
        .items
        .iter()
        .filter_map(|node| node.status.as_ref()?.capacity.as_ref()?.get("nvidia.com/gpu"))
        .map(|quantity| quantity.0.parse::<i64>().expect("a number"))
        .sum();
    assert_eq!((found.gpu_count, found.has_gpu_nodes), (Some(gpus), Some(gpus > 0)));
    assert_eq!(found.gpu_types.is_empty(), gpus == 0);
    for capability in ["platform", "has_gpu_nodes", "has_prometheus", "has_loki", "has_tempo"] {
        let told = found.evidence.iter().find(|evidence| evidence.capability == capability);
        assert!(told.is_some_and(|told| told.readable), "{capability} in {:?}", found.evidence);
    }
}

async fn it_goes_and_comes_back(stand: &Stand, id: &str) {
    let links = Links::at(&stand.practice.fleet.toxiproxy).expect("toxiproxy");
    let name = &stand.practice.cluster(0).name;
    links.cut(name).await.expect("it is cut");
    let gone =
        stand.becomes(id, "it is offline", |c| c.status.state == ClusterState::Offline).await;
    assert_eq!(gone.status.connectivity, Connectivity::Disconnected);
    assert_eq!(gone.status.last_error_code.as_deref(), Some("unreachable"));
    assert_eq!(gone.status.deductions[0].component, "api_server");
    links.mend(name).await.expect("it is mended");
    let back = stand.becomes(id, "it is back", |c| c.status.state == ClusterState::Online).await;
    assert_eq!((back.status.health_score, back.status.last_error), (Some(100), None));
}

async fn its_credential_is_refused(stand: &Stand, id: &str) {
    let admin = stand.practice.admin(0).await;
    let accounts = Api::<ServiceAccount>::namespaced(admin, "quarterdeck");
    accounts.delete("quarterdeck-viewer", &DeleteParams::default()).await.expect("deleted");
    let refused =
        stand.becomes(id, "it is refused", |c| c.status.state == ClusterState::Degraded).await;
    assert_eq!(refused.status.last_error_code.as_deref(), Some("unauthorized"));
    let error = refused.status.last_error.unwrap_or_default();
    assert!(error.starts_with("Credential refused"), "{error}");
    assert_ne!(refused.status.connectivity, Connectivity::Disconnected, "it answers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registration_and_rotation_are_runs_that_say_who_the_console_is() {
    let stand = Stand::new().await;
    stand.apply_manifest().await;
    let id = stand.register("harbour", &stand.token().await).await;
    let brought = |says: &[String]| {
        assert_eq!(says.len(), 2, "{says:?}");
        assert!(
            says[0].contains("system:serviceaccount:quarterdeck:quarterdeck-viewer"),
            "{says:?}"
        );
        assert!(says[0].starts_with("Kubernetes v1."), "{says:?}");
        assert!(says[1].starts_with("Kubernetes v1."), "{says:?}");
    };
    let (outcome, says) = stand.run("fleet.register").await;
    assert_eq!(outcome, "succeeded", "{says:?}");
    brought(&says);
    let seen = stand.becomes(&id, "it is online", |c| c.status.state == ClusterState::Online).await;
    assert!(seen.capabilities.is_some(), "the run discovered it");
    let new = stand.credential(&stand.token().await);
    let stored = stand.service.store_credential(&stand.permit().await, &id, new).await;
    assert_eq!(stored.expect("stored").version, 2);
    let (outcome, says) = stand.run("fleet.rotate").await;
    assert_eq!(outcome, "succeeded", "{says:?}");
    brought(&says);
}

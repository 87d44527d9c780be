//! Registration, preflight, rotation and every way to open a cluster, against a real API server.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use app::{
    error::ApiError,
    fleet::{
        Clusters as _, Manage, Registrations as _,
        credentials::{AuthType, NewCredential},
        drafts::Stage,
        preflight::Preflight,
        registration::NewCluster,
        trouble::Trouble,
    },
    identity::{Caller, CallerKind, Capability, Gate, Permit, Reach, model::Secret, permit},
};
use cluster_proof::{Practice, start};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::{Node, Secret as KubeSecret, ServiceAccount},
};
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use serde_json::json;
use server::{
    clock::{Clock, Rng},
    egress::{Egress, EgressConfig},
    fleet::{Clients, FleetService, Purpose, clients::Own, rbac},
    identity::AuditedGate,
    operations::queue::Queue,
    store::{Dialect, Sql, testing::Engine},
    vault::Vault,
};
use uuid::Uuid;

/// A fleet of one cluster, and the domain over a database of its own.
struct Stand {
    practice: Practice,
    service: FleetService,
    caller: Caller,
    engine: Engine,
    own: tempfile::TempDir,
}

impl Stand {
    async fn new() -> Self {
        let practice = start(1, 2);
        let clock = Clock::system();
        let engine = Engine::fresh(Dialect::Sqlite, clock.clone()).await;
        let db = engine.db.clone();
        let vault = Vault::for_tests();
        let gate: Arc<dyn Gate> = Arc::new(AuditedGate::new(db.clone()));
        let everything =
            Capability::ALL.iter().map(|capability| (*capability, Reach::Everything)).collect();
        let caller = Caller::new(CallerKind::User, "u-1", "Test", everything, gate);
        let own = tempfile::tempdir().expect("a folder");
        let url = practice.cluster(0).proxied_url.clone();
        let place = Own { url, folder: own.path().to_owned() };
        let egress = Egress::new(EgressConfig::default(), &clock);
        let clients = Clients::new(db.clone(), vault.clone(), egress, caller.clone(), place);
        let service = FleetService::new(db, vault, Rng::system(), clients, Queue::default());
        Self { practice, service, caller, engine, own }
    }

    async fn permit(&self) -> Permit<Manage> {
        permit::<Manage>(&self.caller).await.expect("a permit")
    }

    fn kubeconfig(&self, admin: bool) -> Secret {
        let cluster = self.practice.cluster(0);
        let path = if admin { &cluster.admin_kubeconfig } else { &cluster.viewer_kubeconfig };
        Secret(std::fs::read_to_string(path).expect("a kubeconfig"))
    }

    fn of_kubeconfig(&self, admin: bool) -> NewCredential {
        NewCredential {
            kubeconfig: Some(self.kubeconfig(admin)),
            ..NewCredential::empty(AuthType::Kubeconfig)
        }
    }

    fn of_token(&self, token: &str) -> NewCredential {
        NewCredential {
            token: Some(Secret(token.to_owned())),
            certificate_authority: Some(self.practice.cluster(0).ca.clone()),
            ..NewCredential::empty(AuthType::ServiceAccount)
        }
    }

    fn cluster(&self, name: &str, credentials: Option<NewCredential>) -> NewCluster {
        let url = &self.practice.cluster(0).proxied_url;
        let new = json!({ "name": name, "api_server_url": url });
        let new: NewCluster = serde_json::from_value(new).expect("a cluster");
        NewCluster { credentials, ..new }
    }

    /// What a look finds, before anything is registered.
    async fn look(&self, new: NewCluster) -> Preflight {
        let permit = self.permit().await;
        let id = self.service.check(&permit, new).await.expect("a draft");
        let draft = self.service.draft(&permit, &id).await.expect("the draft");
        match draft.stage {
            Stage::Checked { preflight } => *preflight,
            other => panic!("{other:?}"),
        }
    }

    async fn trouble(&self, new: NewCluster) -> Option<Trouble> {
        let found = self.look(new).await;
        assert_eq!(found.checks.len(), 6, "{found:?}");
        found.trouble
    }

    /// A token of an account that the manifest of the console grants its rights.
    async fn least(&self) -> String {
        self.grant(&rbac::manifest(&rbac::Ask::default())).await;
        self.token("quarterdeck", "quarterdeck-viewer").await
    }

    /// What somebody does who may, with the manifest that the console shows.
    async fn grant(&self, manifest: &str) {
        let documents = manifest.split("\n---\n").map(|document| {
            let value: serde_json::Value = serde_saphyr::from_str(document).expect("YAML");
            value
        });
        self.practice.apply(0, documents.collect()).await;
    }

    async fn token(&self, namespace: &str, account: &str) -> String {
        let admin = self.practice.admin(0).await;
        let accounts = Api::<ServiceAccount>::namespaced(admin, namespace);
        let spec = TokenRequestSpec { expiration_seconds: Some(7200), ..Default::default() };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let made = accounts.create_token_request(account, &PostParams::default(), &request).await;
        made.expect("a token").status.and_then(|status| status.token).expect("a token")
    }

    async fn nodes(&self, cluster: &str) -> usize {
        let id = Uuid::parse_str(cluster).expect("an id");
        let client = self.service.clients.of(id, Purpose::Watch).await.expect("a client");
        let nodes = Api::<Node>::all(client.client.clone());
        nodes.list(&ListParams::default()).await.expect("nodes").items.len()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_open_a_cluster_is_looked_at_and_used() {
    let stand = Stand::new().await;
    what_a_look_finds(&stand).await;
    each_failure_has_its_own_word(&stand).await;
    a_registration_is_decided_after_the_look(&stand).await;
    references_and_the_own_cluster(&stand).await;
    a_rotation_fails_no_request(&stand).await;
}

async fn what_a_look_finds(stand: &Stand) {
    let viewer = stand.look(stand.cluster("viewer", Some(stand.of_kubeconfig(false)))).await;
    assert_eq!(viewer.trouble, None, "{viewer:?}");
    assert_eq!(viewer.identity.as_deref(), Some("system:serviceaccount:fleet-access:viewer"));
    assert!(viewer.excess.is_empty(), "{:?}", viewer.excess);
    assert!(viewer.expires_at.is_some() && viewer.certificate_expires_at.is_some());
    assert!(viewer.kubernetes_version.is_some_and(|version| version.starts_with("v1.")));

    let admin = stand.look(stand.cluster("admin", Some(stand.of_kubeconfig(true)))).await;
    assert_eq!(admin.trouble, None, "{admin:?}");
    let much: Vec<&str> = admin.excess.iter().map(|excess| excess.what.as_str()).collect();
    for what in ["* *", "get nodes/proxy", "list secrets", "impersonate users"] {
        assert!(much.contains(&what), "{what} in {much:?}");
    }

    let least = stand.least().await;
    let found = stand.look(stand.cluster("least", Some(stand.of_token(&least)))).await;
    assert_eq!((found.trouble, found.missing.len()), (None, 0), "{:?}", found.missing);
    assert!(found.excess.is_empty(), "{:?}", found.excess);
    assert_eq!(
        found.identity.as_deref(),
        Some("system:serviceaccount:quarterdeck:quarterdeck-viewer")
    );

    // An account with no rights at all is known, and lacks everything.
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": { "name": "poor", "namespace": "default" } });
    stand.practice.apply(0, vec![account]).await;
    let poor = stand.token("default", "poor").await;
    let poor = stand.look(stand.cluster("poor", Some(stand.of_token(&poor)))).await;
    assert_eq!(poor.trouble, None, "{poor:?}");
    assert_eq!(poor.missing.len(), rbac::FEATURES.len());

    // What is behind the API server's proxy needs a right of its own, which the page's manifest then grants.
    let mut behind = stand.cluster("behind", Some(stand.of_token(&least)));
    behind.endpoints.loki_url = Some("http://echo.agents.svc:8080".to_owned());
    let found = stand.look(behind.clone()).await;
    let lacks: Vec<_> = found.missing.iter().map(|one| (one.feature.as_str(), &one.what)).collect();
    assert_eq!(lacks, [("Loki", &vec!["get services/proxy of echo:8080 in agents".to_owned()])]);
    let permit = stand.permit().await;
    let id = stand.service.check(&permit, behind.clone()).await.expect("a draft");
    let draft = stand.service.draft(&permit, &id).await.expect("the draft");
    stand.grant(&stand.service.manifest(&draft.proxied_namespaces)).await;
    let found = stand.look(behind).await;
    assert!(found.missing.is_empty() && found.excess.is_empty(), "{found:?}");
}

async fn each_failure_has_its_own_word(stand: &Stand) {
    let good = stand.token("quarterdeck", "quarterdeck-viewer").await;
    let with = |change: fn(&mut NewCluster, &mut NewCredential)| {
        let mut credential = stand.of_token(&good);
        let mut new = stand.cluster("broken", None);
        change(&mut new, &mut credential);
        new.credentials = Some(credential);
        stand.trouble(new)
    };
    let wrong = with(|_, credential| credential.token = Some(Secret("nobody".to_owned()))).await;
    assert_eq!(wrong, Some(Trouble::Unauthorized));
    let stranger = with(|_, credential| credential.certificate_authority = None).await;
    assert_eq!(stranger, Some(Trouble::TlsAuthority));
    let name = with(|_, credential| credential.tls_server_name = Some("other.example".to_owned()));
    assert_eq!(name.await, Some(Trouble::TlsName));
    let port = with(|new, _| new.api_server_url = Some("https://127.0.0.1:9".to_owned())).await;
    assert_eq!(port, Some(Trouble::Unreachable));
    let nobody =
        with(|new, _| new.api_server_url = Some("https://nobody.invalid".to_owned())).await;
    assert_eq!(nobody, Some(Trouble::UnknownName));
    let metadata =
        with(|new, _| new.api_server_url = Some("https://169.254.169.254".to_owned())).await;
    assert_eq!(metadata, Some(Trouble::AddressRefused));
    let path = with(|new, _| {
        new.api_server_url = new.api_server_url.take().map(|url| format!("{url}/elsewhere"));
    });
    // An API server that does not know the path says so, or who asks before it looks.
    let path = path.await.expect("a trouble");
    assert!(matches!(path, Trouble::NotKubernetes | Trouble::Forbidden), "{path:?}");
}

async fn a_registration_is_decided_after_the_look(stand: &Stand) {
    let permit = stand.permit().await;
    let count = async |sql: &'static str| {
        let row = stand.engine.db.fetch_one(Sql::new(sql)).await.expect("a count");
        row.i64("n").expect("a number")
    };
    let new = stand.cluster("decided", Some(stand.of_kubeconfig(false)));
    let draft = stand.service.check(&permit, new).await.expect("a draft");
    assert_eq!(count("SELECT COUNT(*) AS n FROM clusters").await, 0, "nothing is saved");
    let made = stand.service.register(&permit, &draft).await.expect("a cluster");
    assert_eq!(
        made.credential.as_ref().and_then(|c| c.validation.clone()).as_deref(),
        Some("valid")
    );
    assert_eq!(stand.nodes(&made.id).await, 2);
    let again = stand.service.register(&permit, &draft).await.expect_err("it was decided");
    assert_eq!(again.status(), 404);
    // What the API server refuses is no registration.
    let wrong = stand.cluster("refused", Some(stand.of_token("nobody")));
    let refused = stand.service.create(&permit, wrong).await.expect_err("it opens nothing");
    assert_eq!(refused, ApiError::Cluster(Trouble::Unauthorized));
    let checked = stand.service.validate(&permit, &made.id).await.expect("a look");
    assert!(checked.valid, "{}", checked.message);
    stand.service.remove(&permit, &made.id).await.expect("removed");
    let gone = stand.service.clients.of(Uuid::parse_str(&made.id).expect("an id"), Purpose::Watch);
    assert!(gone.await.is_err(), "no client outlives its cluster");
}

async fn references_and_the_own_cluster(stand: &Stand) {
    let permit = stand.permit().await;
    let least = stand.token("quarterdeck", "quarterdeck-viewer").await;
    // The console's own pod: an authority and a token in a folder. It may read the one secret that it is told of.
    let role = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": { "name": "one-secret", "namespace": "quarterdeck" },
        "rules": [{ "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["spoke"], "verbs": ["get"] }] });
    let binding = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": "one-secret", "namespace": "quarterdeck" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "one-secret" },
        "subjects": [{ "kind": "ServiceAccount", "name": "quarterdeck-viewer", "namespace": "quarterdeck" }] });
    let secret = json!({ "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "spoke", "namespace": "quarterdeck" }, "stringData": { "token": least } });
    stand.practice.apply(0, vec![role, binding, secret]).await;
    let admin = stand.practice.admin(0).await;
    let secrets = Api::<KubeSecret>::namespaced(admin, "quarterdeck");
    secrets.get("spoke").await.expect("the secret is there");
    let none = stand.cluster("by-reference", Some(reference(stand, "quarterdeck/spoke")));
    assert_eq!(stand.trouble(none.clone()).await, Some(Trouble::SecretRef), "no identity yet");
    std::fs::write(stand.own.path().join("ca.crt"), &stand.practice.cluster(0).ca).expect("a file");
    std::fs::write(stand.own.path().join("token"), &least).expect("a file");
    let found = stand.look(none.clone()).await;
    assert_eq!(found.trouble, None, "{found:?}");
    let other = stand.cluster("elsewhere", Some(reference(stand, "quarterdeck/another")));
    assert_eq!(stand.trouble(other).await, Some(Trouble::SecretRef));
    let made = stand.service.create(&permit, none).await.expect("a cluster");
    assert_eq!(stand.nodes(&made.id).await, 2);

    let own = json!({ "name": "own", "transport": "in_cluster" });
    let own: NewCluster = serde_json::from_value(own).expect("a cluster");
    let found = stand.look(own.clone()).await;
    assert_eq!(found.trouble, None, "{found:?}");
    let made = stand.service.create(&permit, own).await.expect("a cluster");
    assert_eq!(stand.nodes(&made.id).await, 2);
}

fn reference(stand: &Stand, to: &str) -> NewCredential {
    NewCredential {
        token: None,
        service_account_token_secret_ref: Some(to.to_owned()),
        ..stand.of_token("x")
    }
}

/// Readers at work the whole time; each looks up the client as a page does.
async fn a_rotation_fails_no_request(stand: &Stand) {
    let permit = stand.permit().await;
    let first = stand.token("quarterdeck", "quarterdeck-viewer").await;
    let new = stand.cluster("rotated", Some(stand.of_token(&first)));
    let made = stand.service.create(&permit, new).await.expect("a cluster");
    let id = Uuid::parse_str(&made.id).expect("an id");
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let readers: Vec<_> = (0..6)
        .map(|_| {
            let (clients, stop, asked) =
                (stand.service.clients.clone(), Arc::clone(&stop), Arc::clone(&asked));
            tokio::spawn(async move {
                let mut failed = Vec::new();
                let mut versions = std::collections::BTreeSet::new();
                while !stop.load(Ordering::SeqCst) {
                    asked.fetch_add(1, Ordering::SeqCst);
                    let client = match clients.of(id, Purpose::Watch).await {
                        Ok(client) => client,
                        Err(error) => {
                            failed.push(error.to_string());
                            continue;
                        }
                    };
                    versions.insert(client.version);
                    let nodes = Api::<Node>::all(client.client.clone());
                    if let Err(error) = nodes.list(&ListParams::default()).await {
                        failed.push(error.to_string());
                    }
                }
                (failed, versions)
            })
        })
        .collect();
    for round in 0..4 {
        let next = if round % 2 == 0 {
            stand.of_kubeconfig(false)
        } else {
            let token = stand.token("quarterdeck", "quarterdeck-viewer").await;
            // Whom to trust is known from before.
            NewCredential { certificate_authority: None, ..stand.of_token(&token) }
        };
        let meta = stand.service.store_credential(&permit, &made.id, next).await;
        assert_eq!(meta.expect("a rotation").version, round + 2);
        // Whoever asks from here on gets the new one.
        let before = asked.load(Ordering::SeqCst);
        while asked.load(Ordering::SeqCst) < before + 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    stop.store(true, Ordering::SeqCst);
    let mut seen = std::collections::BTreeSet::new();
    for reader in readers {
        let (failed, versions) = reader.await.expect("a reader");
        assert!(failed.is_empty(), "{failed:?}");
        seen.extend(versions);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
}

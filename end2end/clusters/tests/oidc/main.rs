//! Clusters that are opened by an identity provider: a real one over TLS, and a real API server that takes its tokens.

#[path = "../../../../server/tests/idp_kit/mod.rs"]
mod idp_kit;

use std::{ffi::OsStr, sync::Arc, time::Duration};

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
use cluster_proof::{Practice, eventually, start_with};
use futures::future::join_all;
use idp_kit::{Idp, Realm};
use k8s_openapi::api::core::v1::Node;
use kube::{Api, api::ListParams};
use serde_json::{Value, json};
use server::{
    clock::{Clock, Rng},
    egress::{Egress, EgressConfig, authorities},
    fleet::{Clients, FleetService, Purpose, clients::Own, rbac},
    identity::AuditedGate,
    operations::queue::Queue,
    store::{Dialect, testing::Engine},
    vault::Vault,
};
use uuid::Uuid;

/// A fleet of one cluster that takes the tokens of `trusted`, and not those of `stranger`.
struct Stand {
    practice: Practice,
    trusted: Realm,
    stranger: Realm,
    service: FleetService,
    caller: Caller,
    engine: Engine,
}

async fn realm() -> Realm {
    let client =
        json!({ "grant_types": ["authorization_code", "refresh_token", "client_credentials"] });
    // Tokens that live shortly: many are given while the test runs.
    let wishes = json!({ "tls": true, "client": client, "ttl": { "id": 8, "access": 8 } });
    Realm::new("http://console.example/", wishes).await
}

/// Whose tokens the API server takes: the form in which clusters of today are told.
fn authentication(realm: &Realm) -> String {
    let authority = std::fs::read_to_string(&Idp::get().authority).expect("a file of the kit");
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [{
            "issuer": { "url": realm.issuer, "certificateAuthority": authority, "audiences": ["quarterdeck"] },
            "claimMappings": {
                "username": { "claim": "sub", "prefix": "idp:" },
                "groups": { "claim": "groups", "prefix": "idp:" },
            },
        }],
    })
    .to_string()
}

/// What the console may do, for those whom the provider names: a group of people, and the client itself.
fn grants() -> Vec<Value> {
    let text = rbac::manifest(&rbac::Ask::default());
    let mut documents: Vec<Value> = text
        .split("\n---\n")
        .map(|document| serde_saphyr::from_str(document).expect("YAML"))
        .collect();
    documents.push(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": { "name": "of-the-provider" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "quarterdeck-viewer" },
        "subjects": [
            { "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "idp:ops-admins" },
            { "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "idp:quarterdeck" },
        ],
    }));
    let role =
        json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "upstreams" });
    documents.push(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": { "name": "upstreams", "namespace": "agents" },
        "rules": [{ "apiGroups": [""], "resources": ["services/proxy"], "verbs": ["get"] }],
    }));
    documents.push(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": "upstreams", "namespace": "agents" }, "roleRef": role,
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "idp:quarterdeck" }],
    }));
    documents
}

impl Stand {
    async fn new() -> Self {
        let (trusted, stranger) = (realm().await, realm().await);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("authentication.json");
        std::fs::write(&file, authentication(&trusted)).expect("a file");
        let practice = start_with(1, 2, &[OsStr::new("--authentication"), file.as_os_str()]);
        practice.apply(0, grants()).await;
        let clock = Clock::system();
        let engine = Engine::fresh(Dialect::Sqlite, clock.clone()).await;
        let gate: Arc<dyn Gate> = Arc::new(AuditedGate::new(engine.db.clone()));
        let everything =
            Capability::ALL.iter().map(|capability| (*capability, Reach::Everything)).collect();
        let caller = Caller::new(CallerKind::User, "u-1", "Test", everything, gate);
        let clients = console(&engine, &caller);
        let (db, vault) = (engine.db.clone(), Vault::for_tests());
        let service = FleetService::new(db, vault, Rng::system(), clients, Queue::default());
        Self { practice, trusted, stranger, service, caller, engine }
    }

    /// A console of its own over the same database: another replica, or this one after a restart.
    fn console(&self) -> Clients {
        console(&self.engine, &self.caller)
    }

    async fn permit(&self) -> Permit<Manage> {
        permit::<Manage>(&self.caller).await.expect("a permit")
    }

    fn cluster(&self, name: &str, realm: &Realm, refresh_token: Option<&str>) -> NewCluster {
        let url = &self.practice.cluster(0).proxied_url;
        let new = json!({ "name": name, "api_server_url": url });
        let new: NewCluster = serde_json::from_value(new).expect("a cluster");
        let opens = NewCredential {
            issuer_url: Some(realm.issuer.clone()),
            client_id: Some("quarterdeck".to_owned()),
            client_secret: Some(Secret("rig-secret".to_owned())),
            refresh_token: refresh_token.map(|token| Secret(token.to_owned())),
            certificate_authority: Some(self.practice.cluster(0).ca.clone()),
            ..NewCredential::empty(AuthType::Oidc)
        };
        NewCluster { credentials: Some(opens), ..new }
    }

    /// A draft and what its look has found.
    async fn look(&self, new: NewCluster) -> (String, Preflight) {
        let permit = self.permit().await;
        let id = self.service.check(&permit, new).await.expect("a draft");
        let draft = self.service.draft(&permit, &id).await.expect("the draft");
        match draft.stage {
            Stage::Checked { preflight } => (id, *preflight),
            other => panic!("{other:?}"),
        }
    }
}

fn console(engine: &Engine, caller: &Caller) -> Clients {
    let pem = std::fs::read(&Idp::get().authority).expect("a file of the kit");
    let extra_authorities = authorities(&pem).expect("one authority");
    let config = EgressConfig { extra_authorities, ..EgressConfig::default() };
    let egress = Egress::new(config, engine.db.clock());
    Clients::new(engine.db.clone(), Vault::for_tests(), egress, caller.clone(), Own::default())
}

async fn nodes(clients: &Clients, id: Uuid) -> Result<usize, String> {
    let client = clients.of(id, Purpose::Watch).await.map_err(|error| error.to_string())?;
    let nodes = Api::<Node>::all(client.client.clone()).list(&ListParams::default()).await;
    nodes.map(|nodes| nodes.items.len()).map_err(|error| format!("{error:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_opened_by_an_identity_provider() {
    let stand = Stand::new().await;
    a_clients_own_credentials_open_it(&stand).await;
    a_token_for_another_is_refused_and_one_for_the_named_audience_is_not(&stand).await;
    a_refresh_token_opens_it_for_long(&stand).await;
    who_is_not_trusted_there_is_refused(&stand).await;
    what_was_withdrawn_says_so(&stand).await;
}

async fn a_clients_own_credentials_open_it(stand: &Stand) {
    let (draft, found) = stand.look(stand.cluster("machine", &stand.trusted, None)).await;
    assert_eq!(found.trouble, None, "{found:?}");
    assert_eq!(found.identity.as_deref(), Some("idp:quarterdeck"));
    assert!(found.missing.is_empty() && found.excess.is_empty(), "{found:?}");
    let permit = stand.permit().await;
    let made = stand.service.register(&permit, &draft).await.expect("a cluster");
    let id = Uuid::parse_str(&made.id).expect("an id");
    assert_eq!(nodes(&stand.service.clients, id).await, Ok(2));
    what_says_who_asks_does_not_go_through_the_proxy(stand, id).await;
}

/// Where the provider makes tokens for somebody else unless it is told for whom.
async fn a_token_for_another_is_refused_and_one_for_the_named_audience_is_not(stand: &Stand) {
    stand.trusted.change(json!({ "audience": "https://api.example/" })).await;
    let mut new = stand.cluster("for-whom", &stand.trusted, None);
    let (_, found) = stand.look(new.clone()).await;
    assert_eq!(found.trouble, Some(Trouble::Unauthorized), "{found:?}");
    if let Some(opens) = &mut new.credentials {
        opens.audience = Some("quarterdeck".to_owned());
    }
    let (_, found) = stand.look(new).await;
    assert_eq!(found.identity.as_deref(), Some("idp:quarterdeck"), "{found:?}");
}

/// A token for an upstream behind the service proxy would never arrive, as the look at a cluster says.
async fn what_says_who_asks_does_not_go_through_the_proxy(stand: &Stand, id: Uuid) {
    let client = stand.service.clients.of(id, Purpose::Probe).await.expect("a client");
    let heard = eventually("somebody stands behind the service", async || {
        let path = "/api/v1/namespaces/agents/services/echo:http/proxy/-/ready";
        let request = http::Request::get(path).body(Vec::new()).expect("a request");
        client.client.request::<Value>(request).await.ok()
    })
    .await;
    let headers = heard["headers"].as_object().expect("headers");
    assert_eq!(heard["path"], "/-/ready");
    assert!(headers.keys().all(|name| !name.eq_ignore_ascii_case("authorization")), "{heard}");
}

/// Its tokens live eight seconds: they are renewed while several consoles read, and each refresh token is spent once.
async fn a_refresh_token_opens_it_for_long(stand: &Stand) {
    let token = stand.trusted.refresh_token("alice").await;
    let (draft, found) = stand.look(stand.cluster("person", &stand.trusted, Some(&token))).await;
    assert_eq!(found.trouble, None, "{found:?}");
    assert_eq!(found.identity.as_deref(), Some("idp:alice"));
    assert!(found.groups.iter().any(|group| group == "idp:ops-admins"), "{:?}", found.groups);
    let permit = stand.permit().await;
    let made = stand.service.register(&permit, &draft).await.expect("a cluster");
    let id = Uuid::parse_str(&made.id).expect("an id");
    let (one, other) = (stand.service.clients.clone(), stand.console());
    let before = stand.trusted.calls("token").await;
    let clock = Clock::system();
    let end = clock.monotonic() + Duration::from_secs(20);
    let readers = (0..4).map(|n| {
        let (clients, clock) = (if n % 2 == 0 { &one } else { &other }, &clock);
        async move {
            let (mut asked, mut failed) = (0, Vec::new());
            while clock.monotonic() < end {
                match nodes(clients, id).await {
                    Ok(2) => asked += 1,
                    other => failed.push(other),
                }
                clock.sleep(Duration::from_millis(50)).await;
            }
            (asked, failed)
        }
    });
    for (asked, failed) in join_all(readers).await {
        assert!(asked > 20 && failed.is_empty(), "{asked} answered, and {failed:?}");
    }
    // Every six seconds, by each of two consoles.
    let spent = stand.trusted.calls("token").await - before;
    assert!((4..=12).contains(&spent), "{spent} exchanges");
    assert_eq!(nodes(&stand.console(), id).await, Ok(2), "after a restart");
    let checked = stand.service.validate(&permit, &made.id).await.expect("a look");
    assert!(checked.valid, "{}", checked.message);
}

async fn who_is_not_trusted_there_is_refused(stand: &Stand) {
    let (_, found) = stand.look(stand.cluster("strange", &stand.stranger, None)).await;
    assert_eq!(found.trouble, Some(Trouble::Unauthorized), "{found:?}");
    // Nobody bound anything to this one: known, and allowed nothing.
    let token = stand.trusted.refresh_token("nobody").await;
    let (_, found) = stand.look(stand.cluster("nobody", &stand.trusted, Some(&token))).await;
    assert_eq!((found.trouble, found.identity.as_deref()), (None, Some("idp:nobody")));
    assert_eq!(found.missing.len(), rbac::FEATURES.len(), "{:?}", found.missing);
}

async fn what_was_withdrawn_says_so(stand: &Stand) {
    let permit = stand.permit().await;
    let token = stand.trusted.refresh_token("oscar").await;
    let new = stand.cluster("withdrawn", &stand.trusted, Some(&token));
    let made = stand.service.create(&permit, new).await.expect("a cluster");
    // Whoever was disabled at the provider is refused there.
    stand.trusted.change(json!({ "people": { "oscar": { "disabled": true } } })).await;
    let checked = stand.service.validate(&permit, &made.id).await.expect("a look");
    assert_eq!(checked.status, "oidc_grant", "{}", checked.message);
    assert!(checked.message.contains("new refresh token"), "{}", checked.message);
    let again = stand.cluster("again", &stand.trusted, Some(&token));
    let refused = stand.service.create(&permit, again).await.expect_err("it is refused");
    assert_eq!(refused, ApiError::Cluster(Trouble::OidcGrant));
}

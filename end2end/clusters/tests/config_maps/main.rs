//! Config maps that a kubelet missed, looked for by name at a real API server: whether they are there by now, which keys
//! they have, and that nothing else of them is read, of secrets nothing at all.

use std::sync::Arc;

use app::{
    fleet::{
        Clusters as _, Manage, View,
        registration::NewCluster,
        watched::{Cause, Finding, Severity, Watched as _},
    },
    identity::permit,
    list::ListQuery,
};
use cluster_proof::{Practice, Tampered, eventually, start};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::{Pod, ServiceAccount},
};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use server::{
    clock::{Clock, Rng},
    egress::{Egress, EgressConfig},
    fleet::{
        Clients, FleetService,
        clients::Own,
        rbac,
        watch::{Notices, Watches},
        watched::WatchedService,
    },
    operations::queue::Queue,
    store::{
        Dialect,
        testing::{Engine, admin},
    },
    vault::Vault,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What must come out nowhere.
const VALUE: &str = "a-value-that-nobody-reads";

struct Nobody;

impl Notices for Nobody {
    fn changed(&self, _: Uuid, _: i64, _: &[app::fleet::watched::Kind]) {}
}

struct Stand {
    practice: Practice,
    watched: WatchedService,
    sent: Tampered,
    cluster: String,
    stop: CancellationToken,
    _engine: Engine,
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Stand {
    async fn new() -> Self {
        let practice = start(1, 1);
        let text = rbac::manifest(&rbac::Ask::default());
        let least =
            text.split("\n---\n").map(|one| serde_saphyr::from_str::<Value>(one).expect("YAML"));
        practice.apply(0, least.collect()).await;
        let sent = Tampered::new(client(&practice, "quarterdeck", "quarterdeck-viewer").await);
        let clock = Clock::system();
        let engine = Engine::fresh(Dialect::Sqlite, clock.clone()).await;
        let watches =
            Watches::new(Arc::new(sent.clone()), Arc::new(Nobody), clock.clone(), Rng::seeded(1));
        let stop = CancellationToken::new();
        let (running, stopped) = (watches.clone(), stop.clone());
        tokio::spawn(async move { running.run(stopped).await });
        let service = WatchedService::new(engine.db.clone(), clock.clone(), watches);
        let cluster = registered(&engine, &clock).await;
        Self { practice, watched: service, sent, cluster, stop, _engine: engine }
    }

    async fn findings(&self) -> Vec<Finding> {
        let permit = permit::<View>(&admin()).await.expect("a permit");
        let listed = self.watched.findings(&permit, &self.cluster, &ListQuery::default()).await;
        let found = listed.expect("findings").page.items;
        let text = serde_json::to_string(&found).expect("JSON");
        assert!(!text.contains(VALUE), "{text}");
        found
    }

    /// What is said of one pod, once it is as wanted.
    async fn finding(&self, what: &str, name: &str, is: impl Fn(&Finding) -> bool) -> Finding {
        eventually(what, async || {
            let all = self.findings().await;
            all.into_iter().find(|finding| finding.name == name && is(finding))
        })
        .await
    }
}

/// A cluster that the store knows; what opens it is the test's.
async fn registered(engine: &Engine, clock: &Clock) -> String {
    let (db, vault) = (engine.db.clone(), Vault::for_tests());
    let egress = Egress::new(EgressConfig::default(), clock);
    let clients = Clients::new(db.clone(), vault.clone(), egress, admin(), Own::default());
    let service = FleetService::new(db, vault, Rng::system(), clients, Queue::default());
    let new = json!({ "name": "harbour", "api_server_url": "https://127.0.0.1:9" });
    let new: NewCluster = serde_json::from_value(new).expect("a cluster");
    let permit = permit::<Manage>(&admin()).await.expect("a permit");
    service.create(&permit, new).await.expect("a cluster").id
}

/// As a service account.
async fn client(practice: &Practice, namespace: &str, account: &str) -> kube::Client {
    let accounts = Api::<ServiceAccount>::namespaced(practice.admin(0).await, namespace);
    let spec = TokenRequestSpec { expiration_seconds: Some(7200), ..Default::default() };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let made = accounts.create_token_request(account, &PostParams::default(), &request).await;
    let token = made.expect("a token").status.and_then(|status| status.token).expect("a token");
    let cluster = practice.cluster(0);
    let identity = fleet::kubeconfig::Identity::Token(&token);
    let text = fleet::kubeconfig::render("it", &cluster.proxied_url, &cluster.ca, &identity);
    fleet::kubeconfig::client(&text.expect("a kubeconfig")).await.expect("a client")
}

/// A pod of a node that is not there, so that nobody else writes its status.
async fn pod(practice: &Practice, name: &str, message: &str) {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": "trouble" },
        "spec": { "nodeName": "elsewhere", "terminationGracePeriodSeconds": 1,
            "containers": [{ "name": "main", "image": "registry.practice.test/main:1" }] },
    });
    practice.apply(0, vec![pod]).await;
    let waiting =
        json!({ "waiting": { "reason": "CreateContainerConfigError", "message": message } });
    let container = json!({ "name": "main", "image": "i", "imageID": "", "ready": false,
        "restartCount": 0, "state": waiting });
    let status = json!({ "status": { "phase": "Pending", "containerStatuses": [container] } });
    let pods = Api::<Pod>::namespaced(practice.admin(0).await, "trouble");
    let patch = Patch::Merge(&status);
    pods.patch_status(name, &PatchParams::default(), &patch).await.expect("a status");
}

fn config_map(data: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": data,
        "metadata": { "name": "app-config", "namespace": "trouble" } })
}

fn now(finding: &Finding) -> &str {
    let asked =
        finding.evidence.iter().find(|evidence| evidence.source.contains("asked for by name"));
    asked.map_or("", |evidence| &evidence.value)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_map_that_was_missed_is_looked_for_by_its_name() {
    let stand = Stand::new().await;
    let practice = &stand.practice;
    let namespace =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "trouble" } });
    practice.apply(0, vec![namespace]).await;
    pod(practice, "no-map", "configmap \"app-config\" not found").await;
    pod(practice, "no-key", "couldn't find key level in ConfigMap trouble/app-config").await;
    pod(practice, "no-secret-key", "couldn't find key level in Secret trouble/app-secret").await;

    let map = stand.finding("it is absent", "no-map", |f| now(f) == "does not exist").await;
    assert_eq!((map.cause, map.severity), (Cause::ConfigMapMissing, Severity::Bad));
    let key = stand.finding("so is its key", "no-key", |f| now(f) == "does not exist").await;
    assert!(key.says.contains("does not exist"), "{}", key.says);
    let asked = stand.sent.sent("/configmaps/app-config");
    assert!((1..=3).contains(&asked), "asked {asked} times: once for both, and not each time");

    practice.apply(0, vec![config_map(&json!({ "levle": VALUE }))]).await;
    let map =
        stand.finding("it is there by now", "no-map", |f| f.severity == Severity::Warning).await;
    assert!(map.says.contains("there by now"), "{}", map.says);
    let key = stand.finding("its keys are named", "no-key", |f| now(f).starts_with("exists")).await;
    assert_eq!((now(&key), key.severity), ("exists, with the key levle", Severity::Bad));

    let maps = Api::<k8s_openapi::api::core::v1::ConfigMap>::namespaced(
        practice.admin(0).await,
        "trouble",
    );
    let patch = Patch::Merge(json!({ "data": { "level": VALUE } }));
    maps.patch("app-config", &PatchParams::default(), &patch).await.expect("it is mended");
    let key =
        stand.finding("its key is there", "no-key", |f| f.severity == Severity::Warning).await;
    assert!(key.says.contains("key level of config map app-config"), "{}", key.says);

    let secret = stand.finding("the secret's", "no-secret-key", |_| true).await;
    assert_eq!((now(&secret), secret.severity), ("", Severity::Bad), "it is not asked for");
    assert_eq!(stand.sent.sent("/secrets"), 0);
    assert_eq!(
        stand.sent.sent("/configmaps?") + stand.sent.sent("/configmaps&"),
        0,
        "never a list"
    );
    without_the_right(&stand).await;
}

/// The same rights but for this one.
async fn without_the_right(stand: &Stand) {
    let admin = stand.practice.admin(0).await;
    let roles = Api::<k8s_openapi::api::rbac::v1::ClusterRole>::all(admin);
    let mut role = roles.get("quarterdeck-viewer").await.expect("the role");
    for rule in role.rules.iter_mut().flatten() {
        let named = rule.resources.iter_mut().flatten();
        named.filter(|resource| *resource == "configmaps").for_each(|r| "nothing".clone_into(r));
    }
    roles.replace("quarterdeck-viewer", &PostParams::default(), &role).await.expect("changed");
    let told = stand.finding("it is refused", "no-map", |f| now(f).contains("403")).await;
    assert_eq!(told.severity, Severity::Bad, "what is not known weighs as before");
    assert!(now(&told).contains("quarterdeck rbac"), "{}", now(&told));
}

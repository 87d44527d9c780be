//! The checks on a real control plane: what its scheduler, controllers and admission say of broken things is found, and
//! a kubelet's part, which no machine here plays, is written into the status that the real API server then serves.

use std::{sync::Arc, time::Duration};

use app::fleet::watched::{Cause, Finding};
use cluster_proof::{Practice, Tampered, eventually, start};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use server::{
    clock::{Clock, Rng},
    fleet::{
        checks::{self, Facts},
        watch::{ClusterView, Notices, Until, Watches},
    },
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

struct Nobody;

impl Notices for Nobody {
    fn changed(&self, _: Uuid, _: i64, _: &[app::fleet::watched::Kind]) {}
}

fn object(version: &str, kind: &str, name: &str, rest: &Value) -> Value {
    let mut object = json!({
        "apiVersion": version, "kind": kind,
        "metadata": { "name": name, "namespace": "trouble" },
    });
    for (key, value) in rest.as_object().expect("fields") {
        object[key] = value.clone();
    }
    object
}

fn deployment(name: &str, pod: &Value) -> Value {
    let labels = json!({ "app": name });
    object(
        "apps/v1",
        "Deployment",
        name,
        &json!({ "spec": {
            "replicas": 1, "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": pod }
        } }),
    )
}

fn main_of(extra: &Value) -> Value {
    let mut container = json!({ "name": "main", "image": "registry.practice.test/main:1" });
    for (key, value) in extra.as_object().expect("fields") {
        container[key] = value.clone();
    }
    json!({ "terminationGracePeriodSeconds": 1, "containers": [container] })
}

fn service(name: &str, app: &str, target: u16) -> Value {
    object(
        "v1",
        "Service",
        name,
        &json!({ "spec": { "selector": { "app": app }, "ports": [{ "port": 80, "targetPort": target }] } }),
    )
}

fn policy(name: &str, spec: &Value) -> Value {
    object("networking.k8s.io/v1", "NetworkPolicy", name, &json!({ "spec": spec }))
}

/// What controllers, scheduler and admission see by themselves.
fn broken() -> Vec<Value> {
    let web = main_of(&json!({ "ports": [{ "containerPort": 80 }] }));
    let mut nobody = main_of(&json!({}));
    nobody["serviceAccountName"] = "custom-sa".into();
    let mut waits = main_of(&json!({}));
    waits["volumes"] =
        json!([{ "name": "data", "persistentVolumeClaim": { "claimName": "data" } }]);
    vec![
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "trouble" } }),
        deployment("huge", &main_of(&json!({ "resources": { "requests": { "cpu": "1000" } } }))),
        deployment("web", &web),
        service("wrong-selector", "webb", 80),
        service("wrong-port", "web", 8080),
        deployment("no-account", &nobody),
        object(
            "v1",
            "PersistentVolumeClaim",
            "data",
            &json!({ "spec": { "storageClassName": "fast-ssd", "accessModes": ["ReadWriteOnce"],
                "resources": { "requests": { "storage": "1Gi" } } } }),
        ),
        deployment("waits", &waits),
        policy(
            "deny-in",
            &json!({ "podSelector": { "matchLabels": { "app": "web" } }, "policyTypes": ["Ingress"] }),
        ),
        policy(
            "deny-out",
            &json!({ "podSelector": { "matchLabels": { "app": "web" } }, "policyTypes": ["Egress"] }),
        ),
        policy(
            "own-only",
            &json!({ "podSelector": { "matchLabels": { "app": "huge" } }, "policyTypes": ["Ingress"],
                "ingress": [{ "from": [{ "podSelector": {} }] }] }),
        ),
    ]
}

/// What only a kubelet knows. Where it is said is the real pod's status.
fn of_kubelet() -> Vec<(&'static str, Cause, Value)> {
    let waiting = |reason: &str, message: &str| json!({ "waiting": { "reason": reason, "message": message } });
    let ended = |reason: &str, code: i32, message: &str| {
        json!({ "terminated": { "reason": reason, "exitCode": code, "message": message,
            "startedAt": "2026-11-21T10:00:00Z", "finishedAt": "2026-11-21T10:00:03Z" } })
    };
    let again = || waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container");
    let status =
        |state: Value, last: Value| json!({ "state": state, "lastState": last, "restartCount": 4 });
    let forbidden = |place: &str| {
        format!(
            "pods is forbidden: User \"system:serviceaccount:trouble:default\" cannot list resource \"pods\" in API group \"\" {place}"
        )
    };
    vec![
        (
            "typo",
            Cause::ImageMissing,
            status(
                waiting("ErrImagePull", "failed to resolve reference \"busyboxx\": not found"),
                json!({}),
            ),
        ),
        (
            "private",
            Cause::ImageDenied,
            status(waiting("ErrImagePull", "unexpected status: 401 Unauthorized"), json!({})),
        ),
        ("crash", Cause::CrashLoop, status(again(), ended("Error", 1, "no database"))),
        ("memory", Cause::OutOfMemory, status(again(), ended("OOMKilled", 137, ""))),
        (
            "no-map",
            Cause::ConfigMapMissing,
            status(
                waiting("CreateContainerConfigError", "configmap \"app-config\" not found"),
                json!({}),
            ),
        ),
        (
            "no-key",
            Cause::KeyMissing,
            status(
                waiting(
                    "CreateContainerConfigError",
                    "couldn't find key api-key in Secret trouble/api",
                ),
                json!({}),
            ),
        ),
        (
            "role",
            Cause::RoleForbids,
            status(again(), ended("Error", 1, &forbidden("in the namespace \"trouble\""))),
        ),
        (
            "cluster-role",
            Cause::ClusterRoleForbids,
            status(again(), ended("Error", 1, &forbidden("at the cluster scope"))),
        ),
    ]
}

fn view_of(client: kube::Client) -> (ClusterView, CancellationToken) {
    let watches = Watches::new(
        Arc::new(Tampered::new(client)),
        Arc::new(Nobody),
        Clock::system(),
        Rng::seeded(1),
    );
    let stop = CancellationToken::new();
    let (running, stopped) = (watches.clone(), stop.clone());
    tokio::spawn(async move { running.run(stopped).await });
    (watches.of(Uuid::from_u128(9), 1), stop)
}

async fn found(view: &ClusterView, cause: Cause, name: &str) -> Finding {
    eventually(&format!("{cause:?} at {name}"), async || {
        view.ask(checks::KINDS, Until::Whole, Duration::from_mins(1)).await;
        let all = checks::all(&Facts::of(view, Clock::system().now()));
        all.into_iter().find(|f| {
            f.cause == cause && f.name == name && f.namespace.as_deref() == Some("trouble")
        })
    })
    .await
}

fn holds(finding: &Finding, words: &[&str]) {
    let evidence: Vec<String> =
        finding.evidence.iter().map(|e| format!("{}: {}", e.source, e.value)).collect();
    let whole = format!("{} {}", finding.says, evidence.join(" "));
    for word in words {
        assert!(whole.contains(word), "`{word}` is not in {finding:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_broken_is_found_with_its_cause() {
    let practice = start(1, 2);
    practice.apply(0, broken()).await;
    let (view, stop) = view_of(practice.viewer(0).await);
    controllers(&view).await;
    taint(&practice, &view).await;
    kubelet(&practice, &view).await;
    // What the fleet itself has in trouble: an image that its kubelet cannot pull.
    eventually("the fleet's own trouble", async || {
        let all = checks::all(&Facts::of(&view, Clock::system().now()));
        let image = all.into_iter().find(|f| f.name == "prototype")?;
        matches!(image.cause, Cause::ImageMissing | Cause::ImagePull | Cause::ImageDenied)
            .then_some(())
    })
    .await;
    stop.cancel();
}

async fn controllers(view: &ClusterView) {
    let huge = found(view, Cause::ResourcesShort, "huge").await;
    holds(&huge, &["cpu (main: 1k)", "Insufficient cpu"]);
    let claim = found(view, Cause::ClaimUnbound, "data").await;
    holds(&claim, &["fast-ssd"]);
    found(view, Cause::ClaimUnbound, "waits").await;
    let account = found(view, Cause::ServiceAccountMissing, "no-account").await;
    holds(&account, &["no service account custom-sa in trouble"]);
    holds(&found(view, Cause::SelectorMismatch, "wrong-selector").await, &["app=webb", "app=web"]);
    holds(&found(view, Cause::PortMismatch, "wrong-port").await, &["8080", "declare 80"]);
    found(view, Cause::IngressDenied, "deny-in").await;
    found(view, Cause::EgressDenied, "deny-out").await;
    found(view, Cause::OtherNamespacesDenied, "own-only").await;
}

async fn taint(practice: &Practice, view: &ClusterView) {
    let admin = practice.admin(0).await;
    let nodes = Api::<k8s_openapi::api::core::v1::Node>::all(admin);
    let taints = json!({ "spec": { "taints": [{ "key": "app", "value": "critical", "effect": "NoSchedule" }] } });
    let names: Vec<String> = {
        let table = view.cluster().nodes.table();
        table.iter().map(|node| node.meta.name.to_string()).collect()
    };
    for name in &names {
        let patch = Patch::Merge(&taints);
        nodes.patch(name, &PatchParams::default(), &patch).await.expect("it is tainted");
    }
    practice.apply(0, vec![deployment("shy", &main_of(&json!({})))]).await;
    holds(&found(view, Cause::Taint, "shy").await, &["app=critical:NoSchedule"]);
    let none = json!({ "spec": { "taints": null } });
    for name in &names {
        let patch = Patch::Merge(&none);
        nodes.patch(name, &PatchParams::default(), &patch).await.expect("it is free again");
    }
}

/// Pods of a node that is not there, so that nobody else writes their status.
async fn kubelet(practice: &Practice, view: &ClusterView) {
    let pods = Api::<Pod>::namespaced(practice.admin(0).await, "trouble");
    for (name, cause, mut container) in of_kubelet() {
        let mut spec = main_of(&json!({ "resources": { "limits": { "memory": "15Mi" } } }));
        spec["nodeName"] = "elsewhere".into();
        practice.apply(0, vec![object("v1", "Pod", name, &json!({ "spec": spec }))]).await;
        for (key, value) in [
            ("name", json!("main")),
            ("image", json!("i")),
            ("imageID", json!("")),
            ("ready", json!(false)),
        ] {
            container[key] = value;
        }
        let status = json!({ "status": { "phase": "Pending", "containerStatuses": [container] } });
        let patch = Patch::Merge(&status);
        pods.patch_status(name, &PatchParams::default(), &patch).await.expect("a status");
        found(view, cause, name).await;
    }
}

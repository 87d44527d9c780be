//! The scenarios in the shapes in which a real API server and kubelet tell them.

use std::sync::Arc;

use app::fleet::watched::{Cause, Finding, Kind, Severity};
use serde_json::{Value, json};

use super::{Facts, all};
use crate::fleet::watch::{names::Names, slim::Slim};

/// 2026-11-21T22:10:00Z.
const NOW: &str = "2026-11-21T22:10:00Z";

fn read<T: Slim>(kind: Kind, object: &Value) -> Arc<T> {
    let wire = serde_json::from_value(object.clone()).expect("the API's shape");
    Arc::new(T::slim(kind, wire, &Names::default()))
}

fn of_kind<T: Slim>(objects: &[Value], word: &str, kind: Kind) -> Vec<Arc<T>> {
    objects.iter().filter(|o| o["kind"] == word).map(|o| read(kind, o)).collect()
}

/// As if all kinds were known.
fn facts(objects: &[Value]) -> Facts {
    let mut pods = of_kind(objects, "Pod", Kind::Pods);
    pods.sort_by(|one: &Arc<crate::fleet::watch::slim::Pod>, other| {
        (&one.meta.namespace, &one.meta.name).cmp(&(&other.meta.namespace, &other.meta.name))
    });
    let facts = Facts {
        now: NOW.parse().expect("a time"),
        nodes: Some(of_kind(objects, "Node", Kind::Nodes)),
        pods: Some(pods),
        workloads: of_kind(objects, "Deployment", Kind::Deployments),
        jobs: of_kind(objects, "Job", Kind::Jobs),
        services: of_kind(objects, "Service", Kind::Services),
        claims: Some(of_kind(objects, "PersistentVolumeClaim", Kind::Claims)),
        policies: of_kind(objects, "NetworkPolicy", Kind::NetworkPolicies),
        ..Facts::default()
    };
    facts.with_events(of_kind(objects, "Event", Kind::Events))
}

/// The one finding that there is.
fn found(objects: &[Value]) -> Finding {
    let mut findings = all(&facts(objects));
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

fn says(finding: &Finding, words: &[&str]) {
    let evidence: Vec<String> =
        finding.evidence.iter().map(|e| format!("{}={}", e.source, e.value)).collect();
    let whole = format!("{} {} {}", finding.says, evidence.join(" "), finding.next);
    for word in words {
        assert!(whole.contains(word), "`{word}` is not in: {whole}");
    }
}

fn pod(spec: &Value, status: &Value) -> Value {
    json!({
        "kind": "Pod",
        "metadata": {
            "name": "web-7d9f4c-x2x9p", "namespace": "shop",
            "labels": { "app": "web", "pod-template-hash": "7d9f4c" },
            "creationTimestamp": "2026-11-21T22:00:00Z",
            "ownerReferences": [{ "kind": "ReplicaSet", "name": "web-7d9f4c", "controller": true }]
        },
        "spec": spec,
        "status": status
    })
}

fn event(kind: &str, name: &str, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Event",
        "metadata": { "name": format!("{name}.{reason}"), "namespace": "shop" },
        "type": if reason == "WaitForFirstConsumer" { "Normal" } else { "Warning" },
        "involvedObject": { "kind": kind, "name": name, "namespace": "shop" },
        "reason": reason, "message": message, "count": 5,
        "firstTimestamp": "2026-11-21T22:01:00Z", "lastTimestamp": "2026-11-21T22:09:00Z",
        "source": { "component": "kubelet" }
    })
}

fn of_pod(reason: &str, message: &str) -> Value {
    event("Pod", "web-7d9f4c-x2x9p", reason, message)
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({ "phase": "Pending", "containerStatuses": [{
        "name": "main", "ready": false, "restartCount": 0,
        "state": { "waiting": { "reason": reason, "message": message } }, "lastState": {}
    }] })
}

fn main_of(image: &str) -> Value {
    json!({ "nodeName": "n1", "containers": [{ "name": "main", "image": image }] })
}

#[test]
fn s01_an_image_that_does_not_exist() {
    let status =
        waiting("ImagePullBackOff", "Back-off pulling image \"registry.example/busyboxx:1\"");
    let event = of_pod(
        "Failed",
        "Failed to pull image \"registry.example/busyboxx:1\": rpc error: code = NotFound desc = failed to resolve reference \"registry.example/busyboxx:1\": not found",
    );
    let finding = found(&[pod(&main_of("registry.example/busyboxx:1"), &status), event]);
    assert_eq!((finding.cause, finding.severity), (Cause::ImageMissing, Severity::Bad));
    assert_eq!((finding.kind.as_str(), finding.name.as_str()), ("Deployment", "web"));
    says(&finding, &["registry.example/busyboxx:1", "typing error", "event Failed"]);
}

#[test]
fn s01_docker_hub_says_both_so_neither_is_claimed() {
    let message = "Failed to pull image \"busyboxx\": pull access denied for busyboxx, repository does not exist or may require 'docker login'";
    let status = waiting("ErrImagePull", "");
    let finding = found(&[pod(&main_of("busyboxx"), &status), of_pod("Failed", message)]);
    assert_eq!(finding.cause, Cause::ImagePull);
    says(&finding, &["cannot be pulled", "may require 'docker login'"]);
}

#[test]
fn s02_a_private_image_without_a_secret() {
    let message =
        "failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized";
    let finding =
        found(&[pod(&main_of("private.example/api:2"), &waiting("ErrImagePull", message))]);
    assert_eq!(finding.cause, Cause::ImageDenied);
    says(&finding, &["private.example/api:2", "imagePullSecrets=none", "pull secret"]);
}

fn crashed(reason: &str, code: i32) -> Value {
    json!({ "phase": "Running", "containerStatuses": [{
        "name": "main", "ready": false, "restartCount": 37,
        "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container" } },
        "lastState": { "terminated": {
            "exitCode": code, "reason": reason, "message": "DATABASE_URL is not set",
            "startedAt": "2026-11-21T22:08:00Z", "finishedAt": "2026-11-21T22:08:04Z"
        } }
    }] })
}

#[test]
fn s03_a_crash_loop() {
    let finding = found(&[pod(&main_of("web:1"), &crashed("Error", 1))]);
    assert_eq!(finding.cause, Cause::CrashLoop);
    says(&finding, &["exit code 1 after 4 s", "37 restarts", "DATABASE_URL is not set"]);
}

#[test]
fn s04_a_config_map_that_is_not_there() {
    let status = waiting("CreateContainerConfigError", "configmap \"app-config\" not found");
    let finding = found(&[pod(&main_of("web:1"), &status)]);
    assert_eq!(finding.cause, Cause::ConfigMapMissing);
    says(&finding, &["no config map app-config in shop"]);
    let mount = of_pod(
        "FailedMount",
        "MountVolume.SetUp failed for volume \"config\" : configmap \"app-config\" not found",
    );
    let finding = found(&[pod(&main_of("web:1"), &waiting("ContainerCreating", "")), mount]);
    assert_eq!(finding.cause, Cause::ConfigMapMissing);
}

#[test]
fn s05_a_secret_without_the_key() {
    let message = "couldn't find key api-key in Secret shop/api-credentials";
    let status = waiting("CreateContainerConfigError", message);
    let finding = found(&[pod(&main_of("web:1"), &status)]);
    assert_eq!(finding.cause, Cause::KeyMissing);
    says(&finding, &["secret api-credentials in shop has no key api-key"]);
    let status = waiting("CreateContainerConfigError", "secret \"api-credentials\" not found");
    assert_eq!(found(&[pod(&main_of("web:1"), &status)]).cause, Cause::SecretMissing);
}

#[test]
fn s06_a_container_that_is_killed_for_memory() {
    let spec = json!({ "nodeName": "n1", "containers": [{
        "name": "main", "image": "web:1", "resources": { "limits": { "memory": "15Mi" } }
    }] });
    let finding = found(&[pod(&spec, &crashed("OOMKilled", 137))]);
    assert_eq!(finding.cause, Cause::OutOfMemory);
    says(&finding, &["limit of 15Mi", "137"]);
}

fn running(ready: bool, restarts: u32) -> Value {
    json!({
        "phase": "Running",
        "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" },
            "reason": "ContainersNotReady", "lastTransitionTime": "2026-11-21T22:00:05Z" }],
        "containerStatuses": [{
            "name": "main", "ready": ready, "restartCount": restarts, "started": true,
            "state": { "running": { "startedAt": "2026-11-21T22:00:05Z" } }, "lastState": {}
        }]
    })
}

fn probed(kind: &str) -> Value {
    json!({ "nodeName": "n1", "containers": [{
        "name": "main", "image": "web:1",
        kind: { "httpGet": { "path": "/ready", "port": 8080 }, "periodSeconds": 5, "failureThreshold": 3 }
    }] })
}

#[test]
fn s07_a_readiness_probe_that_fails() {
    let message = "Readiness probe failed: HTTP probe failed with statuscode: 404";
    let finding =
        found(&[pod(&probed("readinessProbe"), &running(false, 0)), of_pod("Unhealthy", message)]);
    assert_eq!(finding.cause, Cause::NotReady);
    says(&finding, &["GET :8080/ready", "404", "no traffic"]);
    assert!(all(&facts(&[pod(&probed("readinessProbe"), &running(true, 0))])).is_empty());
}

#[test]
fn s08_a_liveness_probe_that_fails() {
    let message = "Liveness probe failed: HTTP probe failed with statuscode: 404";
    let finding =
        found(&[pod(&probed("livenessProbe"), &running(true, 6)), of_pod("Unhealthy", message)]);
    assert_eq!(finding.cause, Cause::LivenessFails);
    says(&finding, &["started again", "6 restarts", "404"]);
}

#[test]
fn s09_an_init_container_that_fails() {
    let spec = json!({ "nodeName": "n1", "initContainers": [{ "name": "wait", "image": "busybox" }],
        "containers": [{ "name": "main", "image": "web:1" }] });
    let status = json!({
        "phase": "Pending",
        "initContainerStatuses": [{
            "name": "wait", "ready": false, "restartCount": 4,
            "state": { "waiting": { "reason": "CrashLoopBackOff" } },
            "lastState": { "terminated": { "exitCode": 1, "reason": "Error",
                "message": "nslookup: can't resolve 'database-service'",
                "startedAt": "2026-11-21T22:08:00Z", "finishedAt": "2026-11-21T22:08:01Z" } }
        }],
        "containerStatuses": [{ "name": "main", "ready": false, "restartCount": 0,
            "state": { "waiting": { "reason": "PodInitializing" } }, "lastState": {} }]
    });
    let finding = found(&[pod(&spec, &status)]);
    assert_eq!(finding.cause, Cause::InitFailed);
    says(&finding, &["init container wait", "database-service", "4 restarts"]);
}

fn unschedulable(message: &str) -> Value {
    json!({ "phase": "Pending", "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": message, "lastTransitionTime": "2026-11-21T22:00:01Z"
    }] })
}

fn node(cpu: &str, taints: &Value) -> Value {
    json!({ "kind": "Node", "metadata": { "name": "n1" }, "spec": { "taints": taints },
        "status": { "conditions": [{ "type": "Ready", "status": "True" }],
            "nodeInfo": { "kubeletVersion": "v1.36.3" }, "allocatable": { "cpu": cpu } } })
}

#[test]
fn s10_a_pod_that_asks_for_too_much() {
    let spec = json!({ "containers": [{ "name": "main", "image": "web:1",
        "resources": { "requests": { "cpu": "1k" } } }] });
    let status = unschedulable(
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available.",
    );
    let finding = found(&[node("32", &json!([])), pod(&spec, &status)]);
    assert_eq!(finding.cause, Cause::ResourcesShort);
    says(&finding, &["main: 1k", "the most cpu that a node has=32"]);
}

#[test]
fn s11_a_taint_that_is_not_tolerated() {
    let taints = json!([{ "key": "app", "value": "critical", "effect": "NoSchedule" }]);
    let status = unschedulable(
        "0/1 nodes are available: 1 node(s) had untolerated taint {app: critical}. no new claims",
    );
    let finding = found(&[node("32", &taints), pod(&main_of("web:1"), &status)]);
    assert_eq!(finding.cause, Cause::Taint);
    says(&finding, &["app: critical", "app=critical:NoSchedule", "toleration"]);
}

#[test]
fn s12_a_claim_that_nothing_binds() {
    let claim = json!({ "kind": "PersistentVolumeClaim",
        "metadata": { "name": "data", "namespace": "shop", "creationTimestamp": "2026-11-21T22:00:00Z" },
        "spec": { "storageClassName": "fast-ssd", "resources": { "requests": { "storage": "10Gi" } } },
        "status": { "phase": "Pending" } });
    let told = event(
        "PersistentVolumeClaim",
        "data",
        "ProvisioningFailed",
        "storageclass.storage.k8s.io \"fast-ssd\" not found",
    );
    let finding = found(&[claim.clone(), told]);
    assert_eq!(finding.cause, Cause::ClaimUnbound);
    says(&finding, &["no storage class fast-ssd", "10Gi"]);
    // Such a claim waits as it should.
    let waits = event(
        "PersistentVolumeClaim",
        "data",
        "WaitForFirstConsumer",
        "waiting for first consumer",
    );
    assert!(all(&facts(&[claim, waits])).is_empty());
}

fn service(selector: &Value, target: &Value) -> Value {
    json!({ "kind": "Service", "metadata": { "name": "web", "namespace": "shop" },
        "spec": { "type": "ClusterIP", "selector": selector,
            "ports": [{ "port": 80, "targetPort": target, "protocol": "TCP" }] } })
}

fn served() -> Value {
    let spec = json!({ "nodeName": "n1", "containers": [{ "name": "main", "image": "web:1",
        "ports": [{ "name": "http", "containerPort": 80, "protocol": "TCP" }] }] });
    pod(&spec, &running(true, 0))
}

#[test]
fn s13_a_selector_that_fits_no_pod() {
    let finding = found(&[service(&json!({ "app": "webb" }), &json!(80)), served()]);
    assert_eq!((finding.cause, finding.kind.as_str()), (Cause::SelectorMismatch, "Service"));
    says(&finding, &["app=webb", "pods carry=app=web"]);
    assert!(all(&facts(&[service(&json!({ "app": "web" }), &json!(80)), served()])).is_empty());
}

#[test]
fn s13_a_service_of_a_deployment_that_sleeps_is_not_wrong() {
    let deployment = json!({ "kind": "Deployment", "metadata": { "name": "web", "namespace": "shop" },
        "spec": { "replicas": 0, "selector": { "matchLabels": { "app": "web" } } }, "status": {} });
    assert!(all(&facts(&[service(&json!({ "app": "web" }), &json!(80)), deployment])).is_empty());
}

#[test]
fn s14_a_port_that_no_pod_has() {
    let finding = found(&[service(&json!({ "app": "web" }), &json!(8080)), served()]);
    assert_eq!((finding.cause, finding.severity), (Cause::PortMismatch, Severity::Warning));
    says(&finding, &["goes to 8080", "declare 80"]);
    let finding = found(&[service(&json!({ "app": "web" }), &json!("https")), served()]);
    assert_eq!((finding.cause, finding.severity), (Cause::PortMismatch, Severity::Bad));
}

fn policy(spec: &Value) -> Value {
    json!({ "kind": "NetworkPolicy", "metadata": { "name": "shut", "namespace": "shop" }, "spec": spec })
}

#[test]
fn s15_a_policy_that_lets_nothing_in() {
    let shut = policy(
        &json!({ "podSelector": { "matchLabels": { "app": "web" } }, "policyTypes": ["Ingress"] }),
    );
    let finding = found(&[shut.clone(), served()]);
    assert_eq!((finding.cause, finding.severity), (Cause::IngressDenied, Severity::Notice));
    says(&finding, &["Nothing may reach pods with app=web", "1 now"]);
    // About nobody it says nothing.
    assert!(all(&facts(&[shut])).is_empty());
}

#[test]
fn s16_a_policy_that_lets_nothing_out() {
    let shut = policy(&json!({ "podSelector": {}, "policyTypes": ["Egress"] }));
    let finding = found(&[shut, served()]);
    assert_eq!(finding.cause, Cause::EgressDenied);
    says(&finding, &["nothing may go out", "DNS"]);
    let inside = policy(&json!({ "podSelector": {}, "policyTypes": ["Egress"],
        "egress": [{ "to": [{ "ipBlock": { "cidr": "10.0.0.0/8" } }] }] }));
    says(&found(&[inside, served()]), &["only where the policy names", "10.0.0.0/8"]);
    let open = policy(&json!({ "podSelector": {}, "policyTypes": ["Egress"], "egress": [{}] }));
    assert!(all(&facts(&[open, served()])).is_empty());
}

#[test]
fn s17_a_policy_for_its_own_namespace_alone() {
    let own = policy(&json!({ "podSelector": {}, "policyTypes": ["Ingress"],
        "ingress": [{ "from": [{ "podSelector": {} }] }] }));
    let finding = found(&[own, served()]);
    assert_eq!(finding.cause, Cause::OtherNamespacesDenied);
    says(&finding, &["other namespaces", "namespaceSelector"]);
}

#[test]
fn s18_a_service_account_that_is_not_there() {
    let deployment = json!({ "kind": "Deployment", "metadata": { "name": "web", "namespace": "shop" },
        "spec": { "replicas": 2, "selector": { "matchLabels": { "app": "web" } },
            "template": { "spec": { "serviceAccountName": "custom-sa", "containers": [] } } },
        "status": { "conditions": [{ "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
            "message": "pods \"web-7d9f4c-\" is forbidden: error looking up service account shop/custom-sa: serviceaccount \"custom-sa\" not found",
            "lastTransitionTime": "2026-11-21T22:00:00Z" }] } });
    let finding = found(&[deployment]);
    assert_eq!(finding.cause, Cause::ServiceAccountMissing);
    says(&finding, &["no service account custom-sa in shop"]);
}

/// Controllers are refused in the first second of a namespace, before its service account is there, and try again.
#[test]
fn what_made_its_pods_after_all_is_not_blamed_for_an_old_event() {
    let words = "pods \"train-\" is forbidden: error looking up service account shop/default: serviceaccount \"default\" not found";
    let job = |status: Value| {
        json!({ "kind": "Job", "metadata": { "name": "train", "namespace": "shop" },
            "spec": { "completions": 1 }, "status": status })
    };
    let said = event("Job", "train", "FailedCreate", words);
    assert!(all(&facts(&[job(json!({ "active": 1 })), said.clone()])).is_empty());
    let finding = found(&[job(json!({})), said]);
    assert_eq!(finding.cause, Cause::ServiceAccountMissing);
}

fn refused(place: &str) -> Value {
    let message = format!(
        "Error from server (Forbidden): pods is forbidden: User \"system:serviceaccount:shop:reader\" cannot list resource \"pods\" in API group \"\" {place}"
    );
    let mut status = crashed("Error", 1);
    status["containerStatuses"][0]["lastState"]["terminated"]["message"] = message.into();
    status
}

#[test]
fn s19_s20_what_rbac_forbids_where_a_program_said_so() {
    let cause = |place: &str, wanted: Cause| {
        let findings = all(&facts(&[pod(&main_of("kubectl:1"), &refused(place))]));
        let finding = findings.into_iter().find(|f| f.cause == wanted).expect("it is found");
        says(&finding, &["Service account reader may not list resource pods"]);
    };
    cause("in the namespace \"shop\"", Cause::RoleForbids);
    cause("at the cluster scope", Cause::ClusterRoleForbids);
}

#[test]
fn pods_of_one_workload_are_one_finding() {
    let one = pod(&main_of("web:1"), &crashed("Error", 1));
    let mut other = one.clone();
    other["metadata"]["name"] = "web-7d9f4c-b7k2m".into();
    assert_eq!(found(&[one, other]).pods, 2);
}

#[test]
fn what_is_not_known_is_not_claimed() {
    let mut facts = facts(&[service(&json!({ "app": "webb" }), &json!(80))]);
    facts.pods = None;
    assert!(all(&facts).is_empty(), "without pods, that none fits cannot be said");
}

#[test]
fn a_healthy_cluster_has_nothing_to_say() {
    let over = json!({ "phase": "Succeeded", "conditions": [{ "type": "Ready", "status": "False", "reason": "PodCompleted" }] });
    let objects = [served(), node("32", &json!([])), pod(&main_of("job:1"), &over)];
    assert!(all(&facts(&objects)).is_empty());
}

//! What the fleet costs: memory at 50 000 watched pods, reading one from the API's JSON, finding some among all (`pods`);
//! how late looks begin at 500 clusters with 50 black holes, and how long a registration takes (`probes`). Both unless
//! one of them is named.
//!
//! Pods are spelled as an API server spells them, managed fields included: 20 to a deployment, each with its own name,
//! node and times, one in fifty in trouble.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

#[path = "fleet/endpoints.rs"]
mod endpoints;
#[path = "fleet/probes.rs"]
mod probes;

use std::{hint::black_box, time::Instant};

use serde_json::{Value, json};
use server::fleet::watch::{
    Kind, Table,
    names::Names,
    slim::{Pod, Slim as _},
};

const PODS: usize = 50_000;
const BUDGET: usize = 2_000;

fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("nobody did before");
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let runtime = || tokio::runtime::Runtime::new().expect("a runtime");
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        [endpoints::SERVE, answering, holes] => {
            let number = |text: &str| text.parse().expect("a number");
            runtime().block_on(endpoints::serve(number(answering), number(holes)));
        }
        ["pods"] => pods(),
        ["probes"] => runtime().block_on(probes::measure()),
        _ => {
            pods();
            println!();
            runtime().block_on(probes::measure());
        }
    }
}

fn pods() {
    // Whatever is loaded once is loaded now.
    let (names, mut table) = (Names::default(), Table::<Pod>::default());
    take(&mut table, &names, 0);
    let before = rss();
    let (mut json_bytes, begun) = (0, Instant::now());
    for at in 1..=PODS {
        json_bytes += take(&mut table, &names, at);
    }
    let took = begun.elapsed();
    let each = rss().saturating_sub(before) / PODS;
    println!("pods                    {}", table.len());
    println!(
        "memory for each         {each} B of {} B of JSON, at most {BUDGET} B",
        json_bytes / PODS
    );
    println!(
        "made and read, each     {:.1} µs",
        took.as_secs_f64() * 1e6 / f64::from(u32::try_from(PODS).unwrap_or(u32::MAX))
    );

    let begun = Instant::now();
    let mut changed = 0;
    for at in (0..PODS).step_by(50) {
        changed += take(&mut table, &names, at).min(1);
    }
    println!(
        "heard again, unchanged  {changed} pods in {:.1} ms, {} changes told",
        ms(begun),
        table.changes() - PODS as u64 - 1
    );

    let begun = Instant::now();
    let unready = table.iter().filter(|pod| !pod.ready).count();
    println!("all that are not ready  {unready} in {:.1} ms", ms(begun));
    let begun = Instant::now();
    let one = black_box(table.of("team-17").count());
    println!("all of one namespace    {one} in {:.1} ms", ms(begun));
    assert!(each <= BUDGET, "a watched pod costs {each} B, at most {BUDGET}");
}

fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

/// Reads one as it comes over the wire; says how long its JSON is.
fn take(table: &mut Table<Pod>, names: &Names, at: usize) -> usize {
    let text = pod(at).to_string();
    let wire = serde_json::from_str(&text).expect("a pod");
    table.put(Pod::slim(Kind::Pods, wire, names));
    text.len()
}

/// Resident memory of this process.
fn rss() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("pages");
    pages * 4_096
}

fn pod(at: usize) -> Value {
    let (deployment, namespace) = (at / 20, at / 1_000);
    let app = format!("service-{deployment}");
    let hash = format!("{:09x}", deployment * 7_919);
    let name = format!("{app}-{hash}-{:05x}", at * 31 % 1_048_576);
    let time = format!("2026-11-21T{:02}:{:02}:{:02}Z", at % 24, at % 60, at * 7 % 60);
    let troubled = at.is_multiple_of(50);
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "generateName": format!("{app}-{hash}-"), "namespace": format!("team-{namespace}"),
            "uid": format!("{at:08x}-1111-4222-8333-0123456789ab"), "resourceVersion": (at + 1_000).to_string(),
            "creationTimestamp": time,
            "labels": { "app.kubernetes.io/name": app, "app.kubernetes.io/part-of": format!("team-{namespace}"), "pod-template-hash": hash },
            "annotations": { "prometheus.io/scrape": "true", "kubectl.kubernetes.io/restartedAt": time },
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{app}-{hash}"), "uid": "f", "controller": true, "blockOwnerDeletion": true }],
            "managedFields": [{ "manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "time": time, "fieldsType": "FieldsV1",
                "fieldsV1": { "f:metadata": { "f:labels": { ".": {}, "f:app.kubernetes.io/name": {}, "f:pod-template-hash": {} }, "f:ownerReferences": { ".": {} } },
                    "f:spec": { "f:containers": { "k:{\"name\":\"main\"}": { ".": {}, "f:image": {}, "f:name": {}, "f:resources": {} } } } } }]
        },
        "spec": {
            "nodeName": format!("node-{:04}", at % 1_000), "restartPolicy": "Always", "serviceAccountName": app, "schedulerName": "default-scheduler",
            "containers": [
                { "name": "main", "image": format!("registry.example/team-{namespace}/{app}:1.{}.0", deployment % 9),
                  "ports": [{ "name": "http", "containerPort": 8080, "protocol": "TCP" }],
                  "env": [{ "name": "A", "value": "b" }, { "name": "KEY", "valueFrom": { "secretKeyRef": { "name": format!("{app}-secret"), "key": "key" } } }],
                  "resources": { "requests": { "cpu": "100m", "memory": "128Mi" }, "limits": { "memory": "256Mi" } },
                  "readinessProbe": { "httpGet": { "path": "/ready", "port": "http" }, "periodSeconds": 5, "failureThreshold": 3 },
                  "volumeMounts": [{ "name": format!("kube-api-access-{at}"), "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true }] },
                { "name": "proxy", "image": "registry.example/mesh/proxy:2.1", "resources": { "requests": { "cpu": "10m" } } }
            ],
            "volumes": [{ "name": format!("kube-api-access-{at}"), "projected": { "defaultMode": 420 } }, { "name": "config", "configMap": { "name": format!("{app}-config") } }],
            "tolerations": [
                { "key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 },
                { "key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 }]
        },
        "status": {
            "phase": "Running", "podIP": format!("10.{}.{}.{}", at / 65_536, at / 256 % 256, at % 256), "startTime": time, "qosClass": "Burstable",
            "conditions": [
                { "type": "Ready", "status": if troubled { "False" } else { "True" }, "reason": if troubled { "ContainersNotReady" } else { "" },
                  "message": if troubled { "containers with unready status: [main]" } else { "" }, "lastTransitionTime": time },
                { "type": "PodScheduled", "status": "True", "lastTransitionTime": time }],
            "containerStatuses": [container("main", &time, troubled), container("proxy", &time, false)]
        }
    })
}

fn container(name: &str, time: &str, troubled: bool) -> Value {
    let state = if troubled {
        json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container=main" } })
    } else {
        json!({ "running": { "startedAt": time } })
    };
    let last = if troubled {
        json!({ "terminated": { "exitCode": 1, "reason": "Error", "startedAt": time, "finishedAt": time, "message": "panic: no database" } })
    } else {
        json!({})
    };
    json!({ "name": name, "image": "i", "imageID": "sha256:0123456789abcdef", "containerID": "containerd://0123456789abcdef",
        "ready": !troubled, "started": !troubled, "restartCount": u32::from(troubled) * 37, "state": state, "lastState": last })
}

//! A life worth looking at: machines of several kinds, teams at work, changes, and some things that go wrong.

use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, StatefulSet},
    batch::v1::{CronJob, Job},
    core::v1::{Event, Node, Pod},
};
use kube::{Api, ResourceExt, api::ListParams};

use crate::practice::{HARBOUR, LAGOON, admin, eventually_in, is_running};

#[tokio::test]
async fn some_nodes_have_gpus() {
    let nodes = Api::<Node>::all(admin(HARBOUR).await);
    let with_gpus = ListParams::default().labels("nvidia.com/gpu.present=true");
    let found = nodes.list(&with_gpus).await.expect("a list").items;
    let status = found.first().expect("a node with GPUs").status.clone().expect("a status");
    assert_eq!(status.capacity.expect("capacity")["nvidia.com/gpu"].0, "8");
    assert_eq!(status.allocatable.expect("allocatable")["nvidia.com/gpu"].0, "8");
    assert_eq!(found[0].labels()["nvidia.com/gpu.family"], "hopper");
}

#[tokio::test]
async fn the_gpu_operator_runs_an_exporter_on_each_node_with_gpus() {
    let client = admin(HARBOUR).await;
    let exporters = Api::<Pod>::namespaced(client.clone(), "gpu-operator");
    let of_exporter = ListParams::default().labels("app=nvidia-dcgm-exporter");
    let on = eventually_in("an exporter that runs", async || {
        let all = exporters.list(&of_exporter).await?;
        let on: Vec<_> = all.iter().filter(|pod| is_running(pod)).collect();
        let names = on.iter().filter_map(|pod| pod.spec.as_ref()?.node_name.clone());
        Ok((!on.is_empty()).then(|| names.collect::<Vec<_>>()))
    });
    assert_eq!(on.await, ["harbour-gpu-02"]);
}

#[tokio::test]
async fn a_spoke_runs_network_functions_that_say_what_they_are() {
    let pods = Api::<Pod>::all(admin(LAGOON).await);
    for component in ["amf", "smf", "upf"] {
        let of_component =
            ListParams::default().labels(&format!("app.kubernetes.io/component={component}"));
        eventually_in(component, async || {
            Ok(pods.list(&of_component).await?.iter().any(is_running).then_some(()))
        })
        .await;
    }
}

#[tokio::test]
async fn every_kind_of_workload_becomes_available() {
    let client = admin(HARBOUR).await;
    eventually_in("checkout, ledger-db and node-logger to be available", async || {
        let checkout =
            Api::<Deployment>::namespaced(client.clone(), "payments").get("ledger").await?;
        let database =
            Api::<StatefulSet>::namespaced(client.clone(), "payments").get("ledger-db").await?;
        let logger =
            Api::<DaemonSet>::namespaced(client.clone(), "platform").get("node-logger").await?;
        let available = checkout.status.and_then(|status| status.available_replicas) >= Some(2)
            && database.status.and_then(|status| status.available_replicas) == Some(3)
            && logger.status.is_some_and(|status| status.number_ready == 3);
        Ok(available.then_some(()))
    })
    .await;
}

#[tokio::test]
async fn cron_jobs_make_jobs_and_some_fail() {
    let client = admin(HARBOUR).await;
    let crons =
        Api::<CronJob>::namespaced(client.clone(), "payments").list(&ListParams::default()).await;
    assert_eq!(crons.expect("a list").items.len(), 2);
    let jobs = Api::<Job>::namespaced(client, "payments");
    eventually_in("one Job that succeeds and one that fails", async || {
        let all = jobs.list(&ListParams::default()).await?;
        let ended = |kind: &str| {
            all.iter()
                .filter_map(|job| job.status.as_ref()?.conditions.as_ref())
                .flatten()
                .any(|condition| condition.type_ == kind && condition.status == "True")
        };
        Ok((ended("Complete") && ended("Failed")).then_some(()))
    })
    .await;
}

#[tokio::test]
async fn a_pod_that_fits_nowhere_has_the_schedulers_reason() {
    let events = Api::<Event>::namespaced(admin(HARBOUR).await, "ml");
    eventually_in("FailedScheduling", async || {
        let all = events.list(&ListParams::default().fields("reason=FailedScheduling")).await?;
        let reason = all.iter().filter_map(|event| event.message.as_deref());
        Ok(reason
            .into_iter()
            .any(|text| text.contains("Insufficient nvidia.com/gpu"))
            .then_some(()))
    })
    .await;
}

#[tokio::test]
async fn an_image_that_does_not_exist_keeps_its_pod_waiting() {
    let pods = Api::<Pod>::namespaced(admin(HARBOUR).await, "sandbox");
    eventually_in("ImagePullBackOff", async || {
        let all = pods.list(&ListParams::default()).await?;
        Ok(all.iter().any(|pod| waits_for(pod, "ImagePullBackOff")).then_some(()))
    })
    .await;
}

/// Whether a container of the pod waits for this reason.
pub fn waits_for(pod: &Pod, reason: &str) -> bool {
    let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    containers.into_iter().flatten().any(|container| {
        let waiting = container.state.as_ref().and_then(|state| state.waiting.as_ref());
        waiting.is_some_and(|waiting| waiting.reason.as_deref() == Some(reason))
    })
}

#[tokio::test]
async fn life_goes_on() {
    let deployments = Api::<Deployment>::all(admin(HARBOUR).await);
    let changed = eventually_in("a rollout", async || {
        let all = deployments.list(&ListParams::default()).await?;
        let revision = |deployment: &Deployment| {
            deployment
                .annotations()
                .get("deployment.kubernetes.io/revision")
                .is_some_and(|revision| revision != "1")
        };
        Ok(all.into_iter().find(revision))
    })
    .await;
    assert!(!changed.name_any().is_empty());
}

//! Every scene does what its name says, and its undo restores what was before. Played by the command line, as people do.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use fleet::scenes;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Event, Pod},
};
use kube::{Api, Client, api::ListParams};
use tokio::sync::Mutex;

use crate::{
    life::waits_for,
    practice::{HARBOUR, LAGOON, admin, eventually_in, fleet, folder},
};

/// One scene at a time on the second cluster as a whole: on its link, its certificate, its nodes.
pub static LINK: Mutex<()> = Mutex::const_new(());

pub fn scene(name: &str, cluster: usize, undo: bool) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
    command
        .args(["scene", name, "--cluster", &fleet().clusters[cluster].name])
        .arg("--dir")
        .arg(folder());
    if undo {
        command.arg("--undo");
    }
    let output = command.output().expect("the command runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// How long a new connection with one question takes.
async fn time_to_answer(cluster: usize) -> Duration {
    let client = admin(cluster).await;
    let begun = Instant::now();
    client.apiserver_version().await.expect("an answer");
    begun.elapsed()
}

#[tokio::test]
async fn api_down_cuts_the_cluster_off() {
    let _link = LINK.lock().await;
    let client = admin(LAGOON).await;
    client.apiserver_version().await.expect("it answers before");

    scene("api-down", LAGOON, false);
    // On the connection that was open, and on a new one.
    client.apiserver_version().await.expect_err("cut");
    admin(LAGOON).await.apiserver_version().await.expect_err("refused");
    admin(HARBOUR).await.apiserver_version().await.expect("the other cluster is not touched");

    scene("api-down", LAGOON, true);
    client.apiserver_version().await.expect("it answers again");
}

#[tokio::test]
async fn slow_link_delays_every_answer() {
    let _link = LINK.lock().await;
    scene("slow-link", LAGOON, false);
    let slow = time_to_answer(LAGOON).await;
    assert!(slow >= Duration::from_millis(1_500), "{slow:?}");

    scene("slow-link", LAGOON, true);
    // A busy machine may be slow by itself for a moment, but not each time.
    eventually_in("a fast answer", async || {
        Ok((time_to_answer(LAGOON).await < Duration::from_millis(1_500)).then_some(()))
    })
    .await;
}

#[tokio::test]
async fn crash_loop_breaks_a_rollout_and_undo_rolls_back() {
    let client = admin(HARBOUR).await;
    let deployments = Api::<Deployment>::namespaced(client.clone(), "payments");
    scene("crash-loop", HARBOUR, false);

    let pods = Api::<Pod>::namespaced(client.clone(), "payments");
    eventually_in("CrashLoopBackOff with restarts", async || {
        let all = pods.list(&ListParams::default()).await?;
        Ok(all
            .iter()
            .any(|pod| waits_for(pod, "CrashLoopBackOff") && restarts(pod) >= 2)
            .then_some(()))
    })
    .await;
    await_back_off_event(&client).await;
    let stuck = deployments.get("checkout").await.expect("it is there").status.expect("a status");
    assert!(stuck.unavailable_replicas > Some(0), "the rollout is stuck: {stuck:?}");

    scene("crash-loop", HARBOUR, true);
    eventually_in("checkout to be whole again", async || {
        let crashing = pods
            .list(&ListParams::default())
            .await?
            .iter()
            .any(|pod| waits_for(pod, "CrashLoopBackOff"));
        let checkout = deployments.get("checkout").await?;
        let wanted = checkout.spec.as_ref().and_then(|spec| spec.replicas);
        let status = checkout.status.unwrap_or_default();
        let whole = status.available_replicas == wanted && status.updated_replicas == wanted;
        Ok((whole && !crashing).then_some(()))
    })
    .await;
    let restored = deployments.get("checkout").await.expect("it is there");
    assert!(!scenes::plays_on(&restored), "life may change it again");
    let template = restored.spec.expect("a spec").template;
    let labels = template.metadata.and_then(|metadata| metadata.labels).unwrap_or_default();
    assert!(!labels.contains_key("practice-fleet.dev/trouble"), "{labels:?}");
}

pub fn restarts(pod: &Pod) -> i32 {
    let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    containers.into_iter().flatten().map(|container| container.restart_count).sum()
}

async fn await_back_off_event(client: &Client) {
    let events = Api::<Event>::namespaced(client.clone(), "payments");
    eventually_in("a BackOff event", async || {
        let all = events.list(&ListParams::default().fields("reason=BackOff,type=Warning")).await?;
        Ok((!all.items.is_empty()).then_some(()))
    })
    .await;
}

#[tokio::test]
async fn an_undo_without_its_scene_changes_nothing() {
    let _link = LINK.lock().await;
    for (_, name, _) in scenes::ALL {
        scene(name, LAGOON, true);
    }
    admin(LAGOON).await.apiserver_version().await.expect("it answers");
}

#[test]
fn an_unknown_scene_fails_and_names_the_known_ones() {
    fleet();
    let output = Command::new(env!("CARGO_BIN_EXE_fleet"))
        .args(["scene", "earthquake", "--dir"])
        .arg(folder())
        .output()
        .expect("the command runs");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("there are: api-down"));
}

//! `troubles`: each of them shows as it does in a cluster of machines, and none is left after the undo.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Event, Node, PersistentVolumeClaim, Pod, Secret},
    discovery::v1::EndpointSlice,
    networking::v1::NetworkPolicy,
};
use kube::{Api, Client, ResourceExt, api::ListParams};

use crate::{
    life::waits_for,
    practice::{HARBOUR, LAGOON, admin, eventually_in},
    scenes::{LINK, restarts, scene},
};

/// What is to be seen of a pod: a predicate over the pod, and words of a warning about it or about its owner.
struct Sight {
    namespace: &'static str,
    name: &'static str,
    pod: fn(&Pod) -> bool,
    says: &'static str,
}

const fn sight(
    namespace: &'static str,
    name: &'static str,
    pod: fn(&Pod) -> bool,
    says: &'static str,
) -> Sight {
    Sight { namespace, name, pod, says }
}

const SIGHTS: [Sight; 15] = [
    sight("search", "suggest", |pod| waits_for(pod, "ImagePullBackOff"), "pull access denied"),
    sight("platform", "licences", |pod| waits_for(pod, "ImagePullBackOff"), "401 Unauthorized"),
    sight("payments", "receipts", cannot_be_made, "Error: configmap \"receipts-config\" not found"),
    sight("payments", "tax-rates", cannot_be_made, "couldn't find key api-key in Secret"),
    sight(
        "storefront",
        "banner",
        |pod| waits_for(pod, "ContainerCreating"),
        "MountVolume.SetUp failed for volume \"rules\"",
    ),
    sight("search", "ranker", |pod| ended_with(pod, 137, "OOMKilled"), "Back-off restarting"),
    sight("payments", "payouts", |pod| ended_with(pod, 1, "Error"), "Back-off restarting"),
    sight("payments", "dunning", init_fails, "failed container await-database in pod dunning-"),
    sight("storefront", "wishlist", runs_unready, "Readiness probe failed: HTTP probe failed"),
    sight("storefront", "reviews", is_restarted, "Liveness probe failed: HTTP probe failed"),
    sight("search", "simulator", is_unscheduled, "Insufficient cpu"),
    sight("platform", "edge-cache", is_unscheduled, "had untolerated taint"),
    sight("search", "archive", is_unscheduled, "unbound immediate PersistentVolumeClaims"),
    sight("search", "crawler", runs_unready, "statuscode: 503"),
    sight("agents", "inventory", |pod| ended_with(pod, 1, "Error"), "Back-off restarting"),
];

fn cannot_be_made(pod: &Pod) -> bool {
    waits_for(pod, "CreateContainerConfigError")
}

/// Restarted at least once, and waiting to be again.
fn ended_with(pod: &Pod, code: i32, reason: &str) -> bool {
    let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let ended = containers.into_iter().flatten().any(|container| {
        let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
        last.is_some_and(|end| end.exit_code == code && end.reason.as_deref() == Some(reason))
    });
    ended && waits_for(pod, "CrashLoopBackOff") && restarts(pod) > 0
}

fn condition(pod: &Pod, kind: &str) -> Option<(String, Option<String>)> {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let found = conditions.into_iter().flatten().find(|one| one.type_ == kind)?;
    Some((found.status.clone(), found.reason.clone()))
}

fn is_not(pod: &Pod, kind: &str, reason: &str) -> bool {
    condition(pod, kind) == Some(("False".to_owned(), Some(reason.to_owned())))
}

fn init_fails(pod: &Pod) -> bool {
    let first = pod.status.as_ref().and_then(|status| status.init_container_statuses.as_ref());
    is_not(pod, "Initialized", "ContainersNotInitialized")
        && waits_for(pod, "PodInitializing")
        && first.into_iter().flatten().any(|container| container.restart_count > 0)
}

fn runs_unready(pod: &Pod) -> bool {
    let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let runs = containers.into_iter().flatten().any(|container| {
        !container.ready && container.state.as_ref().is_some_and(|state| state.running.is_some())
    });
    runs && is_not(pod, "Ready", "ContainersNotReady")
}

fn is_restarted(pod: &Pod) -> bool {
    restarts(pod) >= 2
}

fn is_unscheduled(pod: &Pod) -> bool {
    is_not(pod, "PodScheduled", "Unschedulable")
}

async fn see(client: &Client, sight: &Sight) {
    let pods = Api::<Pod>::namespaced(client.clone(), sight.namespace);
    let events = Api::<Event>::namespaced(client.clone(), sight.namespace);
    let of_app = ListParams::default().labels(&format!("app.kubernetes.io/name={}", sight.name));
    eventually_in(sight.name, async || {
        let seen = pods.list(&of_app).await?.iter().any(sight.pod);
        let warned = warning(&events, sight.name, sight.says).await?;
        Ok((seen && warned).then_some(()))
    })
    .await;
}

async fn warning(events: &Api<Event>, about: &str, words: &str) -> kube::Result<bool> {
    let all = events.list(&ListParams::default().fields("type=Warning")).await?;
    Ok(all.iter().any(|event| {
        event.involved_object.name.as_deref().is_some_and(|name| name.starts_with(about))
            && event.message.as_deref().is_some_and(|message| message.contains(words))
    }))
}

async fn addresses(client: &Client, service: &str) -> kube::Result<(usize, Vec<i32>)> {
    let slices = Api::<EndpointSlice>::namespaced(client.clone(), "storefront");
    let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
    let all = slices.list(&of_service).await?;
    let ends = all.iter().flat_map(|slice| slice.endpoints.iter().flatten()).count();
    let ports = all.iter().flat_map(|slice| slice.ports.iter().flatten());
    Ok((ends, ports.filter_map(|port| port.port).collect()))
}

/// What no pod shows: services, policies, a claim, a deployment that gets no pod.
async fn see_the_rest(client: &Client) {
    eventually_in("a service without a pod and one with another port", async || {
        let none = addresses(client, "catalogue").await?.0 == 0;
        Ok((none && addresses(client, "pricing").await? == (1, vec![8080])).then_some(()))
    })
    .await;
    let pods = Api::<Pod>::namespaced(client.clone(), "storefront");
    let pricing = ListParams::default().labels("app.kubernetes.io/name=pricing");
    let pod = pods.list(&pricing).await.expect("a list").items.pop().expect("a pod");
    let container = pod.spec.expect("a spec").containers.remove(0);
    assert_eq!(container.ports.expect("ports")[0].container_port, 80);

    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), "search");
    let claim = claims.get("archive-data").await.expect("a claim");
    assert_eq!(claim.status.and_then(|status| status.phase).as_deref(), Some("Pending"));
    let events = Api::<Event>::namespaced(client.clone(), "platform");
    eventually_in("a replica set that may make no pod", async || {
        let words = "serviceaccount \"custom-sa\" not found";
        Ok(warning(&events, "janitor", words).await?.then_some(()))
    })
    .await;
    let policies = Api::<NetworkPolicy>::all(client.clone());
    let names: Vec<_> = policies.list(&ListParams::default()).await.expect("a list").items;
    let names: Vec<_> = names.iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, ["deny-ingress", "only-own-namespace", "deny-egress"].map(String::from));
}

#[tokio::test]
async fn every_trouble_shows_and_every_one_goes() {
    let client = admin(HARBOUR).await;
    let before = deployments(&client).await;
    scene("troubles", HARBOUR, false);
    for sight in &SIGHTS {
        see(&client, sight).await;
    }
    see_the_rest(&client).await;

    scene("troubles", HARBOUR, true);
    eventually_in("the workloads of before", async || {
        let pods = Api::<Pod>::all(client.clone()).list(&ListParams::default()).await?;
        let left = pods.iter().any(|pod| {
            let name = pod.labels().get("app.kubernetes.io/name").map(String::as_str);
            SIGHTS.iter().any(|sight| Some(sight.name) == name)
        });
        Ok((!left && deployments(&client).await == before).then_some(()))
    })
    .await;
    let nodes =
        Api::<Node>::all(client.clone()).list(&ListParams::default()).await.expect("a list");
    assert!(nodes.iter().all(|node| !node.labels().contains_key("app")), "the label is gone");
    let taints = nodes.iter().filter_map(|node| node.spec.as_ref()?.taints.as_ref()).flatten();
    assert_eq!(taints.filter(|taint| taint.key == "app").count(), 0, "and the taint");
    let policies = Api::<NetworkPolicy>::all(client.clone()).list(&ListParams::default()).await;
    assert!(policies.expect("a list").items.is_empty());
    let secrets = Api::<Secret>::namespaced(client, "payments");
    assert!(secrets.get_opt("tax-provider").await.expect("asked").is_none());
}

async fn deployments(client: &Client) -> Vec<(Option<String>, String)> {
    let all = Api::<Deployment>::all(client.clone()).list(&ListParams::default()).await;
    all.expect("a list").iter().map(|one| (one.namespace(), one.name_any())).collect()
}

#[tokio::test]
async fn the_log_of_a_container_in_trouble_says_why() {
    let _link = LINK.lock().await;
    let client = admin(LAGOON).await;
    scene("rbac", LAGOON, false);
    let pods = Api::<Pod>::namespaced(client, "agents");
    let inventory = ListParams::default().labels("app.kubernetes.io/name=inventory");
    let pod = eventually_in("a pod that crashes", async || {
        let all = pods.list(&inventory).await?;
        Ok(all.into_iter().find(|pod| ended_with(pod, 1, "Error")))
    })
    .await;
    let log = pods.logs(&pod.name_any(), &kube::api::LogParams::default()).await.expect("a log");
    assert!(log.contains("403 Forbidden"), "{log}");
    scene("rbac", LAGOON, true);
}

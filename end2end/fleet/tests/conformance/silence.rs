//! `node-not-ready`: what a real node controller makes of a node that falls silent, and of one that comes back.

use std::time::Duration;

use fleet::{life::nodes::is_ready, wait};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, Client, ResourceExt, api::ListParams};

use crate::{
    practice::{LAGOON, admin, is_running},
    scenes::{LINK, scene},
};

/// The node controller waits for 50 s before it believes it.
const LIMIT: Duration = Duration::from_mins(4);

/// Every node, with whether it is Ready, and as what it is tainted.
async fn nodes(client: &Client) -> kube::Result<Vec<(String, bool, Vec<String>)>> {
    let all = Api::<Node>::all(client.clone()).list(&ListParams::default()).await?;
    Ok(all
        .iter()
        .map(|node| {
            let taints = node.spec.as_ref().and_then(|spec| spec.taints.clone());
            let keys = taints.unwrap_or_default().into_iter().map(|taint| taint.key);
            (node.name_any(), is_ready(node), keys.collect())
        })
        .collect())
}

/// Whether the node's running pods are all Ready, or none of them is.
async fn ready_pods(client: &Client, node: &str) -> kube::Result<Vec<bool>> {
    let on_node = ListParams::default().fields(&format!("spec.nodeName={node}"));
    let pods = Api::<Pod>::all(client.clone()).list(&on_node).await?;
    let has_trouble = |pod: &&Pod| pod.labels().contains_key("practice-fleet.dev/trouble");
    let is_ready = |pod: &Pod| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        conditions.into_iter().flatten().any(|one| one.type_ == "Ready" && one.status == "True")
    };
    Ok(pods.iter().filter(|pod| is_running(pod) && !has_trouble(pod)).map(is_ready).collect())
}

#[tokio::test]
async fn a_silent_node_is_found_out_and_comes_back_with_its_pods() {
    let _link = LINK.lock().await;
    let client = admin(LAGOON).await;
    // What a node has not begun before it falls silent, it never begins.
    wait::until("pods that run on every node", LIMIT, async || {
        for (node, ..) in nodes(&client).await? {
            if !ready_pods(&client, &node).await?.contains(&true) {
                return Ok(None);
            }
        }
        Ok::<_, kube::Error>(Some(()))
    })
    .await
    .expect("in time");
    scene("node-not-ready", LAGOON, false);
    let silent = wait::until("a node that is not ready", LIMIT, async || {
        let silent = nodes(&client).await?.into_iter().find(|(_, ready, taints)| {
            !ready && taints.iter().any(|key| key == "node.kubernetes.io/unreachable")
        });
        Ok::<_, kube::Error>(silent)
    })
    .await
    .expect("in time")
    .0;
    wait::until("its pods to be unready", LIMIT, async || {
        let pods = ready_pods(&client, &silent).await?;
        Ok::<_, kube::Error>((!pods.is_empty() && pods.iter().all(|ready| !ready)).then_some(()))
    })
    .await
    .expect("in time");

    scene("node-not-ready", LAGOON, true);
    wait::until("the node and its pods to be back", LIMIT, async || {
        let whole =
            nodes(&client).await?.iter().all(|(_, ready, taints)| *ready && taints.is_empty());
        let pods = ready_pods(&client, &silent).await?;
        Ok::<_, kube::Error>(
            (whole && !pods.is_empty() && pods.iter().all(|ready| *ready)).then_some(()),
        )
    })
    .await
    .expect("in time");
}

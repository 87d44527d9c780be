//! Pods that come and go, while a config map of the scene `churn` says so: how many there are at a time, and how many of them
//! end and are replaced each second. The nodes on which they run take no others.

use std::{collections::VecDeque, time::Duration};

use anyhow::{Context, Result};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::{Value, json};

use super::nodes;
use crate::MARK;

pub const NAMESPACE: &str = "churn";
/// Of the config map.
pub const NAME: &str = "churn";

/// A node takes this many.
const PODS_PER_NODE: u32 = 250;
/// Between two looks, and one round of coming and going.
const ROUND: Duration = Duration::from_secs(1);
const AT_ONCE: usize = 32;
/// At the start more come per round than the rate says, so that a thousand are there within some seconds.
const FIRST_PER_ROUND: u32 = 500;

/// So many rounds may the ends of pods lag behind.
const LATE_ROUNDS: u32 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many there are at a time.
    pub pods: u32,
    /// How many of them end each second; as many come.
    pub per_second: u32,
}

impl Default for Rate {
    fn default() -> Self {
        Self { pods: 200, per_second: 10 }
    }
}

impl Rate {
    fn of(map: &ConfigMap) -> Option<Self> {
        let data = map.data.as_ref()?;
        Some(Self {
            pods: data.get("pods")?.parse().ok()?,
            per_second: data.get("per_second")?.parse().ok()?,
        })
    }
}

/// The namespace and the rate.
pub fn manifests(rate: Rate) -> Vec<Value> {
    let labels = json!({ format!("{MARK}/scene"): NAME });
    let data = json!({ "pods": rate.pods.to_string(), "per_second": rate.per_second.to_string() });
    vec![
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE, "labels": labels } }),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": NAME, "namespace": NAMESPACE }, "data": data,
        }),
    ]
}

fn node_count(rate: Rate) -> u32 {
    rate.pods.div_ceil(PODS_PER_NODE)
}

fn node_name(number: u32) -> String {
    format!("churn-{number:02}")
}

fn node(number: u32) -> Value {
    let name = node_name(number);
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": name, "labels": {
            "kubernetes.io/hostname": name,
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/os": "linux",
            "node.kubernetes.io/instance-type": "standard-32",
            format!("{MARK}/scene"): NAME,
        } },
        "spec": { "taints": [{ "key": format!("{MARK}/scene"), "value": NAME, "effect": "NoSchedule" }] },
        "status": nodes::status(&json!({
            "cpu": "32", "memory": "128Gi", "pods": PODS_PER_NODE.to_string(), "ephemeral-storage": "200Gi",
        })),
    })
}

/// Created rather than applied, since only whoever creates a node may say what it has.
pub async fn make_nodes(client: &Client, rate: Rate) -> Result<()> {
    let nodes = Api::<Node>::all(client.clone());
    for number in 0..node_count(rate) {
        let node: Node = serde_json::from_value(node(number))?;
        match nodes.create(&PostParams::default(), &node).await {
            Ok(_) => {}
            // Played again, with another rate.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(error).context("cannot create a node"),
        }
    }
    Ok(())
}

pub async fn remove_nodes(client: &Client) -> Result<()> {
    let ours = ListParams::default().labels(&format!("{MARK}/scene={NAME}"));
    Api::<Node>::all(client.clone()).delete_collection(&DeleteParams::default(), &ours).await?;
    Ok(())
}

/// Looks for the scene, and plays it while it is there; until it is dropped.
pub async fn follow(client: &Client) {
    let mut churn =
        Churn { pods: Api::namespaced(client.clone(), NAMESPACE), alive: VecDeque::new(), made: 0 };
    let maps = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        // A cluster in trouble is a scene's doing; this one goes on when it is over.
        match maps.get_opt(NAME).await {
            Ok(Some(map)) if map.metadata.deletion_timestamp.is_none() => {
                if let Some(rate) = Rate::of(&map) {
                    churn.turn(rate).await;
                }
            }
            Ok(_) => churn.alive.clear(),
            Err(_) => {}
        }
    }
}

struct Churn {
    pods: Api<Pod>,
    /// The oldest first.
    alive: VecDeque<String>,
    made: u64,
}

impl Churn {
    async fn turn(&mut self, rate: Rate) {
        // Who is to end and has not ended yet slows the others down: a busy machine churns as fast as it can.
        let total = self.total().await.unwrap_or(usize::MAX);
        let late =
            usize::try_from(rate.per_second.saturating_mul(LATE_ROUNDS)).unwrap_or(usize::MAX);
        if total > self.alive.len().saturating_add(late) {
            return;
        }
        let wanted = usize::try_from(rate.pods).unwrap_or(usize::MAX);
        let replaced = usize::try_from(rate.per_second).unwrap_or(usize::MAX);
        // None goes before all have come.
        let going = if self.alive.len() >= wanted { replaced } else { 0 };
        let surplus = self.alive.len().saturating_sub(wanted);
        let gone: Vec<_> = self.alive.drain(..(going + surplus).min(self.alive.len())).collect();
        let room = usize::try_from(FIRST_PER_ROUND).unwrap_or(usize::MAX).max(replaced);
        let coming = wanted.saturating_sub(self.alive.len()).min(room);
        let names: Vec<_> = (0..coming).map(|_| self.next_name()).collect();
        let nodes = node_count(rate).max(1);

        let pods = &self.pods;
        let removal = stream::iter(gone).for_each_concurrent(AT_ONCE, async |name| {
            // One that somebody else has deleted is gone as well.
            drop(pods.delete(&name, &DeleteParams::default()).await);
        });
        let arrival = stream::iter(names)
            .map(async |(name, number)| {
                let node = node_name(u32::try_from(number % u64::from(nodes)).unwrap_or(0));
                make(pods, &name, &node).await.map(|()| name)
            })
            .buffered(AT_ONCE)
            .collect::<Vec<_>>();
        let (_, arrived) = futures::future::join(removal, arrival).await;
        self.alive.extend(arrived.into_iter().filter_map(Result::ok));
    }

    /// How many there are, those included that are ending.
    async fn total(&self) -> Result<usize> {
        let first = self.pods.list(&ListParams::default().limit(1)).await?;
        let rest = first.metadata.remaining_item_count.unwrap_or(0);
        Ok(first.items.len() + usize::try_from(rest)?)
    }

    /// A name as a ReplicaSet's pods have it, and a number that spreads them over the nodes.
    fn next_name(&mut self) -> (String, u64) {
        self.made += 1;
        (format!("worker-{:08x}", self.made.wrapping_mul(2_654_435_761) & 0xffff_ffff), self.made)
    }
}

async fn make(pods: &Api<Pod>, name: &str, node: &str) -> Result<()> {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": { "name": name, "labels": { "app.kubernetes.io/name": "worker", "app.kubernetes.io/part-of": NAMESPACE } },
        "spec": {
            // Bound as it is made: thousands would keep the scheduler from its own work.
            "nodeName": node,
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "worker",
                "image": "registry.practice.test/churn/worker:1.0.0",
                "resources": { "requests": { "cpu": "10m", "memory": "16Mi" } },
            }],
        },
    }))?;
    pods.create(&PostParams::default(), &pod).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_survives_its_config_map() {
        let rate = Rate { pods: 1_000, per_second: 50 };
        let all = manifests(rate);
        let map = all.iter().find(|object| object["kind"] == "ConfigMap").expect("a config map");
        let map: ConfigMap = serde_json::from_value(map.clone()).expect("a config map");
        assert_eq!(Rate::of(&map), Some(rate));
        assert_eq!(node_count(rate), 4);
        assert_eq!(Rate::of(&ConfigMap::default()), None);
    }
}

//! GPUs: what the nodes have to give, which kind they say it is, and who looks after them.

use std::collections::{BTreeMap, BTreeSet};

use app::fleet::{model::ClusterCapabilities, trouble::Trouble};
use serde::Deserialize;

use super::{LIMIT, ListMeta, Meta, evidence, labelled, names, permitted, short, unreadable};
use crate::fleet::ask::{self, JSON};

const RESOURCE: &str = "nvidia.com/gpu";
/// As GPU feature discovery labels a node.
const PRODUCT: &str = "nvidia.com/gpu.product";
/// More nodes than that are not counted, and the evidence says so.
const PAGES: usize = 40;
const OPERATORS: &[&str] = &[
    "gpu-operator",
    "nvidia-dcgm",
    "nvidia-dcgm-exporter",
    "nvidia-device-plugin-daemonset",
    "gpu-feature-discovery",
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Nodes {
    metadata: ListMeta,
    #[serde(deserialize_with = "ask::null_is_empty")]
    items: Vec<Node>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Node {
    metadata: Meta,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    capacity: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct Counted {
    nodes: usize,
    with: Vec<Meta>,
    gpus: i64,
    types: BTreeSet<String>,
}

impl Counted {
    fn add(&mut self, node: Node) {
        self.nodes += 1;
        let gpus = node.status.capacity.get(RESOURCE).and_then(|count| count.parse().ok());
        let Some(gpus) = gpus.filter(|gpus: &i64| *gpus > 0) else { return };
        self.gpus = self.gpus.saturating_add(gpus);
        let product = node.metadata.label(PRODUCT);
        if !product.is_empty() {
            self.types.insert(short(product));
        }
        self.with.push(node.metadata);
    }
}

pub async fn look(client: &kube::Client, found: &mut ClusterCapabilities) -> Result<(), Trouble> {
    match permitted(nodes(client)).await? {
        Some(counted) => tell(counted, found),
        None => found.evidence.push(unreadable("has_gpu_nodes", "nodes")),
    }
    match labelled(client, "/api/v1/pods", "app", OPERATORS).await? {
        Some(pods) if pods.is_empty() => {
            found.evidence.push(evidence("gpu_operator", "No pod of it runs."));
        }
        Some(pods) => {
            let says = format!("Pods labelled app: {}.", names(&pods));
            found.evidence.push(evidence("gpu_operator", says));
        }
        None => found.evidence.push(unreadable("gpu_operator", "pods")),
    }
    Ok(())
}

async fn nodes(client: &kube::Client) -> Result<Counted, Trouble> {
    let mut counted = Counted::default();
    let mut from = String::new();
    for _ in 0..PAGES {
        let path = format!("/api/v1/nodes?limit={LIMIT}{from}");
        let page: Nodes = ask::read(client, &path, JSON).await?;
        page.items.into_iter().for_each(|node| counted.add(node));
        if page.metadata.r#continue.is_empty() {
            return Ok(counted);
        }
        from = format!("&continue={}", page.metadata.r#continue.replace('=', "%3D"));
    }
    Err(Trouble::ServerError)
}

fn tell(counted: Counted, found: &mut ClusterCapabilities) {
    let Counted { nodes, with, gpus, types } = counted;
    found.has_gpu_nodes = Some(!with.is_empty());
    found.gpu_count = Some(gpus);
    let says = if with.is_empty() {
        format!("None of {nodes} nodes has {RESOURCE}.")
    } else {
        format!("{gpus} of {RESOURCE} on {} of {nodes} nodes: {}.", with.len(), names(&with))
    };
    found.evidence.push(evidence("has_gpu_nodes", says));
    if !types.is_empty() {
        let all: Vec<&str> = types.iter().map(String::as_str).collect();
        let says = format!("Label {PRODUCT}: {}.", all.join(", "));
        found.evidence.push(evidence("gpu_types", says));
    } else if !with.is_empty() {
        let says = format!("No node has the label {PRODUCT}.");
        found.evidence.push(evidence("gpu_types", says));
    }
    found.gpu_types = types.into_iter().collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, gpus: Option<&str>, product: Option<&str>) -> Node {
        let mut node = Node::default();
        node.metadata.name = name.to_owned();
        let gpus = gpus.map(|gpus| (RESOURCE.to_owned(), gpus.to_owned()));
        node.status.capacity.extend(gpus);
        let product = product.map(|product| (PRODUCT.to_owned(), product.to_owned()));
        node.metadata.labels.extend(product);
        node
    }

    #[test]
    fn what_nodes_have_is_counted_and_no_more() {
        let mut counted = Counted::default();
        for node in [
            node("a", Some("8"), Some("NVIDIA-H100")),
            node("b", Some("0"), Some("NVIDIA-H100")),
            node("c", None, None),
            node("d", Some("many"), None),
        ] {
            counted.add(node);
        }
        let mut found = ClusterCapabilities::default();
        tell(counted, &mut found);
        assert_eq!((found.has_gpu_nodes, found.gpu_count), (Some(true), Some(8)));
        assert_eq!(found.gpu_types, ["NVIDIA-H100"]);
        assert_eq!(found.evidence[0].says, "8 of nvidia.com/gpu on 1 of 4 nodes: a.");
    }
}

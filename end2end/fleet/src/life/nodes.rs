//! The machines of a cluster: zones, instance types, and some with GPUs, which bear the labels that GPU feature discovery and
//! the GPU operator give them. KWOK keeps them alive once they exist.

use anyhow::Result;
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};

use super::role::{GPU_AGENTS, Role};
use crate::cluster::Plan;

/// GPUs in each GPU node.
pub const GPUS: u32 = 8;

pub async fn create(client: &Client, plan: &Plan) -> Result<()> {
    let nodes = Api::<Node>::all(client.clone());
    let params = PostParams::default();
    let all: Vec<Node> = (0..plan.nodes)
        .map(|number| serde_json::from_value(manifest(&plan.name, Role::of(plan.index), number)))
        .collect::<Result<_, _>>()?;
    try_join_all(all.iter().map(|node| nodes.create(&params, node))).await?;
    Ok(())
}

pub async fn all_ready(client: &Client, expected: usize) -> Result<bool> {
    let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await?;
    let ready = nodes.iter().filter(|node| is_ready(node)).count();
    Ok(ready >= expected)
}

pub fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
}

/// Every third node has GPUs, but at the edge.
fn has_gpus(role: Role, number: usize) -> bool {
    role.has_gpus() && number % 3 == 2
}

/// What feature discovery says of a node with H100s, and what the operator runs there.
fn gpu_labels() -> Vec<(String, Value)> {
    let said = [
        ("feature.node.kubernetes.io/pci-10de.present", "true"),
        ("nvidia.com/cuda.driver-version.full", "580.95.05"),
        ("nvidia.com/cuda.driver-version.major", "580"),
        ("nvidia.com/cuda.runtime-version.full", "13.0"),
        ("nvidia.com/cuda.runtime-version.major", "13"),
        ("nvidia.com/gpu.present", "true"),
        ("nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3"),
        ("nvidia.com/gpu.family", "hopper"),
        ("nvidia.com/gpu.compute.major", "9"),
        ("nvidia.com/gpu.compute.minor", "0"),
        ("nvidia.com/gpu.memory", "81559"),
        ("nvidia.com/gpu.replicas", "1"),
        ("nvidia.com/gpu.sharing-strategy", "none"),
        ("nvidia.com/mig.capable", "true"),
        ("nvidia.com/mig.strategy", "single"),
    ];
    let deployed =
        GPU_AGENTS.map(|agent| (format!("nvidia.com/gpu.deploy.{agent}"), "true".into()));
    let counted = ("nvidia.com/gpu.count".to_owned(), GPUS.to_string().into());
    let said = said.map(|(label, value)| (label.to_owned(), value.into()));
    said.into_iter().chain(deployed).chain([counted]).collect()
}

fn manifest(cluster: &str, role: Role, number: usize) -> Value {
    let zone = ["a", "b", "c"][number % 3];
    let has_gpus = has_gpus(role, number);
    let name = format!("{cluster}-{}-{number:02}", if has_gpus { "gpu" } else { "cpu" });
    let mut labels = json!({
        "kubernetes.io/hostname": name,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/region": cluster,
        "topology.kubernetes.io/zone": format!("{cluster}-{zone}"),
        "node.kubernetes.io/instance-type": if has_gpus { "h100-8x" } else { "standard-16" },
        "node-role.kubernetes.io/worker": "",
    });
    let mut capacity =
        json!({ "cpu": "16", "memory": "64Gi", "pods": "110", "ephemeral-storage": "200Gi" });
    if has_gpus {
        capacity =
            json!({ "cpu": "96", "memory": "1Ti", "pods": "110", "ephemeral-storage": "2Ti" });
        capacity["nvidia.com/gpu"] = GPUS.to_string().into();
        for (label, value) in gpu_labels() {
            labels[label] = value;
        }
    }
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": name, "labels": labels },
        "status": status(&capacity),
    })
}

/// What a machine says of itself when it joins.
pub fn status(capacity: &Value) -> Value {
    json!({
        "capacity": capacity,
        "allocatable": capacity,
        "nodeInfo": {
            "architecture": "amd64", "bootID": "", "machineID": "", "systemUUID": "", "operatingSystem": "linux",
            "kernelVersion": "6.12.0", "osImage": "Practice Linux 1", "kubeletVersion": "v1.36.3",
            "kubeProxyVersion": "v1.36.3", "containerRuntimeVersion": "containerd://2.1.4",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_nodes_are_in_three_zones_and_one_has_gpus() {
        let nodes: Vec<_> = (0..3).map(|number| manifest("harbour", Role::Hub, number)).collect();
        let mut zones: Vec<_> = nodes
            .iter()
            .map(|node| node["metadata"]["labels"]["topology.kubernetes.io/zone"].to_string())
            .collect();
        zones.dedup();
        assert_eq!(zones.len(), 3);
        let with_gpus =
            nodes.iter().filter(|node| node["status"]["capacity"]["nvidia.com/gpu"] == "8").count();
        assert_eq!(with_gpus, 1);
        let edge: Vec<_> =
            (0..3).map(|number| manifest("lighthouse", Role::Edge, number)).collect();
        let none = edge.iter().all(|node| node["status"]["capacity"]["nvidia.com/gpu"].is_null());
        assert!(none);
    }
}

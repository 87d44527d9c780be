//! `troubles` and its parts (`oom`, `unschedulable`, …): workloads of [`crate::troubles`] come to the teams, and go again.

use anyhow::Result;
use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::Stage;
use crate::{
    life::apply::Manifests,
    troubles::{self, PLACEMENT, TAINT},
};

/// Nothing for `scene` means all.
pub async fn play(stage: &Stage, scene: Option<&str>) -> Result<()> {
    let client = stage.client().await?;
    if taints(scene) {
        taint(&client).await?;
    }
    Manifests::from(objects(scene)).apply(&client).await
}

pub async fn undo(stage: &Stage, scene: Option<&str>) -> Result<()> {
    let client = stage.client().await?;
    Manifests::from(objects(scene)).delete(&client).await?;
    if taints(scene) {
        untaint(&client).await?;
    }
    Ok(())
}

fn objects(scene: Option<&str>) -> Vec<Value> {
    troubles::of(scene).flat_map(|trouble| trouble.objects).collect()
}

fn taints(scene: Option<&str>) -> bool {
    scene.is_none_or(|scene| scene == PLACEMENT)
}

/// Gives the first node without GPUs the taint that a pod does not tolerate, and the label that the pod asks for.
async fn taint(client: &kube::Client) -> Result<()> {
    let nodes = Api::<Node>::all(client.clone());
    let is_tainted = ListParams::default().labels(&format!("{}={}", TAINT.0, TAINT.1));
    if !nodes.list(&is_tainted).await?.items.is_empty() {
        return Ok(());
    }
    let plain = nodes.list(&ListParams::default().labels("!nvidia.com/gpu.present")).await?;
    let Some(node) = plain.into_iter().next() else { return Ok(()) };
    let mut taints = taints_of(&node);
    taints.push(json!({ "key": TAINT.0, "value": TAINT.1, "effect": "NoSchedule" }));
    set(&nodes, &node, TAINT.1.into(), &taints).await
}

async fn untaint(client: &kube::Client) -> Result<()> {
    let nodes = Api::<Node>::all(client.clone());
    let tainted = ListParams::default().labels(&format!("{}={}", TAINT.0, TAINT.1));
    for node in nodes.list(&tainted).await? {
        let mut taints = taints_of(&node);
        taints.retain(|taint| taint["key"] != TAINT.0);
        set(&nodes, &node, Value::Null, &taints).await?;
    }
    Ok(())
}

fn taints_of(node: &Node) -> Vec<Value> {
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
    taints.into_iter().flatten().map(|taint| json!(taint)).collect()
}

/// The version guards what the node's controller has added in between: a refusal shows, nothing is lost.
async fn set(nodes: &Api<Node>, node: &Node, label: Value, taints: &[Value]) -> Result<()> {
    let patch = json!({
        "metadata": { "resourceVersion": node.resource_version(), "labels": { TAINT.0: label } },
        "spec": { "taints": taints },
    });
    nodes.patch(&node.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

//! `crash-loop`: a bad release. The new pods crash (a KWOK stage sees to it), so the rollout stops half-way.
//!
//! The pod template from before is kept in an annotation, so the undo is a true rollback whatever was released meanwhile.

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::{Stage, keepsake, plays_on};
use crate::MARK;

const NAMESPACE: &str = "payments";
const DEPLOYMENT: &str = "checkout";

pub async fn play(stage: &Stage) -> Result<()> {
    let deployments = deployments(stage).await?;
    let before = deployments.get(DEPLOYMENT).await?;
    if plays_on(&before) {
        return Ok(());
    }
    let template = before.spec.context("a deployment without a spec")?.template;
    let image = format!("registry.practice.test/{NAMESPACE}/{DEPLOYMENT}:2.0.0-rc1");
    let patch = json!({
        "metadata": { "annotations": { keepsake(): serde_json::to_string(&template)? } },
        "spec": { "template": {
            "metadata": { "labels": { format!("{MARK}/trouble"): "crash-loop" } },
            "spec": { "containers": [{ "name": DEPLOYMENT, "image": image }] },
        } },
    });
    deployments.patch(DEPLOYMENT, &PatchParams::default(), &Patch::Strategic(patch)).await?;
    Ok(())
}

pub async fn undo(stage: &Stage) -> Result<()> {
    let deployments = deployments(stage).await?;
    let mut deployment = deployments.get(DEPLOYMENT).await?;
    let Some(kept) = deployment.annotations_mut().remove(&keepsake()) else {
        return Ok(());
    };
    let spec = deployment.spec.as_mut().context("a deployment without a spec")?;
    spec.template =
        serde_json::from_str(&kept).context("the template that the scene kept is damaged")?;
    // Replaced whole, since a merge would leave the trouble's label where it is; the resourceVersion that came with the
    // object guards against a change in between.
    deployments.replace(DEPLOYMENT, &PostParams::default(), &deployment).await?;
    Ok(())
}

async fn deployments(stage: &Stage) -> Result<Api<Deployment>> {
    Ok(Api::namespaced(stage.client().await?, NAMESPACE))
}

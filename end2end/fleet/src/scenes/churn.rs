//! `churn`: pods come and go at a rate, on nodes of their own, for as long as the scene plays.
//!
//! The scene says how many and how fast; the fleet itself does it ([`crate::life::churn`]), since this command ends at once.

use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{Api, api::DeleteParams};

use super::Stage;
use crate::{
    life::{apply::Manifests, churn},
    wait,
};

/// Thousands of pods end one after the other.
const LIMIT: Duration = Duration::from_mins(5);

pub async fn play(stage: &Stage) -> Result<()> {
    ensure!((1..=50_000).contains(&stage.rate.pods), "churn has 1 to 50000 pods");
    ensure!(stage.rate.per_second <= stage.rate.pods, "no more pods can go than there are");
    let client = stage.client().await?;
    churn::make_nodes(&client, stage.rate).await?;
    Manifests::from(churn::manifests(stage.rate)).apply(&client).await
}

/// Stops it, and waits until the last pod is gone.
pub async fn undo(stage: &Stage) -> Result<()> {
    let client = stage.client().await?;
    let maps = Api::<ConfigMap>::namespaced(client.clone(), churn::NAMESPACE);
    let namespaces = Api::<Namespace>::all(client.clone());
    if namespaces.get_opt(churn::NAMESPACE).await?.is_none() {
        return Ok(());
    }
    if maps.get_opt(churn::NAME).await?.is_some() {
        maps.delete(churn::NAME, &DeleteParams::default()).await?;
    }
    namespaces.delete(churn::NAMESPACE, &DeleteParams::default()).await?;
    wait::until("the churning pods to be gone", LIMIT, async || {
        let left = namespaces.get_opt(churn::NAMESPACE).await?;
        Ok::<_, kube::Error>(left.is_none().then_some(()))
    })
    .await?;
    // Only now: a node that is gone could not end its pods.
    churn::remove_nodes(&client).await
}

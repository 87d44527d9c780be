//! The small changes: rollouts, more and fewer replicas, `CronJobs` that somebody runs by hand. Which one comes is a pure rule.

use anyhow::{Context, Result};
use k8s_openapi::api::{
    apps::v1::Deployment,
    batch::v1::{CronJob, Job},
};
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::teams;
use crate::scenes;

#[derive(Debug, PartialEq, Eq)]
enum Change {
    Rollout { namespace: &'static str, name: &'static str, release: u64 },
    Scale { namespace: &'static str, name: &'static str, replicas: u32 },
    Run { namespace: &'static str, name: &'static str },
}

/// Each deployment gets a rollout, then another one a change of size, then a `CronJob` a run, round and round.
fn choose(turn: u64) -> Option<Change> {
    let round = turn / 3;
    match turn % 3 {
        0 => {
            let (namespace, name, _) = pick(teams::changeable().collect(), round)?;
            // The release that the manifests start with is 1.
            Some(Change::Rollout { namespace, name, release: 2 + round })
        }
        1 => {
            let (namespace, name, usual) = pick(teams::changeable().collect(), round + 3)?;
            let replicas = if round.is_multiple_of(2) { usual + 2 } else { usual };
            Some(Change::Scale { namespace, name, replicas })
        }
        _ => pick(teams::cron_jobs().collect(), round)
            .map(|(namespace, name)| Change::Run { namespace, name }),
    }
}

fn pick<T>(mut all: Vec<T>, number: u64) -> Option<T> {
    let count = u64::try_from(all.len()).ok().filter(|count| *count > 0)?;
    let index = usize::try_from(number % count).ok()?;
    Some(all.swap_remove(index))
}

pub async fn make(client: &Client, turn: u64) -> Result<()> {
    match choose(turn).context("the teams run nothing that could change")? {
        Change::Rollout { namespace, name, release } => {
            let container =
                json!({ "name": name, "image": teams::image(namespace, name, release) });
            let patch =
                json!({ "spec": { "template": { "spec": { "containers": [container] } } } });
            change(client, namespace, name, &Patch::Strategic(patch)).await
        }
        Change::Scale { namespace, name, replicas } => {
            change(
                client,
                namespace,
                name,
                &Patch::Merge(json!({ "spec": { "replicas": replicas } })),
            )
            .await
        }
        Change::Run { namespace, name } => run_now(client, namespace, name, turn).await,
    }
}

async fn change(
    client: &Client,
    namespace: &str,
    name: &str,
    patch: &Patch<serde_json::Value>,
) -> Result<()> {
    let deployments = Api::<Deployment>::namespaced(client.clone(), namespace);
    if scenes::plays_on(&deployments.get(name).await?) {
        return Ok(());
    }
    let params =
        PatchParams { field_manager: Some("release-train".into()), ..PatchParams::default() };
    deployments.patch(name, &params, patch).await?;
    Ok(())
}

/// Makes a Job of a `CronJob` now, as `kubectl create job --from` would.
pub async fn run_now(client: &Client, namespace: &str, name: &str, turn: u64) -> Result<()> {
    let cron_job = Api::<CronJob>::namespaced(client.clone(), namespace).get(name).await?;
    let owner = json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "name": name, "uid": cron_job.uid().context("no uid")?, "controller": true,
    });
    let template = cron_job.spec.job_template;
    let job: Job = serde_json::from_value(json!({
        "metadata": {
            "name": format!("{name}-manual-{turn}"),
            "labels": template.metadata.and_then(|metadata| metadata.labels),
            "annotations": { "cronjob.kubernetes.io/instantiate": "manual" },
            "ownerReferences": [owner],
        },
        "spec": template.spec,
    }))?;
    Api::<Job>::namespaced(client.clone(), namespace).create(&PostParams::default(), &job).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_kinds_of_change_take_turns() {
        assert!(matches!(choose(0), Some(Change::Rollout { release: 2, .. })));
        assert!(matches!(choose(1), Some(Change::Scale { .. })));
        assert!(matches!(choose(2), Some(Change::Run { .. })));
    }

    #[test]
    fn a_deployment_never_gets_the_same_release_twice() {
        let mut releases: Vec<_> = (0..90)
            .filter_map(|round| match choose(round * 3) {
                Some(Change::Rollout { namespace, name, release }) => {
                    Some((namespace, name, release))
                }
                _ => None,
            })
            .collect();
        let before = releases.len();
        releases.sort_unstable();
        releases.dedup();
        assert_eq!(releases.len(), before);
    }
}

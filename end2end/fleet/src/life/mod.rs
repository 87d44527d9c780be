//! What goes on in a cluster: teams with their workloads, and small changes that never end.
//!
//! All of it are real objects through the API, by server-side apply. It must not touch what a scene has changed: a workload
//! with a scene's annotation is left alone until the scene is undone.

pub mod apply;
pub mod changes;
pub mod churn;
pub mod logs;
pub mod nodes;
pub mod role;
pub mod teams;

use std::{path::Path, time::Duration};

use anyhow::Result;
use kube::Client;

use self::apply::Manifests;
use crate::cluster::Plan;

/// Between two changes in one cluster. Short enough that somebody who looks sees something move.
const PAUSE: Duration = Duration::from_secs(20);

/// Creates the teams' namespaces and workloads.
pub async fn apply_all(client: &Client, plan: &Plan) -> Result<()> {
    Manifests::from(teams::manifests(plan.index)).apply(client).await
}

/// Lives until it is dropped: the first runs of every `CronJob`, then one change after the other, and logs that grow.
pub async fn go_on(client: Client, folder: &Path, index: u8) {
    let course = async {
        for (namespace, name) in teams::cron_jobs() {
            // A cluster in trouble is a scene's doing; life goes on when it is over.
            drop(changes::run_now(&client, namespace, name, 0).await);
        }
        for turn in u64::from(index).. {
            tokio::time::sleep(PAUSE).await;
            drop(changes::make(&client, turn).await);
        }
    };
    futures::future::join3(course, logs::grow(folder), Box::pin(churn::follow(&client))).await;
}

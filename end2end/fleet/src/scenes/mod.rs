//! Troubles by name, each with an undo that restores what was before.
//!
//! A scene acts from outside, on a running fleet that it knows by `fleet.json` alone: on a link by toxiproxy, on a workload
//! through the API, on a server by its files. To add one: a module with `play` and `undo`, and a row in [`ALL`]; what is a
//! workload gone wrong is a row of [`crate::troubles`].

mod api_down;
mod churn;
mod crash_loop;
mod expired_token;
mod node_not_ready;
mod rotate_ca;
mod slow_link;
mod troubles;

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;

pub use crate::life::churn::Rate;
use crate::{MARK, cluster::RESTART, kubeconfig, link::Links, state, wait};

/// An API server that starts on a busy machine has been seen to need 20 s.
const RESTART_LIMIT: Duration = Duration::from_mins(2);

/// What a scene may act on.
pub struct Stage {
    pub cluster: state::Cluster,
    pub links: Links,
    /// The client address of the etcd that all clusters share.
    pub etcd: String,
    /// How `churn` churns.
    pub rate: Rate,
}

impl Stage {
    pub fn new(fleet: &state::Fleet, cluster: &state::Cluster) -> Result<Self> {
        Ok(Self {
            cluster: cluster.clone(),
            links: Links::at(&fleet.toxiproxy)?,
            etcd: fleet.etcd.clone(),
            rate: Rate::default(),
        })
    }

    /// An admin's client that no scene troubles.
    async fn client(&self) -> Result<kube::Client> {
        kubeconfig::client(&self.direct(&self.cluster.admin_kubeconfig)?).await
    }

    /// Has the API server killed and started again, and waits until it answers.
    async fn restart(&self) -> Result<()> {
        let request = self.cluster.folder().join(RESTART);
        std::fs::write(&request, "").context("cannot ask for a restart")?;
        wait::until("the API server to be back", RESTART_LIMIT, async || {
            Ok::<_, std::convert::Infallible>((!request.exists()).then_some(()))
        })
        .await
    }

    /// A kubeconfig of the cluster as one of its own components would have it.
    fn direct(&self, path: &Path) -> Result<String> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        kubeconfig::within(&text, &self.cluster.api_url)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    ApiDown,
    ApiRestart,
    SlowLink,
    ExpiredToken,
    RotateCa,
    CrashLoop,
    NodeNotReady,
    Churn,
    /// Those of [`crate::troubles`] that belong to this scene; all of them without one.
    Troubles(Option<&'static str>),
}

/// Every scene, with what it does in one line.
pub const ALL: [(Scene, &str, &str); 21] = [
    (
        Scene::ApiDown,
        "api-down",
        "the API server cannot be reached: connections end, new ones are refused",
    ),
    (
        Scene::ApiRestart,
        "api-restart",
        "the API server is killed and starts again; nothing to undo",
    ),
    (Scene::SlowLink, "slow-link", "every answer of the API server comes about 2 s late"),
    (
        Scene::ExpiredToken,
        "expired-token",
        "the token of viewer.kubeconfig is refused: 401; the admin's kubeconfig goes on",
    ),
    (
        Scene::RotateCa,
        "rotate-ca",
        "the API server presents a certificate of another authority; rotated.kubeconfig knows it",
    ),
    (
        Scene::CrashLoop,
        "crash-loop",
        "a release of payments/checkout crashes: CrashLoopBackOff, warning events, a stuck rollout",
    ),
    (
        Scene::NodeNotReady,
        "node-not-ready",
        "a node falls silent: its conditions are Unknown after 50 s, its pods go elsewhere after 5 min",
    ),
    (Scene::Churn, "churn", "pods come and go, as many as --pods and as fast as --rate says"),
    trouble("oom", "search/ranker is killed for want of memory, again and again"),
    trouble("crashing", "payments/payouts ends with exit code 1 after each start"),
    trouble(
        "image-pull",
        "search/suggest has a typo in its image, platform/licences a private one",
    ),
    trouble(
        "config-missing",
        "payments/receipts and storefront/banner want config maps, payments/tax-rates a secret's key",
    ),
    trouble("init-failing", "payments/dunning waits for a database in its init container"),
    trouble(
        "probes-failing",
        "storefront/wishlist is never ready, storefront/reviews is restarted by its liveness probe",
    ),
    trouble(
        "unschedulable",
        "search/simulator wants 1000 CPUs, platform/edge-cache a node whose taint it does not tolerate",
    ),
    trouble("pvc-pending", "search/archive waits for a volume of a storage class that nobody made"),
    trouble(
        "selector-mismatch",
        "the services of storefront/catalogue and storefront/pricing miss their pods by label and port",
    ),
    trouble(
        "network-policy",
        "policies cut payments/invoices, search/crawler and platform/feature-flags off",
    ),
    trouble("service-account", "platform/janitor runs as a service account that nobody made"),
    trouble("rbac", "agents/key-watcher and agents/inventory may not do what they do first"),
    (Scene::Troubles(None), "troubles", "all of these at once, from oom to rbac"),
];

const fn trouble(name: &'static str, about: &'static str) -> (Scene, &'static str, &'static str) {
    (Scene::Troubles(Some(name)), name, about)
}

impl Scene {
    pub fn find(name: &str) -> Result<Self> {
        let found = ALL.iter().find(|(_, known, _)| *known == name).map(|(scene, ..)| *scene);
        found.with_context(|| {
            let names: Vec<_> = ALL.iter().map(|(_, name, _)| *name).collect();
            format!("no scene {name}; there are: {}", names.join(", "))
        })
    }

    pub async fn play(self, stage: &Stage) -> Result<()> {
        match self {
            Self::ApiDown => api_down::play(stage).await,
            Self::ApiRestart => stage.restart().await,
            Self::SlowLink => slow_link::play(stage).await,
            Self::ExpiredToken => expired_token::play(stage).await,
            Self::RotateCa => rotate_ca::play(stage).await,
            Self::CrashLoop => crash_loop::play(stage).await,
            Self::NodeNotReady => node_not_ready::play(stage).await,
            Self::Churn => churn::play(stage).await,
            Self::Troubles(scene) => troubles::play(stage, scene).await,
        }
    }

    /// Restores; without the scene it changes nothing.
    pub async fn undo(self, stage: &Stage) -> Result<()> {
        match self {
            Self::ApiDown => api_down::undo(stage).await,
            Self::ApiRestart => Ok(()),
            Self::SlowLink => slow_link::undo(stage).await,
            Self::ExpiredToken => expired_token::undo(stage).await,
            Self::RotateCa => rotate_ca::undo(stage).await,
            Self::CrashLoop => crash_loop::undo(stage).await,
            Self::NodeNotReady => node_not_ready::undo(stage).await,
            Self::Churn => churn::undo(stage).await,
            Self::Troubles(scene) => troubles::undo(stage, scene).await,
        }
    }
}

/// The annotation in which a scene keeps what it must restore.
fn keepsake() -> String {
    format!("{MARK}/before-scene")
}

/// Whether a scene has changed this deployment, so that nobody else may.
pub fn plays_on(deployment: &Deployment) -> bool {
    deployment.annotations().contains_key(&keepsake())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scene_is_found_by_its_name() {
        for (scene, name, about) in ALL {
            assert_eq!(Scene::find(name).expect("it is there"), scene);
            assert!(!about.contains('\n'));
        }
    }

    #[test]
    fn every_trouble_belongs_to_a_scene_and_every_such_scene_has_one() {
        let known = |scene: &str| ALL.iter().any(|(_, name, _)| *name == scene);
        for trouble in crate::troubles::all() {
            assert!(known(trouble.scene), "{}", trouble.scene);
        }
        for (scene, name, _) in ALL {
            if let Scene::Troubles(part) = scene {
                assert!(crate::troubles::of(part).next().is_some(), "{name}");
            }
        }
    }

    #[test]
    fn an_unknown_scene_is_answered_with_the_known_ones() {
        let error = Scene::find("earthquake").expect_err("there is none");
        assert!(error.to_string().contains("api-down, api-restart, slow-link"));
    }
}

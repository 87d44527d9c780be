//! Troubles by name, each with an undo that restores what was before.
//!
//! A scene acts from outside, on a running fleet that it knows by `fleet.json` alone: on a link by toxiproxy, on a workload
//! through the API. To add one: a module with `play` and `undo`, and a row in [`ALL`].

mod api_down;
mod crash_loop;
mod slow_link;

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;

use crate::{MARK, kubeconfig, link::Links, state};

/// What a scene may act on.
pub struct Stage {
    pub cluster: state::Cluster,
    pub links: Links,
}

impl Stage {
    pub fn new(fleet: &state::Fleet, cluster: &state::Cluster) -> Result<Self> {
        Ok(Self { cluster: cluster.clone(), links: Links::at(&fleet.toxiproxy)? })
    }

    /// An admin's client, by way of the link.
    async fn client(&self) -> Result<kube::Client> {
        let path = &self.cluster.admin_kubeconfig;
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        kubeconfig::client(&text).await
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    ApiDown,
    SlowLink,
    CrashLoop,
}

/// Every scene, with what it does in one line.
pub const ALL: [(Scene, &str, &str); 3] = [
    (
        Scene::ApiDown,
        "api-down",
        "the API server cannot be reached: connections end, new ones are refused",
    ),
    (Scene::SlowLink, "slow-link", "every answer of the API server comes about 2 s late"),
    (
        Scene::CrashLoop,
        "crash-loop",
        "a release of payments/checkout crashes: CrashLoopBackOff, warning events, a stuck rollout",
    ),
];

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
            Self::SlowLink => slow_link::play(stage).await,
            Self::CrashLoop => crash_loop::play(stage).await,
        }
    }

    /// Restores; without the scene it changes nothing.
    pub async fn undo(self, stage: &Stage) -> Result<()> {
        match self {
            Self::ApiDown => api_down::undo(stage).await,
            Self::SlowLink => slow_link::undo(stage).await,
            Self::CrashLoop => crash_loop::undo(stage).await,
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
    fn an_unknown_scene_is_answered_with_the_known_ones() {
        let error = Scene::find("earthquake").expect_err("there is none");
        assert!(error.to_string().contains("api-down, slow-link, crash-loop"));
    }
}

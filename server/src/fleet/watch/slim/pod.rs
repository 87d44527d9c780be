//! A pod: what its template says, shared by all pods that are alike, and how each of its containers fares.

use std::sync::Arc;

use app::time::Micros;

use super::{Meta, Slim, pod_wire::PodWire};
use crate::fleet::watch::{
    kind::Kind,
    names::{Name, Names},
};

pub use app::fleet::watched::Phase;

#[derive(Clone, Debug, PartialEq)]
pub struct Pod {
    pub meta: Meta,
    pub template: Arc<Template>,
    pub node: Option<Name>,
    pub phase: Phase,
    pub ready: bool,
    /// Why the pod as a whole failed, such as `Evicted`.
    pub reason: Option<Name>,
    pub message: Option<Box<str>>,
    /// The scheduler's and the kubelet's words about what keeps it from running or from being ready.
    pub unready: Box<[Unready]>,
    /// In the order of the template; those that init before the others come first.
    pub init: Box<[Container]>,
    pub containers: Box<[Container]>,
}

/// A condition of a pod that is not fulfilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unready {
    /// `PodScheduled`, `Ready`, `ContainersReady`, `Initialized`.
    pub kind: Name,
    pub reason: Name,
    pub message: Option<Box<str>>,
    pub since: Micros,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    pub name: Name,
    pub state: ContainerState,
    /// How it ended the time before.
    pub last: Option<Box<Ended>>,
    pub restarts: u32,
    pub ready: bool,
    /// Its start-up probe has passed, or it has none.
    pub started: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ContainerState {
    /// Nothing is known of it yet.
    Unknown,
    Waiting {
        reason: Name,
        message: Option<Box<str>>,
    },
    Running {
        since: Micros,
    },
    Ended(Box<Ended>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub reason: Name,
    pub exit_code: i32,
    pub signal: Option<i32>,
    pub started: Micros,
    pub finished: Micros,
    pub message: Option<Box<str>>,
}

/// What many pods have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Template {
    pub service_account: Name,
    pub init: Box<[ContainerSpec]>,
    pub containers: Box<[ContainerSpec]>,
    /// Volumes that need something else: config maps, secrets, claims.
    pub volumes: Box<[Reference]>,
    pub pull_secrets: Box<[Name]>,
    pub node_selector: Box<[(Name, Name)]>,
    pub tolerations: Box<[Toleration]>,
    pub restart: Name,
    pub host_network: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerSpec {
    pub name: Name,
    pub image: Name,
    pub ports: Box<[PortSpec]>,
    pub requests: Box<[(Name, Name)]>,
    pub limits: Box<[(Name, Name)]>,
    /// What its environment is taken from.
    pub references: Box<[Reference]>,
    pub readiness: Option<Probe>,
    pub liveness: Option<Probe>,
    pub startup: Option<Probe>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PortSpec {
    pub name: Name,
    pub port: u16,
    pub protocol: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    pub kind: ReferenceKind,
    pub name: Name,
    /// One key of it; empty for all of it.
    pub key: Name,
    pub optional: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReferenceKind {
    ConfigMap,
    Secret,
    Claim,
}

impl ReferenceKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "config map",
            Self::Secret => "secret",
            Self::Claim => "volume claim",
        }
    }
}

/// How the kubelet asks a container, in a few words: `GET :8080/ready`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Probe {
    pub asks: Name,
    pub period_s: u32,
    pub failures: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Toleration {
    /// Empty with `Exists` tolerates everything.
    pub key: Name,
    pub operator: Name,
    pub value: Name,
    pub effect: Name,
}

impl Pod {
    pub fn restarts(&self) -> u32 {
        self.containers.iter().chain(&self.init).map(|container| container.restarts).sum()
    }

    pub fn ready_containers(&self) -> usize {
        self.containers.iter().filter(|container| container.ready).count()
    }

    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }

    pub fn unready(&self, kind: &str) -> Option<&Unready> {
        self.unready.iter().find(|condition| &*condition.kind == kind)
    }

    /// What people know the pod by: the deployment rather than its replica set, where the pod's labels tell.
    pub fn workload(&self) -> Option<(&str, &str)> {
        let owner = self.meta.owner.as_ref()?;
        if &*owner.kind == "ReplicaSet"
            && let Some(hash) = self.meta.label("pod-template-hash")
            && let Some(name) = owner.name.strip_suffix(&**hash)
            && let Some(name) = name.strip_suffix('-')
        {
            return Some(("Deployment", name));
        }
        Some((&owner.kind, &owner.name))
    }

    /// The word that the command line's list shows, from the same fields.
    pub fn word(&self) -> &str {
        if self.meta.deleting.is_some() {
            return "Terminating";
        }
        if let Some(reason) = &self.reason {
            return reason;
        }
        let init = self.init.iter().find_map(|container| match &container.state {
            ContainerState::Waiting { reason, .. } if &**reason != "PodInitializing" => {
                Some(&**reason)
            }
            ContainerState::Ended(ended) if ended.exit_code != 0 => Some(&*ended.reason),
            _ => None,
        });
        let main = || {
            self.containers.iter().find_map(|container| match &container.state {
                ContainerState::Waiting { reason, .. } if !reason.is_empty() => Some(&**reason),
                ContainerState::Ended(ended) if !ended.reason.is_empty() => Some(&*ended.reason),
                _ => None,
            })
        };
        init.or_else(main).unwrap_or(self.phase.as_str())
    }
}

impl Slim for Pod {
    type Wire = PodWire;

    fn version(wire: &PodWire) -> &str {
        wire.version()
    }

    fn slim(_: Kind, wire: PodWire, names: &Names) -> Self {
        wire.slim(names)
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }
}

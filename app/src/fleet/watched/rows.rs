//! The rows of a cluster's lists, and what the cluster's own page shows of them.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Finding, Phase, WatchStatus};
use crate::{list::Page, time::Micros};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NodeRow {
    pub name: String,
    /// `ready`, `not_ready`, or `unknown` when the node was not heard of.
    pub state: NodeState,
    /// Since when.
    pub since: Option<Micros>,
    /// Of what it runs short, in the API's words: `MemoryPressure`.
    pub pressure: Vec<String>,
    pub cordoned: bool,
    pub roles: Vec<String>,
    pub taints: Vec<String>,
    pub version: String,
    pub os: String,
    pub cpu: Option<String>,
    pub memory: Option<String>,
    /// GPUs of all makes that pods may ask for.
    pub gpus: i64,
    /// Null while the cluster's pods are not all known.
    pub pods: Option<u64>,
    pub created_at: Micros,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    NotReady,
    Unknown,
    Ready,
}

impl NodeState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NotReady => "not_ready",
            Self::Unknown => "unknown",
        }
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NotReady => "not ready",
            Self::Unknown => "not heard of",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PodRow {
    pub namespace: String,
    pub name: String,
    pub phase: Phase,
    /// As the command line says it: `Running`, `CrashLoopBackOff`.
    pub status: String,
    pub healthy: bool,
    pub containers_ready: u64,
    pub containers: u64,
    pub restarts: u32,
    pub node: Option<String>,
    /// Kind and name of what made it.
    pub workload_kind: Option<String>,
    pub workload: Option<String>,
    pub created_at: Micros,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WorkloadRow {
    pub namespace: String,
    pub kind: String,
    pub name: String,
    pub desired: i32,
    pub ready: i32,
    pub healthy: bool,
    /// One of the list's states: `healthy`, `unhealthy`, `idle`.
    pub state: WorkloadState,
    /// In words: "2 of 3 ready", "last run succeeded".
    pub says: String,
    pub images: Vec<String>,
    /// What was found wrong with it, the worst.
    pub finding: Option<Finding>,
    pub created_at: Micros,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkloadState {
    Healthy,
    Unhealthy,
    /// Wants no pods, is suspended, or has done its work.
    Idle,
}

impl WorkloadState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Idle => "idle",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EventRow {
    pub namespace: String,
    pub about_kind: String,
    pub about: String,
    pub warning: bool,
    pub reason: String,
    pub message: String,
    pub source: String,
    pub count: u32,
    pub first_at: Micros,
    pub last_at: Micros,
}

/// One page of a list, with the state of what it was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Listed<T> {
    #[serde(flatten)]
    pub page: Page<T>,
    /// Rows are only as whole and as new as these say.
    pub watches: Vec<WatchStatus>,
    #[serde(skip)]
    pub cluster: ClusterName,
    /// For the filter by namespace.
    #[serde(skip)]
    pub namespaces: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClusterName {
    pub id: String,
    pub name: String,
}

/// What people look for first on a cluster's page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Overview {
    pub nodes: NodesSummary,
    pub workloads: u64,
    pub workloads_unhealthy: u64,
    pub pods: u64,
    /// The worst first.
    pub findings: Vec<Finding>,
    /// Of all causes, more than are listed here.
    pub findings_total: u64,
    /// The newest first.
    pub warnings: Vec<EventRow>,
    pub watches: Vec<WatchStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct NodesSummary {
    pub total: u64,
    pub ready: u64,
    pub under_pressure: u64,
    pub cordoned: u64,
    pub gpu_nodes: u64,
    pub gpus: i64,
    /// Version and how many nodes have it, the newest spelling first.
    pub versions: Vec<(String, u64)>,
}

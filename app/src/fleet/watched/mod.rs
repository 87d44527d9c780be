//! What is watched in a cluster, as it crosses the wire: kinds, the state of each watch, rows of the lists.

pub mod filters;
mod finding;
pub mod pages;
mod rows;
mod service;
mod state;
mod words;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::{
    finding::{Cause, Evidence, Finding, Severity},
    rows::{
        ClusterName, EventRow, Listed, NodeRow, NodeState, NodesSummary, Overview, PodRow,
        WorkloadRow, WorkloadState,
    },
    service::Watched,
    state::{Reason, WatchState, WatchStatus},
};

macro_rules! kinds {
    ($($variant:ident = $word:literal, $label:literal;)+) => {
        /// A kind of object that is watched.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind { $($variant),+ }

        impl Kind {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// In topics and on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// For people.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }
    };
}

kinds! {
    Nodes = "nodes", "Nodes";
    Namespaces = "namespaces", "Namespaces";
    Pods = "pods", "Pods";
    Deployments = "deployments", "Deployments";
    StatefulSets = "stateful_sets", "Stateful sets";
    DaemonSets = "daemon_sets", "Daemon sets";
    Jobs = "jobs", "Jobs";
    CronJobs = "cron_jobs", "Cron jobs";
    Events = "events", "Events";
    Services = "services", "Services";
    EndpointSlices = "endpoint_slices", "Endpoint slices";
    Claims = "claims", "Volume claims";
    NetworkPolicies = "network_policies", "Network policies";
}

/// What a live section of a cluster's pages names in `data-topics`.
pub fn topic(cluster: &str, kind: Kind) -> String {
    format!("cluster:{cluster}:{}", kind.as_str())
}

/// The cluster and the kind that a [`topic`] is about.
pub fn of_topic(topic: &str) -> Option<(&str, Kind)> {
    let (cluster, word) = topic.strip_prefix("cluster:")?.split_once(':')?;
    Kind::ALL.iter().find(|kind| kind.as_str() == word).map(|kind| (cluster, *kind))
}

/// Where a pod is in its life, in the API's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
    #[serde(other)]
    Unknown,
}

impl Phase {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Unknown => "Unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_one_spelling() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("a word"), kind.as_str());
        }
    }

    #[test]
    fn a_phase_that_is_new_to_us_is_unknown() {
        let phase: Phase = serde_json::from_str("\"Dreaming\"").expect("any word");
        assert_eq!(phase, Phase::Unknown);
    }
}

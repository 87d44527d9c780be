//! The cluster as it crosses the wire, in seed 002's spelling, with our own fields beside (DECIDED 37).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::credentials::CredentialMeta;
use crate::{
    list::{Choice, Filter, FilterKind},
    operations::model::words,
    time::Micros,
};

/// Its role in the fleet; how often it is looked at follows from it.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClusterType {
    Hub,
    #[default]
    Spoke,
    Edge,
    FarEdge,
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Platform {
    OpenShift,
    Kubernetes,
    MicroShift,
}

#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Environment {
    Production,
    Staging,
    #[default]
    Development,
    Lab,
}

/// How the console reaches it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// By its address, with a credential of the vault.
    #[default]
    Direct,
    /// The console runs in it and uses the identity that it was given there.
    InCluster,
    /// There is no way in: an outpost dials out.
    Outpost,
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum ClusterState {
    Online,
    Offline,
    Degraded,
    Unknown,
    Provisioning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Connectivity {
    Connected,
    Disconnected,
    Intermittent,
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum CnfType {
    Vdu,
    Vcu,
    Upf,
    Amf,
    Smf,
    Other,
}

words!(ClusterType: Hub = "HUB", Spoke = "SPOKE", Edge = "EDGE", FarEdge = "FAR_EDGE");
words!(Platform: OpenShift = "OPENSHIFT", Kubernetes = "KUBERNETES", MicroShift = "MICROSHIFT");
words!(Environment: Production = "PRODUCTION", Staging = "STAGING", Development = "DEVELOPMENT", Lab = "LAB");
words!(Transport: Direct = "direct", InCluster = "in_cluster", Outpost = "outpost");
words!(ClusterState: Online = "ONLINE", Offline = "OFFLINE", Degraded = "DEGRADED", Unknown = "UNKNOWN", Provisioning = "PROVISIONING");
words!(Connectivity: Connected = "CONNECTED", Disconnected = "DISCONNECTED", Intermittent = "INTERMITTENT");
words!(CnfType: Vdu = "VDU", Vcu = "VCU", Upf = "UPF", Amf = "AMF", Smf = "SMF", Other = "OTHER");

impl Platform {
    /// As its makers write it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::OpenShift => "OpenShift",
            Self::Kubernetes => "Kubernetes",
            Self::MicroShift => "MicroShift",
        }
    }
}

impl ClusterState {
    pub const ALL: [Self; 5] =
        [Self::Offline, Self::Degraded, Self::Unknown, Self::Provisioning, Self::Online];
}

/// What the score lost, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deduction {
    /// A fixed word: `api_server`, `prometheus`, `tempo`, `loki`, `nodes`.
    pub component: String,
    /// 0 where the component is not known, and the reason says why.
    pub points: i64,
    pub reason: String,
}

/// How it fares, as the last probe says. What was not looked at, or could not be, is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClusterStatus {
    pub state: ClusterState,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100)]
    pub health_score: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    pub connectivity: Connectivity,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_server_healthy: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prometheus_healthy: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tempo_healthy: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loki_healthy: Option<bool>,
    /// The fixed word behind `last_error`: `unreachable`, `tls`, `unauthorized`, `forbidden`, `timeout`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error_code: Option<String>,
    pub state_since: Micros,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_check_at: Option<Micros>,
    pub deductions: Vec<Deduction>,
    /// When the certificate ends that the API server shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_expires_at: Option<Micros>,
}

/// What one capability is read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// The field that it speaks for: `has_gpu_nodes`.
    pub capability: String,
    /// What was found, or why it could not be looked for.
    pub says: String,
    /// False when it could not be read: the field is absent then.
    pub readable: bool,
}

/// What was discovered. A field is absent when it could not be read; its evidence says why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ClusterCapabilities {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_gpu_nodes: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_count: Option<i64>,
    pub gpu_types: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_prometheus: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_thanos: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_tempo: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_loki: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_service_mesh: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_cnf_workloads: Option<bool>,
    pub cnf_types: Vec<CnfType>,
    pub evidence: Vec<Evidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovered_at: Option<Micros>,
}

/// Where its observability answers, as far as somebody typed it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterEndpoints {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri", max_length = 512)]
    pub prometheus_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri", max_length = 512)]
    pub tempo_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri", max_length = 512)]
    pub loki_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri", max_length = 512)]
    pub alertmanager_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri", max_length = 512)]
    pub thanos_url: Option<String>,
}

/// A registered cluster.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Cluster {
    #[schema(format = "uuid")]
    pub id: String,
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")]
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 128)]
    pub display_name: Option<String>,
    #[schema(format = "uri")]
    pub api_server_url: String,
    pub cluster_type: ClusterType,
    /// What was found; what was typed until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    pub environment: Environment,
    pub status: ClusterStatus,
    /// Absent until discovery has looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<ClusterCapabilities>,
    pub endpoints: ClusterEndpoints,
    pub labels: BTreeMap<String, String>,
    pub created_at: Micros,
    pub updated_at: Micros,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Micros>,
    /// What debug sessions and outposts call it.
    pub external_id: String,
    pub workspace_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<i64>,
    pub transport: Transport,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes_version: Option<String>,
    /// What was typed, where something else was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_platform: Option<Platform>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_platform_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_error: Option<String>,
    /// What opens it, without what is secret; absent where nothing is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialMeta>,
    /// Counts the changes of people; send it back to change only what you have seen.
    pub version: i64,
}

impl Cluster {
    /// Upstreams that a token is stored for.
    pub fn upstream_tokens(&self) -> Vec<&str> {
        let stored = self.credential.iter().flat_map(|meta| &meta.upstream_tokens);
        stored.map(String::as_str).collect()
    }

    /// For people.
    pub fn label(&self) -> &str {
        self.display_name.as_deref().unwrap_or(&self.name)
    }
}

/// What a filter or a form offers.
pub type Choices = &'static [Choice];

macro_rules! choices {
    ($name:ident: $($value:literal $label:literal),+ $(,)?) => {
        pub const $name: &[Choice] = &[$(Choice { value: $value, label: $label }),+];
    };
}

choices!(TYPES: "HUB" "hub", "SPOKE" "spoke", "EDGE" "edge", "FAR_EDGE" "far edge");
choices!(ENVIRONMENTS: "PRODUCTION" "production", "STAGING" "staging", "DEVELOPMENT" "development", "LAB" "lab");
choices!(STATES: "ONLINE" "online", "OFFLINE" "offline", "DEGRADED" "degraded", "UNKNOWN" "unknown", "PROVISIONING" "provisioning");
choices!(PLATFORMS: "OPENSHIFT" "OpenShift", "KUBERNETES" "Kubernetes", "MICROSHIFT" "MicroShift");
choices!(TRANSPORTS: "direct" "direct", "in_cluster" "in the console's own cluster", "outpost" "outpost");
choices!(YES_NO: "true" "yes", "false" "no");

const fn filter(
    key: &'static str,
    label: &'static str,
    kind: FilterKind,
    column: &'static str,
) -> Filter {
    Filter { key, label, kind, column }
}

pub const FILTERS: &[Filter] = &[
    filter("name", "Search name", FilterKind::Search, "name"),
    filter("state", "State", FilterKind::OneOf(STATES), "state"),
    filter("environment", "Environment", FilterKind::OneOf(ENVIRONMENTS), "environment"),
    filter("cluster_type", "Type", FilterKind::OneOf(TYPES), "cluster_type"),
    filter("region", "Region", FilterKind::Exact, "region"),
    filter("has_gpu", "GPU", FilterKind::OneOf(YES_NO), "has_gpu_nodes"),
    filter("has_cnf", "CNF", FilterKind::OneOf(YES_NO), "has_cnf_workloads"),
    // `key=value`, or `key` for any value of it.
    filter("label", "Label", FilterKind::Exact, "label"),
    filter("transport", "Reached", FilterKind::OneOf(TRANSPORTS), "transport"),
    filter("workspace_id", "Workspace", FilterKind::Integer, "workspace_id"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_spelled_as_the_wire_has_them() {
        let wire = |value: serde_json::Value| value.as_str().map(str::to_owned);
        for kind in [ClusterType::Hub, ClusterType::FarEdge] {
            let json = serde_json::to_value(kind).expect("a word");
            assert_eq!(wire(json).as_deref(), Some(kind.as_str()));
        }
        for platform in [Platform::OpenShift, Platform::Kubernetes, Platform::MicroShift] {
            let json = serde_json::to_value(platform).expect("a word");
            assert_eq!(wire(json).as_deref(), Some(platform.as_str()));
        }
        for state in ClusterState::ALL {
            let json = serde_json::to_value(state).expect("a word");
            assert_eq!(wire(json).as_deref(), Some(state.as_str()));
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        let transport = serde_json::to_value(Transport::InCluster).expect("a word");
        assert_eq!(wire(transport).as_deref(), Some("in_cluster"));
    }

    #[test]
    fn what_could_not_be_read_is_absent() {
        let nothing = serde_json::to_value(ClusterCapabilities::default()).expect("an object");
        assert!(nothing.get("has_prometheus").is_none(), "{nothing}");
        assert!(nothing.get("gpu_count").is_none(), "{nothing}");
    }
}

//! The fleet in figures, in the shape of the registry that seed 002 comes from.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::model::{ClusterState, CnfType};
use crate::time::Micros;

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FleetSummary {
    pub total_clusters: i64,
    pub by_state: BTreeMap<String, i64>,
    pub by_type: BTreeMap<String, i64>,
    pub by_environment: BTreeMap<String, i64>,
    /// Of the clusters that discovery has looked at.
    pub total_gpu_count: i64,
    pub clusters_with_cnf: i64,
    /// Of the clusters that have a score; null while none has.
    pub avg_health_score: Option<f64>,
    /// Clusters that discovery has not looked at: what they have is not in these figures.
    pub undiscovered: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FleetHealth {
    pub total_clusters: i64,
    pub healthy: i64,
    pub degraded: i64,
    pub offline: i64,
    /// Those that are being set up as well.
    pub unknown: i64,
    pub clusters: Vec<ClusterHealth>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClusterHealth {
    pub cluster_id: String,
    pub cluster_name: String,
    pub state: ClusterState,
    pub health_score: Option<i64>,
    pub last_check_at: Option<Micros>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct FleetCapabilities {
    pub gpu: GpuCapabilities,
    pub cnf: CnfCapabilities,
    pub observability: ObservabilityCapabilities,
    pub undiscovered: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct GpuCapabilities {
    pub total_gpu_count: i64,
    pub gpu_types: Vec<String>,
    pub clusters_with_gpu: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct CnfCapabilities {
    pub cnf_types: Vec<CnfType>,
    pub clusters_with_cnf: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ObservabilityCapabilities {
    pub clusters_with_prometheus: i64,
    pub clusters_with_tempo: i64,
    pub clusters_with_loki: i64,
}

//! What the server must supply so that a cluster can be looked into.

use async_trait::async_trait;

use super::{EventRow, Finding, Listed, NodeRow, Overview, PodRow, WorkloadRow};
use crate::{error::ApiError, fleet::View, identity::Permit, list::ListQuery};

/// Each of these wants what it shows to be watched, and answers within seconds with what is known by then; how whole
/// and how new that is stands beside it.
#[async_trait]
pub trait Watched: Send + Sync {
    /// Those that are not ready first.
    async fn nodes(
        &self,
        permit: &Permit<View>,
        cluster: &str,
        query: &ListQuery,
    ) -> Result<Listed<NodeRow>, ApiError>;

    /// By namespace and name.
    async fn pods(
        &self,
        permit: &Permit<View>,
        cluster: &str,
        query: &ListQuery,
    ) -> Result<Listed<PodRow>, ApiError>;

    /// By namespace and name; what is not healthy with its cause.
    async fn workloads(
        &self,
        permit: &Permit<View>,
        cluster: &str,
        query: &ListQuery,
    ) -> Result<Listed<WorkloadRow>, ApiError>;

    /// The newest first.
    async fn events(
        &self,
        permit: &Permit<View>,
        cluster: &str,
        query: &ListQuery,
    ) -> Result<Listed<EventRow>, ApiError>;

    /// Everything that the checks find, the worst first.
    async fn findings(
        &self,
        permit: &Permit<View>,
        cluster: &str,
        query: &ListQuery,
    ) -> Result<Listed<Finding>, ApiError>;

    async fn overview(&self, permit: &Permit<View>, cluster: &str) -> Result<Overview, ApiError>;
}

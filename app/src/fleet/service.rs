//! What the server must supply so that the fleet can be seen and kept.
//!
//! Nothing here answers with what opens a cluster: a credential goes in and is used, and is never handed out.

use async_trait::async_trait;

use super::{
    credentials::{CredentialMeta, NewCredential},
    drafts::{Draft, ImportClusters, Imported},
    health::HealthPoint,
    model::Cluster,
    overview::{FleetCapabilities, FleetHealth, FleetSummary},
    preflight::Validation,
    registration::{ChangeCluster, NewCluster},
};
use crate::{
    error::ApiError,
    identity::{Capability, Permit, Right},
    list::{ListQuery, Page},
};

/// Sees the clusters.
pub struct View;

impl Right for View {
    const CAPABILITY: Capability = Capability::FleetView;
}

/// Registers, changes and removes them, and stores what opens them.
pub struct Manage;

impl Right for Manage {
    const CAPABILITY: Capability = Capability::FleetManage;
}

#[async_trait]
pub trait Clusters: Send + Sync {
    /// In the order of their names.
    async fn list(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
    ) -> Result<Page<Cluster>, ApiError>;

    async fn get(&self, permit: &Permit<View>, id: &str) -> Result<Cluster, ApiError>;

    async fn get_by_name(&self, permit: &Permit<View>, name: &str) -> Result<Cluster, ApiError>;

    async fn create(&self, permit: &Permit<Manage>, new: NewCluster) -> Result<Cluster, ApiError>;

    async fn change(
        &self,
        permit: &Permit<Manage>,
        id: &str,
        change: ChangeCluster,
    ) -> Result<Cluster, ApiError>;

    /// Its name is free again, and what opened it is gone at once; what happened stays to be read.
    async fn remove(&self, permit: &Permit<Manage>, id: &str) -> Result<(), ApiError>;

    /// How it fared in the last seven days, oldest first.
    async fn history(&self, permit: &Permit<View>, id: &str) -> Result<Vec<HealthPoint>, ApiError>;

    /// Has it looked at as soon as can be.
    async fn refresh(&self, permit: &Permit<Manage>, id: &str) -> Result<Cluster, ApiError>;

    async fn credential(&self, permit: &Permit<View>, id: &str)
    -> Result<CredentialMeta, ApiError>;

    /// Stores or replaces it. Requests under way end with what they began with.
    async fn store_credential(
        &self,
        permit: &Permit<Manage>,
        id: &str,
        new: NewCredential,
    ) -> Result<CredentialMeta, ApiError>;

    async fn remove_credential(&self, permit: &Permit<Manage>, id: &str) -> Result<(), ApiError>;

    /// Looks at the cluster with what is stored.
    async fn validate(&self, permit: &Permit<Manage>, id: &str) -> Result<Validation, ApiError>;

    async fn summary(&self, permit: &Permit<View>) -> Result<FleetSummary, ApiError>;

    async fn health(&self, permit: &Permit<View>) -> Result<FleetHealth, ApiError>;

    async fn capabilities(&self, permit: &Permit<View>) -> Result<FleetCapabilities, ApiError>;
}

/// A registration in steps: what was typed is looked at and kept sealed for a quarter of an hour, until whoever typed
/// it decides. Each draft is its maker's own.
#[async_trait]
pub trait Registrations: Send + Sync {
    /// Looks at what was typed, saves nothing but the draft, and says what it is called.
    async fn check(&self, permit: &Permit<Manage>, new: NewCluster) -> Result<String, ApiError>;

    async fn draft(&self, permit: &Permit<Manage>, id: &str) -> Result<Draft, ApiError>;

    /// One context of a draft's kubeconfig: another draft, looked at.
    async fn choose(
        &self,
        permit: &Permit<Manage>,
        id: &str,
        context: &str,
    ) -> Result<String, ApiError>;

    /// Some contexts of a draft's kubeconfig, each a cluster.
    async fn import_draft(
        &self,
        permit: &Permit<Manage>,
        id: &str,
        contexts: Vec<String>,
    ) -> Result<Vec<Imported>, ApiError>;

    async fn import(
        &self,
        permit: &Permit<Manage>,
        import: ImportClusters,
    ) -> Result<Vec<Imported>, ApiError>;

    /// What was looked at becomes a cluster.
    async fn register(&self, permit: &Permit<Manage>, id: &str) -> Result<Cluster, ApiError>;

    async fn discard(&self, permit: &Permit<Manage>, id: &str) -> Result<(), ApiError>;

    /// The least that the console needs to be allowed, to be applied in a cluster; with what reaches services of these
    /// namespaces through the API server.
    fn manifest(&self, observe: &[String]) -> String;
}

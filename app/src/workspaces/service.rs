//! What the server must supply so that workspaces can be listed and changed.

use async_trait::async_trait;

use super::model::{NewTenant, NewWorkspace, Tenant, Workspace};
use crate::{
    error::ApiError,
    identity::{Permit, View},
    list::{ListQuery, Page},
    settings,
};

#[async_trait]
pub trait Workspaces: Send + Sync {
    /// Those that the permit reaches, in the order of their names, each with its tenants.
    async fn list(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
    ) -> Result<Page<Workspace>, ApiError>;

    async fn get(&self, permit: &Permit<View>, id: i64) -> Result<Workspace, ApiError>;

    async fn tenants(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
    ) -> Result<Page<Tenant>, ApiError>;

    async fn tenant(&self, permit: &Permit<View>, id: i64) -> Result<Tenant, ApiError>;

    /// From here on: needs the right on everything, as workspaces are what limits rights.
    async fn create(
        &self,
        permit: &Permit<settings::Manage>,
        new: NewWorkspace,
    ) -> Result<Workspace, ApiError>;

    async fn rename(
        &self,
        permit: &Permit<settings::Manage>,
        id: i64,
        name: &str,
    ) -> Result<(), ApiError>;

    /// Archived twice is archived.
    async fn archive(&self, permit: &Permit<settings::Manage>, id: i64) -> Result<(), ApiError>;

    async fn create_tenant(
        &self,
        permit: &Permit<settings::Manage>,
        new: NewTenant,
    ) -> Result<Tenant, ApiError>;

    async fn rename_tenant(
        &self,
        permit: &Permit<settings::Manage>,
        id: i64,
        name: &str,
    ) -> Result<(), ApiError>;

    async fn archive_tenant(
        &self,
        permit: &Permit<settings::Manage>,
        id: i64,
    ) -> Result<(), ApiError>;
}

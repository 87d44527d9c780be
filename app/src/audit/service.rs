//! What the server must supply so that the pages and calls of this domain can be drawn and answered.

use async_trait::async_trait;

use super::model::{AuditDetail, AuditEntry};
use crate::{
    error::ApiError,
    identity::{Capability, Permit, Right},
    list::{ListQuery, Page},
};

/// Reads the audit log.
pub struct View;

impl Right for View {
    const CAPABILITY: Capability = Capability::AuditView;
}

#[async_trait]
pub trait Audit: Send + Sync {
    /// One page of the entries that the permit reaches, newest first. Entries without a workspace are reached by
    /// a permit for everything alone.
    async fn list(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
    ) -> Result<Page<AuditEntry>, ApiError>;

    /// How many entries of this list are newer than `after` (an entry's number), counted up to 100.
    async fn newer(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
        after: i64,
    ) -> Result<i64, ApiError>;

    async fn get(&self, permit: &Permit<View>, seq: i64) -> Result<AuditDetail, ApiError>;

    /// Every action that the log knows, in alphabetical order.
    async fn actions(&self, permit: &Permit<View>) -> Result<Vec<String>, ApiError>;
}

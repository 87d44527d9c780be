//! What the server must supply so that the pages and calls of this domain can be drawn and answered.

use async_trait::async_trait;

use super::model::{OperationDetail, OperationType, StartOperation, Started};
use crate::{
    error::ApiError,
    identity::{Caller, Capability, Permit, Right},
};

/// Sees operations.
pub struct View;

impl Right for View {
    const CAPABILITY: Capability = Capability::OperationsView;
}

/// Triages operations.
pub struct Manage;

impl Right for Manage {
    const CAPABILITY: Capability = Capability::OperationsManage;
}

#[async_trait]
pub trait Operations: Send + Sync {
    async fn get(&self, permit: &Permit<View>, id: i64) -> Result<OperationDetail, ApiError>;

    /// The types that can be started here, with this caller's rights and each one's last run in reach.
    async fn catalog(&self, permit: &Permit<View>) -> Result<Vec<OperationType>, ApiError>;

    /// Queues a run. Asks for the type's own capability; the audit row is part of the same transaction.
    async fn start(
        &self,
        caller: &Caller,
        request: StartOperation,
        idempotency_key: Option<&str>,
    ) -> Result<Started, ApiError>;
}

//! Processes that work on queues, as people and machines see them.

use async_trait::async_trait;
use serde::Serialize;

use super::View;
use crate::{error::ApiError, identity::Permit, time::Micros};

/// A process that takes runs from queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct WorkerProcess {
    /// Made anew by each process.
    pub id: String,
    /// Its host and process number.
    pub name: String,
    /// The queues that it takes runs from.
    pub queues: Vec<String>,
    /// How many runs it does at the same time.
    pub workers: i64,
    pub version: String,
    pub started_at: Micros,
    /// When it was last heard of, by the database's clock; every 10 s while it lives.
    pub heartbeat_at: Micros,
    /// Whether it was heard of within the last 30 s.
    pub alive: bool,
}

#[async_trait]
pub trait Workers: Send + Sync {
    /// Every process that works, and those that stopped without a word within a day.
    async fn workers(&self, permit: &Permit<View>) -> Result<Vec<WorkerProcess>, ApiError>;
}

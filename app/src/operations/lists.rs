//! The lists of operations as the server answers them: rows, counts, causes, and what filters can be set to.

use async_trait::async_trait;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    View,
    filters::List,
    model::{Named, OperationRun},
    stuck::{Stuck, StuckClass},
};
use crate::{
    error::ApiError,
    identity::Permit,
    list::{ListQuery, Page},
    time::Micros,
};

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ListedRun {
    #[serde(flatten)]
    pub run: OperationRun,
    /// Why it does not move, since when, and how long it might; null for one that moves or has ended.
    pub stuck: Option<Stuck>,
}

/// So many; where counting stopped, at least so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Count {
    pub total: i64,
    pub total_capped: bool,
}

/// How many operations are in which state, of those that the filters leave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Counts {
    pub queued: Count,
    pub running: Count,
    pub succeeded: Count,
    pub failed: Count,
    /// Those of them that do not move.
    pub stuck: Count,
    /// The same by why; classes without any are left out.
    pub stuck_classes: Vec<ClassCount>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClassCount {
    pub class: StuckClass,
    #[serde(flatten)]
    pub count: Count,
}

impl Count {
    /// All of them together.
    pub fn sum(counts: &[Self]) -> Self {
        let total: i64 = counts.iter().map(|count| count.total).sum();
        let over = total > crate::list::WINDOW;
        Self {
            total: total.min(crate::list::WINDOW),
            total_capped: over || counts.iter().any(|count| count.total_capped),
        }
    }
}

impl Counts {
    pub fn runs(&self) -> Count {
        Count::sum(&[self.queued, self.running, self.succeeded, self.failed])
    }
}

/// Failures of one cause: the same type, code and message but for ids, numbers, paths and times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FailureGroup {
    pub fingerprint: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub type_label: String,
    pub code: String,
    /// Of the newest one.
    pub summary: String,
    /// Since it was first seen; runs that were pruned since count too.
    pub failures: i64,
    pub first_seen: Micros,
    pub last_seen: Micros,
    pub last_run_id: i64,
    /// In how many workspaces within reach.
    pub workspaces: i64,
}

/// What filters can be set to, as far as a short look tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// By type, with the label of each.
    pub types: Vec<(String, String)>,
    pub workspaces: Vec<Named>,
    pub tenants: Vec<Named>,
    /// Who asked for the newest runs, newest first.
    pub initiators: Vec<String>,
}

#[async_trait]
pub trait Lists: Send + Sync {
    /// One page of the runs of a list that the permit reaches, newest first.
    async fn list(
        &self,
        permit: &Permit<View>,
        list: List,
        query: &ListQuery,
    ) -> Result<Page<ListedRun>, ApiError>;

    /// How many runs of this list are newer than `after` (an operation id), counted up to 100.
    async fn newer(
        &self,
        permit: &Permit<View>,
        list: List,
        query: &ListQuery,
        after: i64,
    ) -> Result<i64, ApiError>;

    /// `query` by [`COUNT_FILTERS`](super::filters::COUNT_FILTERS).
    async fn counts(&self, permit: &Permit<View>, query: &ListQuery) -> Result<Counts, ApiError>;

    /// Failures by cause, the one that was seen last first. `query` by
    /// [`GROUP_FILTERS`](super::filters::GROUP_FILTERS).
    async fn failure_groups(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
    ) -> Result<Page<FailureGroup>, ApiError>;

    async fn choices(&self, permit: &Permit<View>) -> Result<Choices, ApiError>;
}

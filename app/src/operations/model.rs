//! The operation run as it crosses the wire, and its rules from values alone.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use super::filters::FILTERS;
use super::{
    lineage::Lineage,
    since::SinceLastSuccess,
    stuck::{Evidence, StuckClass},
    triage::Triage,
};
use crate::{identity::Capability, time::Micros};

/// Where a run is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Queued,
    Running,
    Completed,
}

/// How it ended; `pending` until it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Pending,
    Succeeded,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepStatus {
    Pending,
    Running,
    Succeeded,
    Failed,
    /// An earlier step failed, so this one never ran.
    Skipped,
}

macro_rules! words {
    ($type:ident: $($variant:ident = $word:literal),+ $(,)?) => {
        impl $type {
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::str::FromStr for $type {
            type Err = ();

            fn from_str(word: &str) -> Result<Self, ()> {
                match word { $($word => Ok(Self::$variant),)+ _ => Err(()) }
            }
        }
    };
}

pub(crate) use words;

words!(Status: Queued = "queued", Running = "running", Completed = "completed");
words!(Outcome: Pending = "pending", Succeeded = "succeeded", Failed = "failed");
words!(StepStatus: Pending = "pending", Running = "running", Succeeded = "succeeded", Failed = "failed", Skipped = "skipped");

/// A workspace or tenant, named for those who read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Named {
    pub id: i64,
    pub name: String,
}

/// One operation run, as seed 003 spells it, with our own fields beside (DECIDED 20, 37).
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct OperationRun {
    pub id: i64,
    pub workspace_id: i64,
    pub tenant_id: Option<i64>,
    pub workspace: Named,
    pub tenant: Option<Named>,
    #[serde(rename = "type")]
    pub kind: String,
    /// From the catalog; the type itself when the catalog no longer has it.
    pub type_label: String,
    pub status: Status,
    pub outcome: Outcome,
    pub initiator_kind: String,
    pub initiator_id: Option<String>,
    pub initiator_name: Option<String>,
    /// `cluster:…`, `agent:…`; null when the run concerns the console itself.
    pub target: Option<String>,
    pub target_label: Option<String>,
    pub queue: String,
    pub priority: i64,
    pub attempt: i64,
    pub error_summary: Option<String>,
    pub error_fingerprint: Option<String>,
    /// Why it does not move; null for one that does, and for one that has ended.
    pub stuck_class: Option<StuckClass>,
    /// 0 to 100, where the type can tell; only while it runs.
    pub progress: Option<i64>,
    /// The run that this one tries again.
    pub retry_of_run_id: Option<i64>,
    /// The success that made this failure past.
    pub superseded_by_run_id: Option<i64>,
    /// A person asked for its end.
    pub cancelled: bool,
    /// Whether it waits for a human: failed, with no success after it, and nobody has looked into it.
    pub open_work: bool,
    pub input: serde_json::Value,
    /// Triage and the type's own facts.
    pub context: serde_json::Value,
    pub scheduled_at: Micros,
    pub created_at: Micros,
    pub started_at: Option<Micros>,
    pub completed_at: Option<Micros>,
}

/// One step of a run, in the order in which the type does them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Step {
    pub position: i64,
    pub name: String,
    pub label: String,
    pub status: StepStatus,
    /// What was found or what went wrong, in the words of the thing itself.
    pub detail: Option<String>,
    pub started_at: Option<Micros>,
    pub completed_at: Option<Micros>,
}

/// What the detail page shows.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct OperationDetail {
    #[serde(flatten)]
    pub run: OperationRun,
    pub steps: Vec<Step>,
    /// Why it does not move, with what that is read from.
    pub stuck: Option<Evidence>,
    /// What may be done about it.
    pub triage: Triage,
    /// The chain of retries that it stands in.
    pub lineage: Lineage,
    /// What is different since this type last succeeded on this target.
    pub since_last_success: SinceLastSuccess,
}

/// An entry of the catalog, as its runbook page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OperationType {
    #[serde(rename = "type")]
    pub kind: String,
    pub label: String,
    /// One sentence: what it does and what it touches.
    pub summary: String,
    pub capability: Capability,
    /// Whether this caller may start it.
    pub startable: bool,
    /// Markdown of the runbook, from the product.
    pub runbook: String,
    /// "every 5 minutes", when a schedule starts it too.
    pub schedule: Option<String>,
    pub last_run: Option<LastRun>,
    /// The newest ones that have ended, newest first: at most 30.
    pub recent_runs: Vec<LastRun>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LastRun {
    pub id: i64,
    pub status: Status,
    pub outcome: Outcome,
    pub created_at: Micros,
    pub started_at: Option<Micros>,
    pub completed_at: Option<Micros>,
}

/// The body of `POST /api/v1/operations`.
#[derive(Clone, Debug, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartOperation {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub input: serde_json::Value,
    /// 1 (`platform`) when absent.
    pub workspace_id: Option<i64>,
    pub tenant_id: Option<i64>,
    pub target: Option<String>,
    /// What people call the target; said by the console itself, never by a client.
    #[serde(skip)]
    #[schema(ignore)]
    pub target_label: Option<String>,
    /// −100 (last) to 100 (first); 0 when absent.
    pub priority: Option<i64>,
    pub scheduled_at: Option<Micros>,
}

/// What starting gave: a new run, or the one that the same `Idempotency-Key` gave before.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    pub run: OperationRun,
    pub created: bool,
}

//! What the engine counts while it works: how long runs waited, how they ended, how often a worker was lost.
//!
//! Of this process alone; what is true of the database is asked when metrics are read ([`super::gauges`]). Labels are
//! types and queues of the catalog, never anything that a caller sent.

use std::time::Duration;

use app::{operations::model::Outcome, time::Micros};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::store::claim::Claimed;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabels {
    queue: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypeLabels {
    r#type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    r#type: &'static str,
    outcome: &'static str,
}

/// From a claim within the process, which is woken at once, to a queue that nobody serves in time.
const WAITS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];
/// From a self-check to the longest budget that is learnt.
const DURATIONS: [f64; 12] =
    [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 86_400.0];

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Measures {
    claims: Family<QueueLabels, Histogram>,
    losses: Counter,
    ends: Family<EndLabels, Counter>,
    durations: Family<TypeLabels, Histogram>,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            claims: Family::new_with_constructor(|| Histogram::new(WAITS)),
            losses: Counter::default(),
            ends: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
        }
    }
}

impl Measures {
    pub fn register(&self, registry: &mut Registry) {
        let help = "From the time that a run was due, or went back into its queue, to its claim by this process";
        let claims = self.claims.clone();
        registry.register_with_unit("operations_claim_latency", help, Unit::Seconds, claims);
        let help =
            "Runs that this process took back because their worker was not heard of for a lease";
        registry.register("operations_lease_losses", help, self.losses.clone());
        let help = "Runs that ended here, by type and outcome";
        registry.register("operations_runs", help, self.ends.clone());
        let help = "From the claim of a run by this process to its end here";
        let durations = self.durations.clone();
        registry.register_with_unit("operations_run_duration", help, Unit::Seconds, durations);
    }

    pub(super) fn claimed(&self, claimed: &Claimed) {
        let waited = Duration::from_micros(u64::try_from(claimed.waited).unwrap_or(0));
        let labels = QueueLabels { queue: claimed.queue.clone() };
        self.claims.get_or_create(&labels).observe(waited.as_secs_f64());
    }

    pub(super) fn ended(&self, kind: &'static str, outcome: Outcome, took: Duration) {
        self.durations.get_or_create(&TypeLabels { r#type: kind }).observe(took.as_secs_f64());
        self.counted(kind, outcome);
    }

    /// It ended without work here, since its worker was lost.
    pub(super) fn buried(&self, kind: &'static str) {
        self.counted(kind, Outcome::Failed);
    }

    fn counted(&self, kind: &'static str, outcome: Outcome) {
        let labels = EndLabels { r#type: kind, outcome: outcome.as_str() };
        self.ends.get_or_create(&labels).inc();
    }

    pub(super) fn lost(&self) {
        self.losses.inc();
    }
}

/// How long a run waited for its worker.
pub(super) fn waited(now: Micros, scheduled_at: Micros, queued_at: Option<Micros>) -> i64 {
    now.since(scheduled_at.max(queued_at.unwrap_or(scheduled_at))).max(0)
}

//! Why a run does not move: derived from what the store knows of it, never stored. Knows no store, and no
//! clock but the time that it is given, which is the database's.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::Status;
use crate::{list::Choice, time::Micros};

/// The first of these that holds, in the order of DECIDED 22.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StuckClass {
    /// No living worker serves its queue.
    NoWorker,
    QueuedTooLong,
    /// Taken by a worker that was never heard of again.
    NeverHeartbeat,
    HeartbeatLost,
    CancelIgnored,
    OverBudget,
}

pub const STUCK_CLASSES: &[Choice] = &[
    Choice { value: "no_worker", label: "no worker" },
    Choice { value: "queued_too_long", label: "queued too long" },
    Choice { value: "never_heartbeat", label: "never a heartbeat" },
    Choice { value: "heartbeat_lost", label: "heartbeat lost" },
    Choice { value: "cancel_ignored", label: "cancel ignored" },
    Choice { value: "over_budget", label: "over budget" },
];

impl StuckClass {
    pub const ALL: [Self; 6] = [
        Self::NoWorker,
        Self::QueuedTooLong,
        Self::NeverHeartbeat,
        Self::HeartbeatLost,
        Self::CancelIgnored,
        Self::OverBudget,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoWorker => "no_worker",
            Self::QueuedTooLong => "queued_too_long",
            Self::NeverHeartbeat => "never_heartbeat",
            Self::HeartbeatLost => "heartbeat_lost",
            Self::CancelIgnored => "cancel_ignored",
            Self::OverBudget => "over_budget",
        }
    }

    /// For people.
    pub fn label(self) -> &'static str {
        STUCK_CLASSES.iter().find(|c| c.value == self.as_str()).map_or(self.as_str(), |c| c.label)
    }
}

/// How long a run of a type may take before it is said to take long, and where that figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Budget {
    #[serde(rename = "micros")]
    pub micros: i64,
    pub source: BudgetSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum BudgetSource {
    /// The type says so; it has too few successes to learn from.
    Declared { successes: i64 },
    /// Three times the 99th percentile of the newest successes.
    Successes { successes: i64, p99_micros: i64 },
}

/// What the store knows of an active run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activity {
    pub status: Status,
    /// When it was due, or went back into the queue if that was later.
    pub waits_since: Micros,
    /// When its worker took it.
    pub taken_at: Option<Micros>,
    pub heartbeat_at: Option<Micros>,
    pub cancel_requested_at: Option<Micros>,
    /// Whether a living worker serves its queue.
    pub served: bool,
}

/// A run that does not move: by which rule, since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Stuck {
    pub class: StuckClass,
    /// What is waited for began here: due, taken, last heard of, asked to end.
    pub since: Micros,
    /// It may take so long.
    pub threshold_micros: i64,
}

/// What a verdict stands on, for those who look at one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Evidence {
    #[serde(flatten)]
    pub stuck: Stuck,
    /// Where the threshold comes from, for the classes that go by the type's budget.
    pub budget: Option<Budget>,
    pub queue: String,
    /// Whether a living worker serves that queue.
    pub queue_served: bool,
    /// Who holds it.
    pub worker: Option<String>,
    pub last_heartbeat_at: Option<Micros>,
    pub lease_expires_at: Option<Micros>,
    /// The runs that hold the slots which it waits for.
    pub waits_for: Vec<i64>,
    pub next: Next,
}

/// What happens to a stuck run when nobody does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Next {
    /// It starts as soon as a worker serves its queue.
    WaitsForWorker,
    /// It starts when those before it are through.
    WaitsForTurn,
    /// Another worker takes it up when the lease lapses; it was lost so many times before, of so many that end it.
    TakenUp { at: Option<Micros>, losses: i64, losses_max: i64 },
    /// It ends failed, since it must not run again by itself.
    Orphaned { at: Micros },
    /// Its lease lapses, and it ends as was asked for.
    EndsCancelled { at: Option<Micros> },
    /// It goes on for as long as its worker lives.
    GoesOn,
}

/// A queue without a worker, and a worker without a heartbeat: the length of a lease.
pub const HEARTBEAT_MAX: i64 = 30 * Micros::SECOND;
/// No run is called late in its queue before that.
pub const QUEUED_MAX: i64 = 120 * Micros::SECOND;
/// A request to end that the work has not followed.
pub const CANCEL_MAX: i64 = 60 * Micros::SECOND;
/// A learnt budget stays between these.
pub const BUDGET_FLOOR: i64 = 60 * Micros::SECOND;
pub const BUDGET_CAP: i64 = 24 * 3_600 * Micros::SECOND;
/// So many successes are enough to learn from, and more than that are not looked at.
pub const SUCCESSES_MIN: usize = 20;
pub const SUCCESSES_MAX: usize = 200;

impl Budget {
    /// From what the newest successes took, when there are enough of them.
    pub fn learn(declared_micros: i64, mut took: Vec<i64>) -> Self {
        let successes = i64::try_from(took.len()).unwrap_or(i64::MAX);
        if took.len() < SUCCESSES_MIN {
            let source = BudgetSource::Declared { successes };
            return Self { micros: declared_micros, source };
        }
        took.sort_unstable();
        // The smallest value that 99 of 100 do not exceed.
        let place = (took.len() * 99).div_ceil(100) - 1;
        let p99_micros = took[place];
        let micros = p99_micros.saturating_mul(3).clamp(BUDGET_FLOOR, BUDGET_CAP);
        Self { micros, source: BudgetSource::Successes { successes, p99_micros } }
    }
}

/// Why this run does not move, if it does not.
pub fn classify(run: &Activity, budget: &Budget, now: Micros) -> Option<Stuck> {
    let late = |class, since: Micros, threshold_micros| {
        (now.since(since) > threshold_micros).then_some(Stuck { class, since, threshold_micros })
    };
    match run.status {
        Status::Completed => None,
        Status::Queued => {
            let waits = run.waits_since;
            let unserved =
                (!run.served).then(|| late(StuckClass::NoWorker, waits, HEARTBEAT_MAX)).flatten();
            unserved
                .or_else(|| late(StuckClass::QueuedTooLong, waits, budget.micros.max(QUEUED_MAX)))
        }
        Status::Running => {
            let taken = run.taken_at.unwrap_or(run.waits_since);
            let silent = match run.heartbeat_at {
                None => late(StuckClass::NeverHeartbeat, taken, HEARTBEAT_MAX),
                Some(at) => late(StuckClass::HeartbeatLost, at, HEARTBEAT_MAX),
            };
            let cancel = run.cancel_requested_at;
            silent
                .or_else(|| late(StuckClass::CancelIgnored, cancel?, CANCEL_MAX))
                .or_else(|| late(StuckClass::OverBudget, taken, budget.micros))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = Micros::SECOND;
    const DECLARED: Budget =
        Budget { micros: 300 * S, source: BudgetSource::Declared { successes: 0 } };

    fn queued(served: bool) -> Activity {
        Activity {
            status: Status::Queued,
            waits_since: Micros(0),
            taken_at: None,
            heartbeat_at: None,
            cancel_requested_at: None,
            served,
        }
    }

    fn running(heartbeat: Option<i64>, cancel: Option<i64>) -> Activity {
        Activity {
            status: Status::Running,
            taken_at: Some(Micros(0)),
            heartbeat_at: heartbeat.map(|s| Micros(s * S)),
            cancel_requested_at: cancel.map(|s| Micros(s * S)),
            ..queued(true)
        }
    }

    fn class(run: &Activity, seconds: i64) -> Option<StuckClass> {
        classify(run, &DECLARED, Micros(seconds * S)).map(|stuck| stuck.class)
    }

    #[test]
    fn a_queued_run_waits_for_a_worker_before_it_waits_too_long() {
        assert_eq!(class(&queued(false), 30), None);
        assert_eq!(class(&queued(false), 31), Some(StuckClass::NoWorker));
        assert_eq!(class(&queued(true), 300), None);
        assert_eq!(class(&queued(true), 301), Some(StuckClass::QueuedTooLong));
        // Nothing is late before it is due.
        assert_eq!(class(&queued(false), -5), None);
    }

    #[test]
    fn a_short_budget_lets_a_run_wait_for_two_minutes_all_the_same() {
        let short = Budget { micros: 5 * S, ..DECLARED };
        assert_eq!(classify(&queued(true), &short, Micros(120 * S)), None);
        assert!(classify(&queued(true), &short, Micros(121 * S)).is_some());
    }

    #[test]
    fn a_running_run_is_silent_before_it_is_disobedient_before_it_is_slow() {
        assert_eq!(class(&running(None, None), 30), None);
        assert_eq!(class(&running(None, Some(0)), 500), Some(StuckClass::NeverHeartbeat));
        assert_eq!(class(&running(Some(0), Some(0)), 500), Some(StuckClass::HeartbeatLost));
        assert_eq!(class(&running(Some(500), Some(439)), 500), Some(StuckClass::CancelIgnored));
        assert_eq!(class(&running(Some(500), Some(440)), 500), Some(StuckClass::OverBudget));
        assert_eq!(class(&running(Some(300), None), 300), None);
    }

    #[test]
    fn what_has_ended_is_not_stuck() {
        let ended = Activity { status: Status::Completed, ..running(None, Some(0)) };
        assert_eq!(class(&ended, 1_000_000), None);
    }

    #[test]
    fn a_budget_is_learnt_from_twenty_successes_on() {
        let budget = Budget::learn(7 * S, vec![S; SUCCESSES_MIN - 1]);
        assert_eq!(budget.micros, 7 * S);
        assert_eq!(budget.source, BudgetSource::Declared { successes: 19 });
        let budget = Budget::learn(7 * S, (1..=200).map(|n| n * S).collect());
        assert_eq!(budget.micros, 3 * 198 * S);
        let source = BudgetSource::Successes { successes: 200, p99_micros: 198 * S };
        assert_eq!(budget.source, source);
        assert_eq!(Budget::learn(0, vec![S; 20]).micros, BUDGET_FLOOR);
        assert_eq!(Budget::learn(0, vec![i64::MAX / 2; 20]).micros, BUDGET_CAP);
    }

    #[test]
    fn every_class_can_be_filtered_by() {
        let words: Vec<_> = STUCK_CLASSES.iter().map(|choice| choice.value).collect();
        assert_eq!(words, StuckClass::ALL.map(StuckClass::as_str));
    }
}

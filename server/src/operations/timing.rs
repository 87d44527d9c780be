//! Every interval and bound of the run engine, in one place, with the arithmetic between them.

use std::time::Duration;

/// A lease that was not confirmed for so long is void; another worker may take the run.
pub const LEASE: Duration = Duration::from_secs(30);
/// Three in one lease: one may be lost, one late.
pub const HEARTBEAT: Duration = Duration::from_secs(10);
/// A worker that could confirm nothing for so long stops its own work, 10 s before another may begin.
pub const GIVE_UP: Duration = Duration::from_secs(20);
/// After that many lost workers the run ends failed (`lost_worker`).
pub const LOSSES_MAX: i64 = 3;
/// An unsafe run whose worker was lost waits so long for a person, then ends failed (`orphaned`).
pub const ORPHANED_AFTER: Duration = Duration::from_mins(10);
/// News of new work travels at once within a process; work that another process queued is found by looking, on SQLite
/// and Postgres alike: a call over the line would need this look beside it anyhow.
pub const POLL: Duration = Duration::from_secs(1);
/// Between two looks at the schedules and at lapsed leases.
pub const TIMER: Duration = Duration::from_secs(1);
/// What a stopping worker gives to the step in hand.
pub const GRACE: Duration = Duration::from_secs(5);
/// Between two looks at whether a run that is done here was cancelled elsewhere.
pub const WATCH: Duration = Duration::from_secs(1);
/// What a cancelled step gets to end by itself, before it is left where it stands.
pub const STEP_CANCEL_GRACE: Duration = Duration::from_secs(5);
/// The same for work outside of its steps.
pub const CANCEL_GRACE: Duration = Duration::from_secs(10);
/// A request to end a run that its worker has not followed for so long may be enforced.
pub const CANCEL_IGNORED: Duration = Duration::from_mins(1);
/// Between two attempts of a write that failed.
pub const WRITE_AGAIN: Duration = Duration::from_millis(100);
/// Runs that one claim looks at while their limits are taken.
pub const CLAIM_TRIES: usize = 64;

/// A run's progress is written, and redraws its open pages, no more often than that.
pub const PROGRESS: Duration = Duration::from_secs(1);

/// Characters of a step's detail.
pub const DETAIL_MAX: usize = 2_000;
/// Characters of a log line.
pub const LOG_LINE_MAX: usize = 4_000;
/// Between two pieces of news that a run's log has grown: each costs every open page of the run a question.
pub const LOG_NEWS: Duration = Duration::from_secs(1);
/// Lines of a run's log.
pub const LOG_LINES_MAX: i64 = 2_000;

/// As the store counts.
pub const fn micros(duration: Duration) -> i64 {
    // Every interval above is minutes at most.
    #[expect(clippy::cast_possible_truncation, reason = "minutes fit")]
    let micros = duration.as_micros() as i64;
    micros
}

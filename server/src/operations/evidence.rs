//! Why one run does not move, with what that is read from and what happens next by itself. Only for runs that the
//! one rule calls stuck; must not judge by itself.

use app::operations::stuck::{Evidence, Next, Stuck, StuckClass};

use super::{
    Base,
    spec::RetrySafety,
    store::{Standing, presence},
    stuck::Judge,
    timing,
};
use crate::store::StoreError;

pub(super) async fn gather(
    base: &Base,
    judge: &Judge,
    standing: &Standing,
) -> Result<Option<Evidence>, StoreError> {
    let Some(stuck) = judge.verdict(standing) else { return Ok(None) };
    let run = &standing.run;
    let waits_for = match stuck.class {
        StuckClass::QueuedTooLong => {
            presence::slot_holders(&base.db, &run.kind, run.target.as_deref()).await?
        }
        _ => Vec::new(),
    };
    let losses = presence::losses(&base.db, run.id).await?;
    let lease = standing.lease.as_ref();
    let by_budget = matches!(stuck.class, StuckClass::QueuedTooLong | StuckClass::OverBudget);
    Ok(Some(Evidence {
        next: next(base, standing, &stuck, losses),
        stuck,
        budget: judge.budget(&run.kind).copied().filter(|_| by_budget),
        queue: run.queue.clone(),
        queue_served: judge.is_served(&run.queue),
        worker: lease.map(|lease| lease.owner.clone()),
        last_heartbeat_at: lease.and_then(|lease| lease.heartbeat_at),
        lease_expires_at: lease.map(|lease| lease.expires_at),
        waits_for,
    }))
}

fn next(base: &Base, standing: &Standing, stuck: &Stuck, losses: i64) -> Next {
    let expires = standing.lease.as_ref().map(|lease| lease.expires_at);
    match stuck.class {
        StuckClass::NoWorker => Next::WaitsForWorker,
        StuckClass::QueuedTooLong => Next::WaitsForTurn,
        StuckClass::OverBudget | StuckClass::CancelIgnored => Next::GoesOn,
        StuckClass::NeverHeartbeat | StuckClass::HeartbeatLost => {
            if standing.cancel_requested_at.is_some() {
                return Next::EndsCancelled { at: expires };
            }
            let entry = base.catalog.find(&standing.run.kind);
            match entry.map(|entry| entry.spec.retry_safety) {
                Some(RetrySafety::Unsafe(_)) => {
                    let from = expires.unwrap_or(stuck.since);
                    Next::Orphaned { at: from.plus(timing::micros(timing::ORPHANED_AFTER)) }
                }
                Some(_) => Next::TakenUp { at: expires, losses, losses_max: timing::LOSSES_MAX },
                // Nobody may judge a type that nobody knows.
                None => Next::GoesOn,
            }
        }
    }
}

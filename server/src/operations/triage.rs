//! Triage: a failed run tried again, a run ended, a mark that somebody looked into one.
//!
//! Each asks for the right to triage and for the type's own; each writes its audit row with the change; each leaves
//! a run alone that is no longer as it was seen. Must not do the work of a run.

use app::{
    error::{ApiError, Conflict, Thing},
    identity::{Caller, Reach, permit, refuse},
    operations::{
        Manage, View,
        model::{OperationRun, Outcome, Started, Status},
        triage::{
            CancelOperation, Cancelled, InvestigateOperation, RetryOperation, Seen, Triage,
            Triages, read_reason,
        },
    },
    time::Micros,
};
use async_trait::async_trait;

use super::{
    Base, OperationsService,
    spec::{Entry, RetrySafety, Retryable},
    store::{
        self, NewRun, refused,
        triage::{self as held, Requested, Subject},
    },
    timing,
};
use crate::{journal::AuditRow, store::Tx};

const RETRY: &str = "platform.system_console.retry";
const CANCEL: &str = "platform.system_console.cancel";
const END_ANYWAY: &str = "platform.system_console.end_anyway";
const INVESTIGATE: &str = "platform.system_console.mark_investigated";

#[async_trait]
impl Triages for OperationsService {
    async fn retry(
        &self,
        caller: &Caller,
        id: i64,
        request: RetryOperation,
    ) -> Result<Started, ApiError> {
        let base = &self.base;
        let run = decide(base, caller, id).await?;
        let entry = retryable(base, &run)?;
        let why = match (entry.spec.retry_safety, &request.reason) {
            (RetrySafety::Unsafe(_), reason) => {
                Some(read_reason(reason.as_deref().unwrap_or_default())?)
            }
            (_, Some(reason)) => Some(read_reason(reason)?),
            (_, None) => None,
        };
        if let Some(newest) = held::newest_retry(&base.db, &run).await.map_err(refused)? {
            return Err(ApiError::Conflict(Conflict::Retried(newest)));
        }
        let (child, created) = queue_again(base, caller, entry, &run, why).await?;
        if created {
            base.wake.notify_one();
        }
        Ok(Started { run: super::find(base, &Reach::Everything, child).await?, created })
    }

    async fn cancel(
        &self,
        caller: &Caller,
        id: i64,
        request: CancelOperation,
    ) -> Result<Cancelled, ApiError> {
        let base = &self.base;
        let run = decide(base, caller, id).await?;
        let expected = expect(&run, request.expected)?;
        if run.seen.status == Status::Completed {
            return Err(ApiError::Conflict(Conflict::Ended));
        }
        if base.catalog.find(&run.kind).is_some_and(|entry| !entry.spec.cancelable) {
            return Err(ApiError::Conflict(Conflict::NotCancelable));
        }
        let queued = expected.status == Status::Queued;
        if !queued && run.cancel_requested_at.is_some() {
            return Ok(Cancelled::Asked);
        }
        let mut tx = base.db.begin().await.map_err(refused)?;
        let now = tx.now().await.map_err(refused)?;
        let requested = if queued {
            let ended = held::cancel_queued(&mut tx, &run, caller, now).await.map_err(refused)?;
            if ended { Requested::Ended } else { Requested::Moved }
        } else {
            held::cancel_running(&mut tx, &run, caller, now).await.map_err(refused)?
        };
        if requested == Requested::Moved {
            return Err(ApiError::Conflict(Conflict::Moved));
        }
        let row = audit(base, caller, CANCEL, &run).detail("status", run.seen.status.as_str());
        commit(tx, row).await?;
        if requested == Requested::Ended {
            return Ok(Cancelled::Ended);
        }
        base.cancels.notify_waiters();
        Ok(Cancelled::Asked)
    }

    async fn end_anyway(
        &self,
        caller: &Caller,
        id: i64,
        request: CancelOperation,
    ) -> Result<(), ApiError> {
        let base = &self.base;
        let run = decide(base, caller, id).await?;
        expect(&run, request.expected)?;
        if run.seen.status == Status::Completed {
            return Err(ApiError::Conflict(Conflict::Ended));
        }
        let mut tx = base.db.begin().await.map_err(refused)?;
        let now = tx.now().await.map_err(refused)?;
        if !held::end_anyway(&mut tx, &run, now).await.map_err(refused)? {
            return Err(ApiError::Conflict(Conflict::NotIgnored));
        }
        commit(tx, audit(base, caller, END_ANYWAY, &run)).await?;
        // Its worker, if it is here, learns that the run is no longer its own.
        base.cancels.notify_waiters();
        base.wake.notify_one();
        Ok(())
    }

    async fn investigate(
        &self,
        caller: &Caller,
        id: i64,
        request: InvestigateOperation,
    ) -> Result<(), ApiError> {
        let base = &self.base;
        let reason = read_reason(&request.reason)?;
        let run = decide(base, caller, id).await?;
        expect(&run, request.expected)?;
        let mut tx = base.db.begin().await.map_err(refused)?;
        let now = tx.now().await.map_err(refused)?;
        if !held::investigate(&mut tx, &run, caller, &reason, now).await.map_err(refused)? {
            return Err(ApiError::Conflict(Conflict::Moved));
        }
        commit(tx, audit(base, caller, INVESTIGATE, &run).reason(reason)).await
    }
}

async fn commit(tx: Tx, row: AuditRow) -> Result<(), ApiError> {
    tx.commit(vec![row]).await.map_err(refused)
}

/// The run, if this caller may decide about it: one that they may not see is not there, one that they may only see is
/// refused.
async fn decide(base: &Base, caller: &Caller, id: i64) -> Result<Subject, ApiError> {
    let sees = permit::<View>(caller).await?;
    let decides = permit::<Manage>(caller).await?;
    let found = held::subject(&base.db, id).await.map_err(refused)?;
    let run = found
        .filter(|run| sees.reach().includes(run.workspace_id))
        .ok_or(ApiError::NotFound(Thing::Operation))?;
    if !decides.reach().includes(run.workspace_id) {
        return Err(refuse(caller, app::identity::Capability::OperationsManage).await);
    }
    if let Some(entry) = base.catalog.find(&run.kind) {
        let capability = entry.spec.capability;
        if !caller.reach(capability).is_some_and(|reach| reach.includes(run.workspace_id)) {
            return Err(refuse(caller, capability).await);
        }
    }
    Ok(run)
}

/// What the decision was about, if the run still stands so.
fn expect(run: &Subject, expected: Option<Seen>) -> Result<Seen, ApiError> {
    match expected {
        Some(expected) if expected != run.seen => {
            Err(ApiError::Conflict(if run.seen.status == Status::Completed {
                Conflict::Ended
            } else {
                Conflict::Moved
            }))
        }
        _ => Ok(run.seen),
    }
}

/// Its type, if such a run may be tried again.
fn retryable<'a>(base: &'a Base, run: &Subject) -> Result<&'a Entry, ApiError> {
    let conflict = |conflict| Err(ApiError::Conflict(conflict));
    if (run.seen.status, run.seen.outcome) != (Status::Completed, Outcome::Failed) {
        return conflict(Conflict::NotFailed);
    }
    let Some(entry) = base.catalog.find(&run.kind) else {
        return conflict(Conflict::NotRetryable);
    };
    if entry.spec.retryable != Retryable::Yes {
        return conflict(Conflict::NotRetryable);
    }
    // A release may have changed what the type takes.
    if entry.check(&run.input).is_err() {
        return conflict(Conflict::InputOutdated);
    }
    Ok(entry)
}

/// One transaction: the new run, its news, its audit row. Of two at once the second finds the first one's.
async fn queue_again(
    base: &Base,
    caller: &Caller,
    entry: &Entry,
    run: &Subject,
    why: Option<String>,
) -> Result<(i64, bool), ApiError> {
    let mut tx = base.db.begin().await.map_err(refused)?;
    let now = tx.now().await.map_err(refused)?;
    let spec = &entry.spec;
    let new = NewRun {
        workspace_id: run.workspace_id,
        tenant_id: run.tenant_id,
        kind: spec.kind,
        queue: spec.queue,
        input_version: spec.input_version,
        initiator_kind: caller.kind.as_str(),
        initiator_id: Some(&caller.id),
        initiator_name: Some(&caller.name),
        target: run.target.as_deref(),
        target_label: run.target_label.as_deref(),
        priority: run.priority,
        input: &run.input,
        scheduled_at: now,
        created_at: now,
        key: None,
        parent: Some(run.as_parent()),
    };
    let Some(child) = store::insert(&mut tx, &new).await.map_err(refused)? else {
        let child = held::child(&mut tx, run.id).await.map_err(refused)?;
        return child.map(|id| (id, false)).ok_or(ApiError::Conflict(Conflict::Changed));
    };
    let row = audit(base, caller, RETRY, run).detail("retry_run_id", child);
    let row = match why {
        Some(why) => row.reason(why),
        None => row,
    };
    commit(tx, row).await?;
    Ok((child, true))
}

fn audit(base: &Base, caller: &Caller, action: &'static str, run: &Subject) -> AuditRow {
    AuditRow::allowed(caller, action)
        .target("operation", run.id, base.catalog.label(&run.kind))
        .workspace(run.workspace_id)
        .capability(app::identity::Capability::OperationsManage)
        .correlated(format!("operation-{}", run.id))
        .detail("type", run.kind.as_str())
        .detail("attempt", run.seen.attempt)
}

/// What may be offered for a run, to this caller.
pub(super) fn offers(
    base: &Base,
    caller: &Caller,
    run: &OperationRun,
    cancel_requested_at: Option<Micros>,
    newest_retry: Option<i64>,
    now: Micros,
) -> Triage {
    let entry = base.catalog.find(&run.kind);
    let needed =
        [Some(app::identity::Capability::OperationsManage), entry.map(|e| e.spec.capability)];
    let held =
        |capability| caller.reach(capability).is_some_and(|reach| reach.includes(run.workspace_id));
    let lacking = needed.into_iter().flatten().find(|capability| !held(*capability));
    let failed = (run.status, run.outcome) == (Status::Completed, Outcome::Failed);
    let refusal = failed.then(|| retry_refusal(entry, &run.input, newest_retry)).flatten();
    let active = run.status != Status::Completed;
    let asked = cancel_requested_at.filter(|_| run.status == Status::Running);
    let patience = timing::micros(timing::CANCEL_IGNORED);
    Triage {
        retry: failed && refusal.is_none(),
        retry_refused: refusal,
        retry_safety: entry.map(|entry| entry.spec.retry_safety.spoken()),
        cancel: active && asked.is_none() && entry.is_none_or(|entry| entry.spec.cancelable),
        end_anyway: asked.is_some_and(|at| now.since(at) >= patience),
        lacking,
    }
}

fn retry_refusal(
    entry: Option<&Entry>,
    input: &serde_json::Value,
    newest_retry: Option<i64>,
) -> Option<String> {
    let Some(entry) = entry else {
        return Some("This console no longer knows operations of this type.".to_owned());
    };
    if let Retryable::No(why) = entry.spec.retryable {
        return Some(why.to_owned());
    }
    if let Some(newest) = newest_retry {
        return Some(Conflict::Retried(newest).sentence());
    }
    entry.check(input).is_err().then(|| Conflict::InputOutdated.sentence())
}

//! A worker: takes a run, does it, writes how it ended. One run at a time; a console has several workers.
//!
//! ```text
//! wake ─┐
//! poll ─┴► claim ─► work ──────────► finish (fenced by the lease's token)
//!                    │ heartbeat 10 s   └ lost the lease: writes nothing
//!                    │ panic ─► failed
//!                    └ stop ─► after the step in hand, or the grace: back into the queue
//! ```

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use app::operations::model::Outcome;
use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;

use super::{
    Base,
    failure::{Failure, fingerprint, summary},
    run::{self, Opening, Run},
    spec::{Entry, Spec},
    store::{
        claim::{self, Claim, Claimant, Claimed},
        work::{self, Ending, Failed, Watch},
    },
    timing,
};
use crate::{journal::AuditRow, store::StoreError, tasks};

pub struct Worker {
    base: Base,
    /// `host:process:number`, shown to people.
    name: String,
    queues: Vec<String>,
}

/// How the work on a run came to its end, before anything is written about it.
enum End {
    Returned(Result<(), Failure>),
    Panicked(String),
    /// Another worker holds the run, or may.
    Lost,
    /// The grace is over.
    Stopped,
    /// A person wanted its end, and the work did not come to it by itself.
    CutShort,
}

impl Worker {
    pub(super) fn new(base: Base, name: String, queues: Vec<String>) -> Self {
        Self { base, name, queues }
    }

    /// Works until told to stop. A store that does not answer is asked again; nothing is given up.
    pub async fn run(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tasks::beat();
            let idle = match self.work_one(&stop).await {
                Ok(worked) => !worked,
                Err(error) => {
                    tracing::warn!(worker = self.name, %error, "No run could be claimed; trying again.");
                    true
                }
            };
            if idle {
                let pause = self.base.rng.jitter(timing::POLL, 0.2);
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.base.wake.notified() => {}
                    () = self.base.clock.sleep(pause) => {}
                }
            }
        }
    }

    /// Takes one run and does it to its end. False when there was none to take.
    pub async fn work_one(&self, stop: &CancellationToken) -> Result<bool, StoreError> {
        let Some(claimed) = self.claim().await? else { return Ok(false) };
        self.work(claimed, stop).await;
        Ok(true)
    }

    /// Takes the most urgent run whose limits leave room.
    pub async fn claim(&self) -> Result<Option<Claimed>, StoreError> {
        let db = &self.base.db;
        if !claim::has_due(db, &self.queues, db.now().await?).await? {
            return Ok(None);
        }
        let mut full = Vec::new();
        for _ in 0..timing::CLAIM_TRIES {
            let claimant = Claimant {
                owner: &self.name,
                token: self.base.rng.uuid(),
                queues: &self.queues,
                catalog: &self.base.catalog,
                full: &full,
            };
            match claim::claim(db, claimant).await? {
                Claim::Taken(claimed) => {
                    self.base.measures.claimed(&claimed);
                    return Ok(Some(*claimed));
                }
                Claim::Empty => return Ok(None),
                Claim::Blocked(limit) => full.push(limit),
            }
        }
        Ok(None)
    }

    /// Does a run that was claimed, and writes how it ended.
    pub async fn work(&self, claimed: Claimed, stop: &CancellationToken) {
        let Some(entry) = self.base.catalog.find(&claimed.facts.kind).cloned() else { return };
        let began = self.base.clock.monotonic();
        let run = self.open(&claimed, &entry.spec, stop);
        let end = if claimed.input_version == entry.spec.input_version {
            self.drive(&run, &entry, claimed.input, stop).await
        } else {
            End::Returned(Err(Failure::new(
                "input_version",
                format!(
                    "It was queued with version {} of its input, and this console knows version {}.",
                    claimed.input_version, entry.spec.input_version
                ),
            )))
        };
        let took = self.base.clock.monotonic().saturating_sub(began);
        if let Err(error) = self.write_down(&run, &entry.spec, end, took).await {
            tracing::error!(run.id = run.facts().id, %error, "How a run ended could not be written; its lease will lapse.");
        }
        self.base.wake.notify_one();
    }

    fn open(&self, claimed: &Claimed, spec: &Spec, stop: &CancellationToken) -> Run {
        Run::open(Opening {
            facts: claimed.facts.clone(),
            lease: claimed.lease.clone(),
            confirmed_at: claimed.asked_at,
            db: self.base.db.clone(),
            clock: self.base.clock.clone(),
            stopping: stop.clone(),
            yields: spec.retry_safety.releases_itself(),
            earlier: claimed.steps.clone(),
            lines: claimed.lines,
            hidden: run::hidden(&claimed.input, spec.secrets),
        })
    }

    /// The work itself, beside its heartbeat. Whatever ends first drops the other: a dropped future does
    /// nothing more after the await that it stands at.
    async fn drive(
        &self,
        run: &Run,
        entry: &Entry,
        input: serde_json::Value,
        stop: &CancellationToken,
    ) -> End {
        let clock = &self.base.clock;
        // A claim whose answer came late is half over already.
        if run.unconfirmed_for() >= timing::HEARTBEAT && run.beat().await.is_err() {
            return End::Lost;
        }
        let work = AssertUnwindSafe(async { entry.work(run.clone(), input).await }).catch_unwind();
        let heartbeat = async {
            loop {
                clock.sleep(timing::HEARTBEAT).await;
                if let Err(failure) = run.beat().await {
                    return failure;
                }
            }
        };
        let grace = async {
            stop.cancelled().await;
            clock.sleep(timing::GRACE).await;
        };
        let cut_short = async {
            run.cancellation().cancelled().await;
            clock.sleep(timing::CANCEL_GRACE).await;
        };
        tokio::select! {
            biased;
            // Before the work: a process that stood still must not go on with it first.
            () = run.silence() => End::Lost,
            ended = work => match ended {
                Ok(result) => End::Returned(result),
                Err(panic) => End::Panicked(words(panic.as_ref())),
            },
            () = run.lost().cancelled() => End::Lost,
            failure = heartbeat => {
                tracing::warn!(run.id = run.facts().id, %failure, "A run's heartbeat ended.");
                End::Lost
            }
            never = run.tell_of_lines() => match never {},
            () = self.watch(run) => End::Lost,
            () = cut_short => End::CutShort,
            () = grace => End::Stopped,
        }
    }

    /// Hears of a cancellation sooner than the heartbeat: at once when it was asked for in this process, within a
    /// second otherwise. Ends when the run is no longer this worker's.
    async fn watch(&self, run: &Run) {
        loop {
            tokio::select! {
                () = self.base.cancels.notified() => {}
                () = self.base.clock.sleep(timing::WATCH) => {}
            }
            match work::watch(&self.base.db, run.lease()).await {
                Ok(Watch::GoOn) => {}
                Ok(Watch::Cancel) => run.cancellation().cancel(),
                Ok(Watch::Lost) => return run.lost().cancel(),
                // The heartbeat decides how long nobody may know.
                Err(error) => {
                    tracing::debug!(run.id = run.facts().id, %error, "A run could not be looked at.");
                }
            }
        }
    }

    async fn write_down(
        &self,
        run: &Run,
        spec: &Spec,
        end: End,
        took: Duration,
    ) -> Result<(), Failure> {
        let facts = run.facts();
        if run.lost().is_cancelled() || matches!(end, End::Lost) {
            tracing::warn!(
                run.id = facts.id,
                worker = self.name,
                "Lost the lease of a run; its work was stopped."
            );
            return Ok(());
        }
        let yields = spec.retry_safety.releases_itself();
        let cancelled = run.cancellation().is_cancelled();
        let failure = match end {
            _ if run.has_yielded() => return self.give_back(run).await,
            End::Stopped if yields => return self.give_back(run).await,
            End::Stopped => Some(Failure::new(
                "stopped",
                "The console was stopped in the middle of it, and it must not go on by itself.",
            )),
            End::Panicked(words) => Some(Failure::new("panicked", format!("It panicked: {words}"))),
            End::Returned(Err(failure)) => Some(failure),
            End::CutShort => Some(Failure::cancelled()),
            End::Returned(Ok(())) | End::Lost => None,
        };
        let failed = failure.as_ref().map(|failure| {
            let message = run.presentable(failure.message(), timing::LOG_LINE_MAX);
            Failed {
                code: failure.code().to_owned(),
                fingerprint: fingerprint(spec.kind, failure.code(), &message),
                summary: summary(&message),
            }
        });
        let audit = self.finish_audit(run, spec, failed.as_ref(), took);
        let outcome = if failed.is_some() { Outcome::Failed } else { Outcome::Succeeded };
        let ending = match failed {
            None => Ending::Succeeded,
            // What it says on its way out is about the cancellation, not about a fault.
            Some(_) if cancelled => Ending::Cancelled,
            Some(failed) => Ending::Failed(failed),
        };
        run.write(|| work::finish(&self.base.db, run.lease(), &ending, audit.clone()).boxed())
            .await?;
        self.base.measures.ended(spec.kind, outcome, took);
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            run.id = facts.id,
            run.kind = spec.kind,
            outcome = outcome.as_str(),
            duration_ms,
            "A run ended."
        );
        Ok(())
    }

    async fn give_back(&self, run: &Run) -> Result<(), Failure> {
        run.write(|| work::release(&self.base.db, run.lease()).boxed()).await?;
        tracing::info!(
            run.id = run.facts().id,
            "A run went back into the queue: this worker stops."
        );
        Ok(())
    }

    fn finish_audit(
        &self,
        run: &Run,
        spec: &Spec,
        failed: Option<&Failed>,
        took: Duration,
    ) -> AuditRow {
        const ACTION: &str = "platform.operations.finish";
        let facts = run.facts();
        let row = match failed {
            None => AuditRow::allowed(&self.base.system, ACTION),
            Some(failed) => AuditRow::failed(&self.base.system, ACTION, failed.summary.as_str()),
        };
        let initiator = &facts.initiator;
        row.target("operation", facts.id, spec.label)
            .workspace(facts.workspace_id)
            .correlated(format!("operation-{}", facts.id))
            .on_behalf_of(format!("{}:{}", initiator.kind, initiator.id.as_deref().unwrap_or("-")))
            .detail("type", spec.kind)
            .detail("attempt", facts.attempt)
            .detail("duration_ms", u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no reason given").to_owned()
}

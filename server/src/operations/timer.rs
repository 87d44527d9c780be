//! What happens on a clock: schedules that start runs, and runs whose worker is gone.
//!
//! Every replica runs this; the store decides which of them does a thing. Must not run any work itself.

use app::{identity::Caller, time::Micros};
use tokio_util::sync::CancellationToken;

use super::{
    Base,
    failure::fingerprint,
    spec::{Entry, RetrySafety, Spec},
    store::{
        self,
        lapse::{self, Lapsed},
        schedules,
        work::{Ending, Failed},
    },
    timing,
};
use crate::{
    journal::AuditRow,
    store::{Dialect, StoreError},
    tasks,
};

pub use super::schedule::Schedule;

/// The workspace that owns what the console does for itself.
const PLATFORM: i64 = 1;

/// The task that keeps time for all types.
pub struct Timer {
    base: Base,
}

impl Timer {
    pub(super) fn new(base: Base) -> Self {
        Self { base }
    }

    /// Looks at the clock until told to stop. A store that does not answer is asked again.
    pub async fn run(&self, stop: CancellationToken) {
        let mut inherited = false;
        while !stop.is_cancelled() {
            tasks::beat();
            let looked = async {
                if !inherited {
                    self.inherit().await?;
                    inherited = true;
                }
                self.tick().await
            };
            if let Err(error) = looked.await {
                tracing::warn!(%error, "Schedules and lost workers could not be looked at; trying again.");
            }
            let pause = self.base.rng.jitter(timing::TIMER, 0.2);
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.base.clock.sleep(pause) => {}
            }
        }
    }

    /// On SQLite one process holds the file: whoever held a lease before this one began is gone, and its runs
    /// need not wait for the lease to lapse.
    pub async fn inherit(&self) -> Result<(), StoreError> {
        if self.base.db.dialect() == Dialect::Postgres {
            return Ok(());
        }
        let voided = lapse::void_leases(&self.base.db, self.base.began_at).await?;
        if voided > 0 {
            tracing::warn!(
                runs = voided,
                "The last process ended in the middle of runs; they are taken up again."
            );
        }
        Ok(())
    }

    /// Looks once.
    pub async fn tick(&self) -> Result<(), StoreError> {
        self.take_back().await?;
        for schedule in self.base.schedules.iter() {
            self.fire(schedule).await?;
        }
        Ok(())
    }

    /// Starts a scheduled run if its tick has come. However many ticks were missed, one run makes up for
    /// them; while the last one has not ended, no other is started.
    async fn fire(&self, schedule: &Schedule) -> Result<(), StoreError> {
        let db = &self.base.db;
        let now = db.now().await?;
        let Some(due) = schedules::next_at(db, schedule.name).await? else {
            let Some(next) = schedule.next_after(now) else { return Ok(()) };
            return schedules::ensure(db, schedule.name, next).await;
        };
        if due > now {
            return self.pull_in(schedule, due, now).await;
        }
        let (Some(entry), Some(next)) =
            (self.base.catalog.find(schedule.kind), schedule.next_after(now))
        else {
            return Ok(());
        };
        let mut tx = db.begin().await?;
        if !schedules::advance(&mut tx, schedule.name, due, next).await? {
            return Ok(());
        }
        if schedules::is_active(&mut tx, schedule.name).await? {
            tracing::info!(
                schedule = schedule.name,
                "The last scheduled run has not ended; this tick is left out."
            );
            return tx.commit(Vec::new()).await;
        }
        let started_at = tx.now().await?;
        let new = scheduled(schedule, entry, started_at);
        let Some(id) = store::insert(&mut tx, &new).await? else { return Ok(()) };
        schedules::started(&mut tx, schedule.name, id).await?;
        let audit = start_audit(&self.base.system, &entry.spec, id, PLATFORM)
            .detail("schedule", schedule.name);
        tx.commit(vec![audit]).await?;
        self.base.wake.notify_one();
        Ok(())
    }

    /// The expression may have become denser with a new release, or the clock may have jumped back: the next
    /// tick is never further away than two of the expression's. Not one: a replica whose look at the clock is
    /// a moment old would undo the tick that another just did.
    async fn pull_in(
        &self,
        schedule: &Schedule,
        due: Micros,
        now: Micros,
    ) -> Result<(), StoreError> {
        let Some(next) = schedule.next_after(now) else { return Ok(()) };
        if schedule.next_after(next).is_none_or(|second| due <= second) {
            return Ok(());
        }
        let mut tx = self.base.db.begin().await?;
        schedules::advance(&mut tx, schedule.name, due, next).await?;
        tx.commit(Vec::new()).await
    }

    /// Takes back every run whose lease ran out: into the queue again, or to its end.
    async fn take_back(&self) -> Result<(), StoreError> {
        let db = &self.base.db;
        if !lapse::has_lapsed(db, db.now().await?).await? {
            return Ok(());
        }
        let mut tx = db.begin().await?;
        let now = tx.now().await?;
        lapse::pull_in(&mut tx, now).await?;
        tx.commit(Vec::new()).await?;
        let mut after = 0;
        loop {
            let mut tx = db.begin().await?;
            let now = tx.now().await?;
            let Some(lapsed) = lapse::next_lapsed(&mut tx, db.dialect(), now, after).await? else {
                return Ok(());
            };
            after = lapsed.run_id;
            let mut buried = None;
            let audit = match self.verdict(&lapsed, now) {
                Verdict::Wait => continue,
                Verdict::Again => {
                    lapse::lose(&mut tx, &lapsed).await?;
                    self.lost_audit(&lapsed, "the run goes back into the queue")
                }
                Verdict::End(ending) => {
                    let reason = match &ending {
                        Ending::Failed(failed) => failed.summary.clone(),
                        _ => "the run ends, as a person had asked".to_owned(),
                    };
                    lapse::bury(&mut tx, &lapsed, &ending, now).await?;
                    buried = self.base.catalog.find(&lapsed.kind).map(|entry| entry.spec.kind);
                    self.lost_audit(&lapsed, &reason)
                }
            };
            tx.commit(vec![audit]).await?;
            self.base.measures.lost();
            if let Some(kind) = buried {
                self.base.measures.buried(kind);
            }
            tracing::warn!(
                run.id = lapsed.run_id,
                worker = lapsed.owner,
                losses = lapsed.losses + 1,
                "A worker was lost."
            );
            self.base.wake.notify_one();
        }
    }

    fn verdict(&self, lapsed: &Lapsed, now: Micros) -> Verdict {
        let Some(entry) = self.base.catalog.find(&lapsed.kind) else { return Verdict::Wait };
        if lapsed.cancelled {
            return Verdict::End(Ending::Cancelled);
        }
        match entry.spec.retry_safety {
            RetrySafety::Safe | RetrySafety::Resumable
                if lapsed.losses + 1 < timing::LOSSES_MAX =>
            {
                Verdict::Again
            }
            RetrySafety::Safe | RetrySafety::Resumable => {
                let summary = format!("Its worker was lost {} times.", timing::LOSSES_MAX);
                Verdict::End(failed(&lapsed.kind, "lost_worker", summary))
            }
            RetrySafety::Unsafe(_)
                if now.since(lapsed.expired_at) < timing::micros(timing::ORPHANED_AFTER) =>
            {
                Verdict::Wait
            }
            RetrySafety::Unsafe(why) => {
                let summary =
                    format!("Its worker was lost, and it must not run again by itself: {why}");
                Verdict::End(failed(&lapsed.kind, "orphaned", summary))
            }
        }
    }

    fn lost_audit(&self, lapsed: &Lapsed, reason: &str) -> AuditRow {
        AuditRow::failed(&self.base.system, "platform.operations.lost_worker", reason)
            .target("operation", lapsed.run_id, self.base.catalog.label(&lapsed.kind))
            .workspace(lapsed.workspace_id)
            .correlated(format!("operation-{}", lapsed.run_id))
            .detail("worker", lapsed.owner.as_str())
    }
}

enum Verdict {
    Wait,
    Again,
    End(Ending),
}

fn failed(kind: &str, code: &str, summary: String) -> Ending {
    let fingerprint = fingerprint(kind, code, &summary);
    Ending::Failed(Failed { code: code.to_owned(), fingerprint, summary })
}

fn scheduled<'a>(schedule: &'a Schedule, entry: &'a Entry, now: Micros) -> store::NewRun<'a> {
    store::NewRun {
        workspace_id: PLATFORM,
        tenant_id: None,
        kind: schedule.kind,
        queue: entry.spec.queue,
        input_version: entry.spec.input_version,
        initiator_kind: "schedule",
        initiator_id: Some(schedule.name),
        initiator_name: Some("Schedule"),
        target: None,
        target_label: None,
        priority: 0,
        input: &schedule.input,
        scheduled_at: now,
        created_at: now,
        key: None,
        parent: None,
    }
}

/// What the start of a run writes into the audit chain.
pub(super) fn start_audit(caller: &Caller, spec: &Spec, id: i64, workspace_id: i64) -> AuditRow {
    AuditRow::allowed(caller, "platform.operations.start")
        .target("operation", id, spec.label)
        .workspace(workspace_id)
        .capability(spec.capability)
        .correlated(format!("operation-{id}"))
        .detail("type", spec.kind)
}

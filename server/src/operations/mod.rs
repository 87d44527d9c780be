//! Operation runs: the queue, the workers, the schedules, and what people read about them.
//!
//! Owns the run engine and the service behind `/system/ops/*` and `/api/v1/operations`. Knows no type of
//! operation but its own ([`operations`]); other domains bring theirs to the [`spec::Catalog`] in `console`.
//! Must not reach a cluster or any upstream by itself, except for the one probe of the self-check.
//!
//! ```text
//!  POST, form, schedule                    worker                               reader
//!  start ─► check ─► Tx { run, news, ──► claim: Tx { slots, lease, status }     list: ids by index or slices
//!                         audit row }      │ step: Tx { lease confirmed, step }       rows by id, names joined
//!                                          │ …                                  get: run, steps
//!                                          └ finish: Tx { lease confirmed, result, news, audit row }
//!  timer: ticks ─► start;  lapsed leases ─► queue again, or failed (lost_worker, orphaned)
//! ```
//!
//! A type is one file: a [`spec::Spec`], an input, an async function over both; see
//! [`operations::self_check`]. The function gets a [`run::Run`]: who asked, steps, log, cancellation.
//!
//! # Why our own engine (2026-11-21)
//!
//! What a run needs (DESIGN §7): one SQL on SQLite and Postgres; a fencing token per lease; steps as
//! checkpoints; lineage and idempotency keys; concurrency slots per type and target; stuck classes; and
//! the audit row and the news in the very transaction that changes the run. What there is:
//!
//! | crate | engines | what it gives | what is missing for us |
//! |---|---|---|---|
//! | apalis 1.0-rc (apalis-sqlite, -postgres) | both, a crate and a SQL text for each | tower services, heartbeat per worker, orphans re-enqueued | acknowledges by `lock_by` = the worker's *name*: one that restarts under its name, or wakes late, writes over its successor; a lost run is re-queued only while its worker's row stands; no steps; acknowledges on its own pool, so never in our transaction; open report of queues on SQLite that stop (apalis-sqlite 58) |
//! | underway 0.2 | Postgres | steps, schedules, enqueue within a transaction | no SQLite; a step's output is the next one's input, not a record that people read |
//! | sqlxmq 0.6 | Postgres (stored procedures) | checkpoints, ordered channels | no SQLite; no lease that somebody can see |
//! | pgmq 0.33 | Postgres | visibility timeout | a queue of messages: no runs, no steps, no lineage |
//! | graphile_worker 0.13 | Postgres | priorities, cron, recovery of dead workers | no SQLite; its own schema and statuses; rows go when done |
//! | fang 0.11 | SQLite, Postgres, MySQL | cron, retries, unique tasks | no lease and no heartbeat: a task of a killed worker stays in progress |
//! | pgqrs 0.15 | SQLite, Postgres, Turso (a SQL text each) | workflows with steps that run once | its own pool and transactions; steps are guarded by status, not by a token; no slots, no workspace, no audit |
//! | durable-rust 0.7, runledger 0.10 | Postgres | checkpointed steps; leases, cron, DAGs | no SQLite |
//! | celery 0.5 (rusty-celery) | AMQP, Redis | Celery's protocol | a broker beside the database; the state lives elsewhere |
//!
//! Each of them would own the table that our lists, filters, triage and audit stand on, and each commits by
//! itself. What remains to write with any of them (fences, slots, stuck classes, the surfaces) is the larger
//! part; what they would save is the claim, which is one statement. Taken from them: `SKIP LOCKED` (all),
//! the step as the unit of recovery (underway, pgqrs), cancel by lease (sqlxmq), and the lesson of apalis:
//! fence by a token that is made anew for each claim, never by a name. Cron expressions are croner's.

mod evidence;
pub mod failure;
pub mod follow;
pub mod forms;
pub mod gauges;
mod lists;
pub mod measures;
mod open_work;
#[expect(clippy::module_inception, reason = "each domain has its types under `operations`")]
pub mod operations;
mod presence;
pub mod probe;
pub mod queue;
pub mod run;
pub mod runbook_forms;
mod runbooks;
mod saved_views;
pub mod schedule;
#[doc(hidden)]
pub mod seeding;
mod spawn;
pub mod spec;
mod start;
pub mod store;
mod stuck;
pub mod timer;
pub mod timing;
mod triage;
pub mod view_forms;
pub mod worker;

use std::sync::Arc;

use app::{
    error::{ApiError, Thing},
    identity::{Caller, Permit, Reach},
    operations::{
        Operations, View,
        model::{
            LastRun, OperationDetail, OperationRun, OperationType, Outcome, StartOperation,
            Started, Status,
        },
    },
    time::Micros,
};
use async_trait::async_trait;
use tokio::sync::Notify;

use self::{
    measures::Measures,
    queue::Queue,
    schedule::Schedule,
    spec::{Catalog, Entry},
    store::refused,
    timer::Timer,
    worker::Worker,
};
use crate::{
    clock::{Clock, Rng},
    store::{Db, StoreError},
};

/// What the engine and the service stand on. Cheap to clone.
#[derive(Clone)]
struct Base {
    db: Db,
    clock: Clock,
    rng: Rng,
    catalog: Arc<Catalog>,
    schedules: Arc<[Schedule]>,
    /// Rung when a run was queued here, or room was made for one.
    wake: Arc<Notify>,
    /// Rung when a cancellation was asked for here.
    cancels: Arc<Notify>,
    budgets: Arc<stuck::Budgets>,
    measures: Measures,
    /// The console itself: starts scheduled runs and writes how runs ended.
    system: Caller,
    /// When this process began, by the database's clock as far as SQLite has one.
    began_at: Micros,
}

/// The domain, ready to serve: implements [`Operations`], and makes the workers and the timer.
#[derive(Clone)]
pub struct OperationsService {
    base: Base,
}

impl OperationsService {
    pub fn new(
        db: Db,
        rng: Rng,
        catalog: Catalog,
        schedules: Vec<Schedule>,
        system: Caller,
    ) -> Self {
        let clock = db.clock().clone();
        let (catalog, schedules) = (Arc::new(catalog), schedules.into());
        let wake = Arc::new(Notify::new());
        let began_at = clock.now();
        let (budgets, cancels, measures) = (Arc::default(), Arc::default(), Measures::default());
        let base = Base {
            db,
            clock,
            rng,
            catalog,
            schedules,
            wake,
            cancels,
            budgets,
            measures,
            system,
            began_at,
        };
        Self { base }
    }

    /// Hears of what is put into this queue.
    #[must_use]
    pub fn hearing(mut self, queue: &Queue) -> Self {
        self.base.wake = Arc::clone(&queue.0);
        self
    }

    /// A worker for these queues; `name` is what people see of it.
    pub fn worker(&self, name: impl Into<String>, queues: &[&str]) -> Worker {
        let queues = queues.iter().map(|queue| (*queue).to_owned()).collect();
        Worker::new(self.base.clone(), name.into(), queues)
    }

    /// Every queue of the catalog.
    pub fn queues(&self) -> Vec<&'static str> {
        let mut queues: Vec<_> = self.base.catalog.iter().map(|entry| entry.spec.queue).collect();
        queues.sort_unstable();
        queues.dedup();
        queues
    }

    /// What keeps time: schedules, and leases that lapsed.
    pub fn timer(&self) -> Timer {
        Timer::new(self.base.clone())
    }

    /// What this process counts.
    pub fn measures(&self) -> &Measures {
        &self.base.measures
    }

    fn entry(&self, entry: &Entry, caller: &Caller, recent: &[(String, LastRun)]) -> OperationType {
        let spec = &entry.spec;
        let schedule = self.base.schedules.iter().find(|schedule| schedule.kind == spec.kind);
        let runs = recent.iter().filter(|(kind, _)| kind == spec.kind).map(|(_, run)| run);
        OperationType {
            kind: spec.kind.to_owned(),
            label: spec.label.to_owned(),
            summary: spec.summary.to_owned(),
            capability: spec.capability,
            startable: caller.may(spec.capability),
            runbook: spec.runbook.to_owned(),
            schedule: schedule.map(Schedule::label),
            last_run: runs.clone().next().cloned(),
            recent_runs: runs.filter(|run| run.status == Status::Completed).cloned().collect(),
        }
    }
}

/// One run within reach.
async fn find(base: &Base, reach: &Reach, id: i64) -> Result<OperationRun, ApiError> {
    let found = store::find(&base.db, &base.catalog, reach, id).await.map_err(refused)?;
    let found = stuck::judged(base, found.into_iter().collect()).await.map_err(refused)?;
    found.into_iter().next().ok_or(ApiError::NotFound(Thing::Operation))
}

/// A run with what its own page says beside.
async fn read_detail(
    base: &Base,
    permit: &Permit<View>,
    standing: store::Standing,
) -> Result<OperationDetail, StoreError> {
    let id = standing.run.id;
    let (steps, lineage, before) = tokio::try_join!(
        store::steps(&base.db, id),
        store::lineage::lineage(&base.db, permit.reach(), id, standing.run.superseded_by_run_id),
        store::since::find(&base.db, &base.catalog, &standing.run),
    )?;
    let judge = stuck::Judge::open(base, [standing.run.kind.as_str()]).await?;
    let stuck = evidence::gather(base, &judge, &standing).await?;
    let newest = match standing.run.outcome {
        Outcome::Failed => store::triage::newest_of(&base.db, id).await?,
        _ => None,
    };
    let asked = standing.cancel_requested_at;
    let triage = triage::offers(base, permit.caller(), &standing.run, asked, newest, judge.now);
    let stuck_class = stuck.as_ref().map(|evidence| evidence.stuck.class);
    let run = OperationRun { stuck_class, ..standing.run };
    let since_last_success = store::since::compare(&before, &run, &steps);
    Ok(OperationDetail { run, steps, lineage, since_last_success, stuck, triage })
}

#[async_trait]
impl Operations for OperationsService {
    async fn get(&self, permit: &Permit<View>, id: i64) -> Result<OperationDetail, ApiError> {
        let base = &self.base;
        let found =
            store::find(&base.db, &base.catalog, permit.reach(), id).await.map_err(refused)?;
        let standing = found.ok_or(ApiError::NotFound(Thing::Operation))?;
        Box::pin(read_detail(base, permit, standing)).await.map_err(refused)
    }

    async fn catalog(&self, permit: &Permit<View>) -> Result<Vec<OperationType>, ApiError> {
        let base = &self.base;
        let kinds: Vec<&'static str> = base.catalog.kinds().collect();
        let recent = store::recent_runs(&base.db, &kinds, permit.reach()).await.map_err(refused)?;
        let entries = base.catalog.iter();
        Ok(entries.map(|entry| self.entry(entry, permit.caller(), &recent)).collect())
    }

    async fn start(
        &self,
        caller: &Caller,
        request: StartOperation,
        idempotency_key: Option<&str>,
    ) -> Result<Started, ApiError> {
        start::start(&self.base, caller, &request, idempotency_key).await
    }
}

//! `system.prune`: removes what was kept for long enough (DECIDED 25). Resumable: what is gone is gone, and each step
//! goes on where the last one was cut off.
//!
//! Owns the order and the words; each domain keeps the SQL of its own things. A step works in batches, each a short
//! transaction, and looks between two of them whether it was cancelled.

use std::time::Duration;

use app::{
    identity::Capability,
    operations::inputs::{FieldKind, InputField},
    time::Micros,
};
use serde::Deserialize;

use crate::{
    audit::Retention as AuditRetention,
    events::Feed,
    fleet::store::{probes, removed},
    identity::local,
    operations::{
        failure::Failure,
        run::{Done, Run},
        schedule::Schedule,
        spec::{Catalog, Limits, RetrySafety, Retryable, Spec},
        store::{
            processes,
            prune::{self, COUNTED_MAX, Cutoffs},
        },
    },
    store::{Db, StoreError},
};

pub const SPEC: Spec = Spec {
    kind: "system.prune",
    label: "Prune what is old",
    summary: "Removes operations, logs, events, sessions and audit entries that were kept for as long as the settings say.",
    capability: Capability::OperationsManage,
    queue: "upkeep",
    limits: Limits { per_type: Some(1), per_target: None },
    budget: Duration::from_mins(10),
    cancelable: true,
    retryable: Retryable::Yes,
    retry_safety: RetrySafety::Resumable,
    secrets: &[],
    input_version: 1,
    runbook: include_str!("prune.md"),
};

const DAY: i64 = 86_400 * Micros::SECOND;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Count, and remove nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What can be asked of [`Input`].
pub const INPUTS: &[InputField] = &[InputField {
    name: "dry_run",
    label: "Dry run",
    help: "Only says what would be removed; removes nothing.",
    required: false,
    kind: FieldKind::Bool,
}];

/// How long things are kept.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    pub run_days: u32,
    pub failed_run_days: u32,
    pub run_log_days: u32,
    pub open_work_days: u32,
    pub events_for: Duration,
    pub events: i64,
    pub health_days: u32,
    pub removed_cluster_days: u32,
}

#[derive(Clone)]
pub struct Deps {
    pub db: Db,
    pub feed: Feed,
    /// None when the log is not chained.
    pub audit: Option<AuditRetention>,
    pub kept: Kept,
}

/// Adds the type to the catalog.
#[must_use]
pub fn register(catalog: Catalog, deps: Deps) -> Catalog {
    catalog.with_inputs(SPEC, INPUTS, move |run: Run, input: Input| {
        let (deps, dry_run) = (deps.clone(), input.dry_run);
        async move { Pruning { run: &run, deps: &deps, dry_run }.all().await }
    })
}

/// Hourly: open work must not outlive its days by another one.
pub fn schedule() -> Schedule {
    Schedule::new("system.prune", SPEC.kind, "17 * * * *", "hourly, 17 minutes past")
}

struct Pruning<'a> {
    run: &'a Run,
    deps: &'a Deps,
    dry_run: bool,
}

impl Pruning<'_> {
    async fn all(&self) -> Result<(), Failure> {
        let run = self.run;
        run.step("open_work", "Open work", self.open_work()).await?;
        run.progress(10).await?;
        run.step("logs", "Logs", self.logs()).await?;
        run.progress(35).await?;
        run.step("runs", "Operations", self.runs()).await?;
        run.progress(60).await?;
        run.step("groups", "Failure groups", self.groups()).await?;
        run.step("workers", "Workers", self.workers()).await?;
        run.progress(70).await?;
        run.step("events", "Events", self.events()).await?;
        run.step("sign_in", "Sign-in", self.sign_in()).await?;
        run.progress(80).await?;
        run.step("health", "Health of clusters", self.health()).await?;
        run.step("clusters", "Removed clusters", self.clusters()).await?;
        run.step("audit", "Audit log", self.audit()).await?;
        run.progress(100).await
    }

    async fn before(&self, days: u32) -> Result<Micros, Failure> {
        Ok(self.deps.db.now().await?.plus(-i64::from(days) * DAY))
    }

    /// Does batch after batch until one finds nothing.
    async fn batches<F>(&self, mut batch: impl FnMut() -> F + Send) -> Result<u64, Failure>
    where
        F: Future<Output = Result<Option<u64>, StoreError>> + Send,
    {
        let mut gone = 0;
        loop {
            self.go_on()?;
            match batch().await? {
                None | Some(0) => return Ok(gone),
                Some(more) => gone += more,
            }
        }
    }

    fn go_on(&self) -> Result<(), Failure> {
        if self.run.cancellation().is_cancelled() {
            return Err(Failure::new(
                "cancelled",
                "Cancelled between two batches; what is gone is gone.",
            ));
        }
        Ok(())
    }

    /// `what` begins the sentence, `verb` says what is done to it.
    fn done(&self, count: u64, what: &str, verb: &str) -> Done<u64> {
        let at_least = if count >= COUNTED_MAX.unsigned_abs() { "at least " } else { "" };
        let says = if self.dry_run {
            format!("{what} that would be {verb}: {at_least}{count}.")
        } else {
            format!("{what} {verb}: {count}.")
        };
        Done::with(count).and_saying(says)
    }

    async fn open_work(&self) -> Result<Done<u64>, Failure> {
        let db = &self.deps.db;
        let before = self.before(self.deps.kept.open_work_days).await?;
        let count = if self.dry_run {
            counted(prune::count_stale_work(db, before).await?)
        } else {
            self.batches(async || prune::expire_work(db, before).await.map(Some)).await?
        };
        Ok(self.done(count, "Failures", "taken off the open work"))
    }

    async fn logs(&self) -> Result<Done<u64>, Failure> {
        let db = &self.deps.db;
        let before = self.before(self.deps.kept.run_log_days).await?;
        let (mut after, mut count) = (0, 0);
        while let Some(batch) = prune::logs_to_prune(db, after, before).await? {
            after = batch.last;
            self.go_on()?;
            if batch.runs.is_empty() {
                continue;
            }
            if self.dry_run {
                count += counted(prune::count_lines(db, &batch.runs).await?);
            } else {
                let runs = &batch.runs;
                count +=
                    self.batches(async || prune::prune_lines(db, runs).await.map(Some)).await?;
            }
        }
        Ok(self.done(count, "Log lines", "removed"))
    }

    async fn runs(&self) -> Result<Done<u64>, Failure> {
        let (db, kept) = (&self.deps.db, &self.deps.kept);
        let cutoffs = Cutoffs {
            succeeded: self.before(kept.run_days).await?,
            failed: self.before(kept.failed_run_days).await?,
        };
        let count = if self.dry_run {
            counted(prune::count_runs(db, cutoffs).await?)
        } else {
            self.batches(async || prune::prune_runs(db, cutoffs).await).await?
        };
        Ok(self.done(count, "Operations", "removed"))
    }

    async fn groups(&self) -> Result<Done<u64>, Failure> {
        let db = &self.deps.db;
        let count = if self.dry_run {
            counted(prune::count_groups(db).await?)
        } else {
            self.batches(async || prune::prune_groups(db).await.map(Some)).await?
        };
        Ok(self.done(count, "Failure groups", "removed"))
    }

    async fn workers(&self) -> Result<Done<u64>, Failure> {
        let db = &self.deps.db;
        let before = self.before(1).await?;
        let count = if self.dry_run {
            counted(processes::count_forgotten(db, before).await?)
        } else {
            processes::forget(db, before).await?
        };
        Ok(self.done(count, "Rows of stopped workers", "removed"))
    }

    async fn events(&self) -> Result<Done<u64>, Failure> {
        let Deps { feed, kept, .. } = self.deps;
        let count = if self.dry_run {
            feed.prunable(kept.events_for, kept.events).await?
        } else {
            feed.prune(kept.events_for, kept.events).await?
        };
        Ok(self.done(counted(count), "Events", "removed"))
    }

    async fn sign_in(&self) -> Result<Done<u64>, Failure> {
        let db = &self.deps.db;
        let mut tx = db.begin().await?;
        let old = tx.now().await?.plus(-local::KEPT);
        let count = local::prune(&mut tx, old).await?;
        // A dry run lets go of what it did.
        if !self.dry_run {
            tx.commit(Vec::new()).await?;
        }
        Ok(self.done(count, "Sessions, links and counts", "removed"))
    }

    async fn health(&self) -> Result<Done<u64>, Failure> {
        let db = &self.deps.db;
        let before = self.before(self.deps.kept.health_days).await?;
        let count = if self.dry_run {
            counted(probes::count_old(db, before, COUNTED_MAX).await?)
        } else {
            self.batches(async || probes::prune(db, before).await.map(Some)).await?
        };
        Ok(self.done(count, "Points of clusters' histories", "removed"))
    }

    async fn clusters(&self) -> Result<Done<u64>, Failure> {
        let db = &self.deps.db;
        let before = self.before(self.deps.kept.removed_cluster_days).await?;
        let count = if self.dry_run {
            counted(removed::count(db, before, COUNTED_MAX).await?)
        } else {
            self.batches(async || removed::prune(db, before).await.map(Some)).await?
        };
        Ok(self.done(count, "Removed clusters and registrations left unfinished", "erased"))
    }

    async fn audit(&self) -> Result<Done<u64>, Failure> {
        let Some(retention) = &self.deps.audit else {
            return Ok(Done::with(0)
                .and_saying("The audit log is not chained here, so nothing of it is pruned."));
        };
        let old = retention.old().await?;
        if !old.by_a_day {
            return Ok(Done::with(0).and_saying("No entry is a day older than entries are kept."));
        }
        if self.dry_run {
            return Ok(self.done(counted(old.rows), "Audit entries", "removed"));
        }
        let pruned = retention.prune(self.run.cancellation()).await?;
        if pruned.suspect {
            let message = "The old end of the audit log is not as it was written, so it is not pruned. Start “Verify \
                           the audit log”.";
            return Err(Failure::new("audit_suspect", message));
        }
        self.go_on()?;
        Ok(self.done(pruned.rows, "Audit entries", "removed"))
    }
}

fn counted(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

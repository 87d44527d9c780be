//! Whether runs move: brings budgets, workers and the database's clock to the rule of
//! [`app::operations::stuck`]. Stores nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};

use app::{
    operations::{
        model::{OperationRun, Status},
        stuck::{Activity, Budget, HEARTBEAT_MAX, SUCCESSES_MAX, Stuck, classify},
    },
    time::Micros,
};

use super::{
    Base,
    store::{
        Standing,
        presence::{served_queues, successes},
    },
    timing,
};
use crate::store::StoreError;

/// What a type's successes taught is asked again after so long.
const LEARNT_FOR: Duration = Duration::from_mins(1);

/// The budgets of types, learnt from their successes and kept for a minute.
#[derive(Default)]
pub struct Budgets {
    learnt: Mutex<BTreeMap<String, (Duration, Budget)>>,
}

impl Budgets {
    pub(super) async fn get(&self, base: &Base, kind: &str) -> Result<Budget, StoreError> {
        let now = base.clock.monotonic();
        if let Some((at, budget)) = self.known(kind)
            && now.saturating_sub(at) < LEARNT_FOR
        {
            return Ok(budget);
        }
        // A type that left the catalog is judged by the longest of all budgets.
        let declared = base.catalog.find(kind).map(|entry| entry.spec.budget);
        let declared = timing::micros(declared.unwrap_or(Duration::from_hours(24)));
        let budget = Budget::learn(declared, successes(&base.db, kind, SUCCESSES_MAX).await?);
        if let Ok(mut learnt) = self.learnt.lock() {
            learnt.insert(kind.to_owned(), (now, budget));
        }
        Ok(budget)
    }

    fn known(&self, kind: &str) -> Option<(Duration, Budget)> {
        self.learnt.lock().ok()?.get(kind).copied()
    }
}

/// What a verdict on active runs stands on, read once for all of them.
pub(super) struct Judge {
    pub now: Micros,
    served: BTreeSet<String>,
    budgets: BTreeMap<String, Budget>,
}

impl Judge {
    /// `kinds`: the types of the runs that will be judged.
    pub(super) async fn open(
        base: &Base,
        kinds: impl IntoIterator<Item = &str> + Send,
    ) -> Result<Self, StoreError> {
        let kinds: BTreeSet<String> = kinds.into_iter().map(str::to_owned).collect();
        let now = base.db.now().await?;
        let served = served_queues(&base.db, now.plus(-HEARTBEAT_MAX)).await?;
        let mut budgets = BTreeMap::new();
        for kind in kinds {
            let budget = base.budgets.get(base, &kind).await?;
            budgets.insert(kind, budget);
        }
        Ok(Self { now, served, budgets })
    }

    pub(super) fn budget(&self, kind: &str) -> Option<&Budget> {
        self.budgets.get(kind)
    }

    pub(super) fn is_served(&self, queue: &str) -> bool {
        self.served.contains(queue)
    }

    /// Why this run does not move, if it does not.
    pub(super) fn verdict(&self, standing: &Standing) -> Option<Stuck> {
        let run = &standing.run;
        let lease = standing.lease.as_ref();
        let activity = Activity {
            status: run.status,
            waits_since: standing.waits_since,
            taken_at: lease.map(|lease| lease.acquired_at),
            heartbeat_at: lease.and_then(|lease| lease.heartbeat_at),
            cancel_requested_at: standing.cancel_requested_at,
            served: self.is_served(&run.queue),
        };
        self.activity(&run.kind, &activity)
    }

    /// The same of a run of which no more than that is known.
    pub(super) fn activity(&self, kind: &str, activity: &Activity) -> Option<Stuck> {
        classify(activity, self.budget(kind)?, self.now)
    }
}

/// The runs, each with why it does not move.
pub(super) async fn judged(
    base: &Base,
    standings: Vec<Standing>,
) -> Result<Vec<OperationRun>, StoreError> {
    let is_active = |standing: &&Standing| standing.run.status != Status::Completed;
    let kinds: Vec<&str> =
        standings.iter().filter(is_active).map(|standing| standing.run.kind.as_str()).collect();
    if kinds.is_empty() {
        return Ok(standings.into_iter().map(|standing| standing.run).collect());
    }
    let judge = Judge::open(base, kinds).await?;
    let judged = standings.into_iter().map(|standing| {
        let stuck_class = judge.verdict(&standing).map(|stuck| stuck.class);
        OperationRun { stuck_class, ..standing.run }
    });
    Ok(judged.collect())
}

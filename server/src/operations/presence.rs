//! Says that this process works on queues: a row while it lives, so that a queue that nobody serves is told from one
//! that is long, and people see who works.
//!
//! The row goes with a graceful stop, when the last worker has let go. What a killed process leaves is stale after 30
//! seconds and removed by `system.prune` after a day.

use app::{
    error::ApiError,
    identity::Permit,
    operations::{
        View,
        stuck::HEARTBEAT_MAX,
        workers::{WorkerProcess, Workers},
    },
    time::Micros,
};
use async_trait::async_trait;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Base, OperationsService,
    store::{
        processes::{self, Process},
        refused,
    },
    timing,
};
use crate::{store::StoreError, tasks, version};

pub struct Presence {
    base: Base,
    process: Process,
    /// The workers that have not let go yet.
    working: TaskTracker,
}

impl Presence {
    pub(super) fn new(
        base: Base,
        queues: Vec<String>,
        workers: usize,
        working: TaskTracker,
    ) -> Self {
        let process = Process {
            id: base.rng.uuid(),
            name: process_name(),
            queues,
            workers: i64::try_from(workers).unwrap_or(i64::MAX),
            version: version::VERSION,
        };
        Self { base, process, working }
    }

    /// Until told to stop. A store that does not answer is asked again.
    pub async fn run(&self, stop: CancellationToken) {
        let mut started_at = None;
        while !stop.is_cancelled() {
            tasks::beat();
            if let Err(error) = self.keep(&mut started_at).await {
                tracing::warn!(%error, "This process could not say that it works; trying again.");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.base.clock.sleep(timing::HEARTBEAT) => {}
            }
        }
        self.working.close();
        self.working.wait().await;
        if let Err(error) = processes::remove(&self.base.db, &self.process.id).await {
            tracing::warn!(%error, "This process could not take back that it works; its row will be stale.");
        }
    }

    async fn keep(&self, started_at: &mut Option<Micros>) -> Result<(), StoreError> {
        let db = &self.base.db;
        let at = match *started_at {
            Some(at) => at,
            None => *started_at.insert(db.now().await?),
        };
        processes::keep(db, &self.process, at).await
    }
}

/// `host:pid`, as people find it in a process list.
pub(super) fn process_name() -> String {
    let system = rustix::system::uname();
    let host = system.nodename().to_string_lossy();
    format!("{host}:{}", std::process::id())
}

#[async_trait]
impl Workers for OperationsService {
    async fn workers(&self, _: &Permit<View>) -> Result<Vec<WorkerProcess>, ApiError> {
        let db = &self.base.db;
        let listed = async { processes::list(db, db.now().await?.plus(-HEARTBEAT_MAX)).await };
        listed.await.map_err(refused)
    }
}

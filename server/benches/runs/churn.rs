//! Runs to measure with: a type without work, one with steps and a log, and workers that do them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use app::{
    identity::Capability,
    operations::{Operations as _, model::StartOperation},
};
use serde::Deserialize;
use server::{
    clock::Rng,
    operations::{
        OperationsService,
        failure::Failure,
        run::{Done, Run},
        spec::{Catalog, Limits, RetrySafety, Retryable, Spec},
    },
    store::{Db, testing},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub const EMPTY: &str = "bench.empty";
/// Three steps, three lines.
pub const USUAL: &str = "bench.usual";
const QUEUE: &str = "bench";

const SPEC: Spec = Spec {
    kind: EMPTY,
    label: "Empty",
    summary: "Does nothing.",
    capability: Capability::OperationsManage,
    queue: QUEUE,
    limits: Limits { per_type: None, per_target: None },
    budget: std::time::Duration::from_mins(1),
    cancelable: true,
    retryable: Retryable::Yes,
    retry_safety: RetrySafety::Safe,
    secrets: &[],
    input_version: 1,
    runbook: "# Empty",
};

#[derive(Deserialize)]
struct Nothing {}

/// A replica's engine, with a count of what it did.
#[derive(Clone)]
pub struct Churn {
    service: OperationsService,
    done: Arc<AtomicUsize>,
}

impl Churn {
    pub fn on(db: &Db) -> Self {
        let done = Arc::new(AtomicUsize::new(0));
        let (empty, usual) = (Arc::clone(&done), Arc::clone(&done));
        let catalog = Catalog::default()
            .with(SPEC, move |_: Run, _: Nothing| {
                empty.fetch_add(1, Ordering::Relaxed);
                std::future::ready(Ok(()))
            })
            .with(Spec { kind: USUAL, label: "Usual", ..SPEC }, move |run: Run, _: Nothing| {
                usual.fetch_add(1, Ordering::Relaxed);
                three_steps(run)
            });
        let admin = testing::admin();
        let service = OperationsService::new(db.clone(), Rng::system(), catalog, Vec::new(), admin);
        Self { service, done }
    }

    pub async fn start(&self, kind: &str) -> i64 {
        let request = StartOperation {
            kind: kind.to_owned(),
            input: serde_json::Value::Null,
            workspace_id: None,
            tenant_id: None,
            target: None,
            target_label: None,
            priority: None,
            scheduled_at: None,
        };
        let started = self.service.start(&testing::admin(), request, None).await;
        started.expect("it is queued").run.id
    }

    /// Runs whose work was begun here.
    pub fn begun(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// Workers as a console has them, until told to stop.
    pub fn work(&self, workers: usize, stop: &CancellationToken) -> JoinSet<()> {
        let mut all = JoinSet::new();
        for n in 0..workers {
            let (worker, stop) =
                (self.service.worker(format!("bench-{n}"), &[QUEUE]), stop.clone());
            all.spawn(async move { worker.run(stop).await });
        }
        all
    }
}

async fn three_steps(run: Run) -> Result<(), Failure> {
    for (name, label) in [("one", "One"), ("two", "Two"), ("three", "Three")] {
        run.log("A line of the log, as long as lines of a log are on an ordinary day.").await?;
        run.step(name, label, async { Ok(Done::saying("done")) }).await?;
    }
    Ok(())
}

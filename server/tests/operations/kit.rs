//! What the tests of operations share: types of operation whose effects can be counted, and a console's parts
//! around them.

use std::sync::{Arc, Mutex};

use app::{
    error::ApiError,
    identity::{Caller, Capability, permit},
    operations::{
        Operations as _, View,
        model::{OperationDetail, OperationRun, StartOperation},
    },
};
use serde::Deserialize;
use server::{
    clock::Rng,
    operations::{
        OperationsService,
        failure::Failure,
        run::{Done, Run},
        schedule::Schedule,
        spec::{Catalog, Limits, RetrySafety, Retryable, Spec},
        worker::Worker,
    },
    store::{Db, Dialect, Sql, StoreError, testing},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub const QUEUE: &str = "test";

pub const SPEC: Spec = Spec {
    kind: "test.steps",
    label: "Steps",
    summary: "Does two steps.",
    capability: Capability::OperationsManage,
    queue: QUEUE,
    limits: Limits { per_type: None, per_target: None },
    budget: std::time::Duration::from_mins(1),
    cancelable: true,
    retryable: Retryable::Yes,
    retry_safety: RetrySafety::Resumable,
    secrets: &["password"],
    input_version: 1,
    runbook: "# Steps",
};

/// What the types of the kit did, and the gates at which they wait.
#[derive(Clone)]
pub struct Effects {
    done: Arc<Mutex<Vec<String>>>,
    /// `test.gated` waits here in its first step.
    pub gate: Arc<Semaphore>,
    active: Arc<Mutex<(u32, u32)>>,
}

impl Default for Effects {
    fn default() -> Self {
        let gate = Arc::new(Semaphore::new(0));
        Self { done: Arc::default(), gate, active: Arc::default() }
    }
}

impl Effects {
    pub fn add(&self, effect: impl Into<String>) {
        self.done.lock().expect("no test panics in here").push(effect.into());
    }

    pub fn all(&self) -> Vec<String> {
        self.done.lock().expect("no test panics in here").clone()
    }

    pub fn count(&self, effect: &str) -> usize {
        self.all().iter().filter(|one| *one == effect).count()
    }

    /// Waits until somebody did this.
    pub async fn reached(&self, effect: &str) {
        testing::eventually(effect, || async { Ok((self.count(effect) > 0).then_some(())) }).await;
    }

    fn enter(&self) {
        let mut active = self.active.lock().expect("no test panics in here");
        active.0 += 1;
        active.1 = active.1.max(active.0);
    }

    fn leave(&self) {
        self.active.lock().expect("no test panics in here").0 -= 1;
    }

    /// How many were at work at once at most.
    pub fn most_at_once(&self) -> u32 {
        self.active.lock().expect("no test panics in here").1
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    #[serde(default)]
    pub count: i64,
    #[serde(default)]
    #[expect(dead_code, reason = "stands in the input to be hidden")]
    pub password: Option<String>,
}

/// The kit's types.
pub fn catalog(effects: &Effects) -> Catalog {
    let (steps, gated, limited, once, full) =
        (effects.clone(), effects.clone(), effects.clone(), effects.clone(), effects.clone());
    let heeds = effects.clone();
    let spec = |kind| Spec { kind, ..SPEC };
    Catalog::default()
        .with(SPEC, move |run: Run, input: Input| two_steps(run, input, steps.clone()))
        .with(spec("test.gated"), move |run: Run, _: Input| gated_steps(run, gated.clone()))
        .with(
            Spec { retry_safety: RetrySafety::Unsafe("it moves money."), ..spec("test.unsafe") },
            move |run: Run, _: Input| gated_steps(run, once.clone()),
        )
        .with(
            Spec { limits: Limits { per_type: None, per_target: Some(1) }, ..spec("test.limited") },
            move |run: Run, _: Input| limited_step(run, limited.clone()),
        )
        .with(spec("test.heeds"), move |run: Run, _: Input| heeding_step(run, heeds.clone()))
        .with(
            Spec { limits: Limits { per_type: Some(1), per_target: Some(1) }, ..spec("test.full") },
            move |run: Run, input: Input| full_life(run, input, full.clone()),
        )
        .with(spec("test.fail"), |run: Run, input: Input| async move {
            run.log(format!("counting to {}", input.count)).await?;
            run.step("break", "Break", async {
                Err::<Done<()>, _>(Failure::new("broken", "pod web-7f9c6d5b-x2x1z said hunter22"))
            })
            .await
        })
        .with(spec("test.panic"), |run: Run, _: Input| async move {
            run.step("panic", "Panic", async { panic!("on purpose") }).await
        })
}

/// Waits for nothing but its cancellation, and cleans up when it comes.
async fn heeding_step(run: Run, effects: Effects) -> Result<(), Failure> {
    let id = run.facts().id;
    run.step("wait", "Wait", async {
        effects.add(format!("{id}:waits"));
        run.cancellation().cancelled().await;
        effects.add(format!("{id}:heeded"));
        Err::<Done<()>, _>(Failure::new("put_back", "put everything back"))
    })
    .await
}

async fn two_steps(run: Run, input: Input, effects: Effects) -> Result<(), Failure> {
    let id = run.facts().id;
    let first: i64 = run
        .step("first", "First", async {
            effects.add(format!("{id}:first"));
            Ok(Done::with(input.count + 1).and_saying("counted"))
        })
        .await?;
    run.step("second", "Second", async {
        effects.add(format!("{id}:second:{first}"));
        Ok(Done::saying("done"))
    })
    .await
}

/// Everything that a run may write.
async fn full_life(run: Run, input: Input, effects: Effects) -> Result<(), Failure> {
    run.log("begins").await?;
    run.progress(10).await?;
    two_steps(run.clone(), input, effects).await?;
    run.progress(100).await?;
    run.log("ends").await
}

async fn gated_steps(run: Run, effects: Effects) -> Result<(), Failure> {
    let id = run.facts().id;
    run.step("first", "First", async {
        effects.add(format!("{id}:first"));
        Ok(Done::saying("done"))
    })
    .await?;
    run.step("gate", "Gate", async {
        effects.add(format!("{id}:waits"));
        effects.gate.acquire().await.expect("never closed").forget();
        effects.add(format!("{id}:passed"));
        Ok(Done::saying("passed"))
    })
    .await?;
    run.step("last", "Last", async {
        effects.add(format!("{id}:last"));
        Ok(Done::saying("done"))
    })
    .await
}

async fn limited_step(run: Run, effects: Effects) -> Result<(), Failure> {
    run.step("only", "Only", async {
        effects.enter();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        effects.leave();
        effects.add("limited");
        Ok(Done::saying("done"))
    })
    .await
}

/// A console's parts over one database.
#[derive(Clone)]
pub struct Kit {
    pub service: OperationsService,
    pub effects: Effects,
    pub admin: Caller,
    pub db: Db,
}

impl Kit {
    pub fn on(db: &Db) -> Self {
        Self::sharing(db, Effects::default(), Vec::new())
    }

    /// Another replica: its own connections, the same world.
    pub fn sharing(db: &Db, effects: Effects, schedules: Vec<Schedule>) -> Self {
        let catalog = catalog(&effects);
        Self::knowing(db, catalog, effects, schedules)
    }

    /// With types of its own.
    pub fn knowing(db: &Db, catalog: Catalog, effects: Effects, schedules: Vec<Schedule>) -> Self {
        let admin = testing::admin();
        let service =
            OperationsService::new(db.clone(), Rng::system(), catalog, schedules, admin.clone());
        Self { service, effects, admin, db: db.clone() }
    }

    pub fn worker(&self, name: &str) -> Worker {
        self.service.worker(name, &self.service.queues())
    }

    pub async fn start(&self, kind: &str) -> OperationRun {
        self.ask(request(kind)).await.expect("it may be started")
    }

    pub async fn ask(&self, request: StartOperation) -> Result<OperationRun, ApiError> {
        self.service.start(&self.admin, request, None).await.map(|started| started.run)
    }

    pub async fn get(&self, id: i64) -> OperationDetail {
        let permit = permit::<View>(&self.admin).await.expect("an admin may look");
        self.service.get(&permit, id).await.expect("the run is there")
    }

    /// Works until nothing is left to take.
    pub async fn work_all(&self, name: &str) -> Result<(), StoreError> {
        let stop = CancellationToken::new();
        let worker = self.worker(name);
        while worker.work_one(&stop).await? {}
        Ok(())
    }

    /// Lets every lease run out, as 30 seconds of silence would.
    pub async fn lapse(&self) {
        let mut tx = self.db.begin().await.expect("a write begins");
        tx.execute(Sql::new("UPDATE operation_leases SET expires_at = 0"))
            .await
            .expect("an update");
        tx.commit(Vec::new()).await.expect("a commit");
    }

    /// Whether every transaction of others has ended. SQLite's lock of the file says so by itself: a write waits.
    pub async fn nobody_else_writes(&self) -> Result<bool, StoreError> {
        if self.db.dialect() == Dialect::Sqlite {
            return Ok(true);
        }
        let sql = Sql::new(
            "SELECT COUNT(*) AS n FROM pg_stat_activity WHERE datname = current_database() \
             AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND state IN ('active', 'idle in transaction')",
        );
        Ok(self.db.fetch_one(sql).await?.i64("n")? == 0)
    }

    pub async fn count(&self, sql: Sql) -> i64 {
        self.db.fetch_one(sql).await.expect("a row").i64("n").expect("a number")
    }
}

pub fn request(kind: &str) -> StartOperation {
    StartOperation {
        kind: kind.to_owned(),
        input: serde_json::Value::Null,
        workspace_id: None,
        tenant_id: None,
        target: None,
        target_label: None,
        priority: None,
        scheduled_at: None,
    }
}

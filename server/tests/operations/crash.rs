//! Kill -9 of a worker process at every point of its work: before each statement, around each effect, after the
//! last answer was due. Another process takes over: nothing is lost, a finished step is not done again, the one
//! in hand has its effect once, and what is unsafe is left alone.
//!
//! The effects are files: made once however often a step tries, and each try stands in a list.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use app::operations::model::{OperationDetail, Outcome, Status, StepStatus};
use server::{
    clock::ManualClock,
    operations::{
        failure::Failure,
        run::{Done, Run},
        spec::{Catalog, Limits, RetrySafety, Spec},
    },
    store::{
        Dialect,
        testing::{self, Engine},
    },
};
use tokio_util::sync::CancellationToken;

use super::{
    doomed::{Doom, Stand, Victim, mark},
    invariants,
    kit::{Effects, Kit, SPEC},
    trial::START,
};

const STEPS: [&str; 2] = ["first", "second"];
const RESUMABLE: &str = "doomed.resumable";
const UNSAFE: &str = "doomed.unsafe";

/// Where effects go: one file for each that happened, and a list of all that were tried.
#[derive(Clone)]
struct World(PathBuf);

impl World {
    fn act(&self, run: i64, step: &str) {
        let name = format!("{run}-{step}");
        let mut tries =
            OpenOptions::new().create(true).append(true).open(self.tries()).expect("a list");
        tries.write_all(format!("{name}\n").as_bytes()).expect("a line");
        // The same again is no other effect.
        let _ = OpenOptions::new().create_new(true).write(true).open(self.0.join(name));
    }

    fn tries(&self) -> PathBuf {
        self.0.join("tries")
    }

    fn tried(&self, run: i64) -> BTreeMap<&'static str, usize> {
        let list = std::fs::read_to_string(self.tries()).unwrap_or_default();
        let times = |step| list.lines().filter(|line| *line == format!("{run}-{step}")).count();
        STEPS.iter().map(|step| (*step, times(step))).collect()
    }

    fn happened(&self, run: i64, step: &str) -> bool {
        self.0.join(format!("{run}-{step}")).exists()
    }
}

fn catalog(world: &Path) -> Catalog {
    let world = World(world.to_owned());
    let (one, other) = (world.clone(), world);
    let limits = Limits { per_type: Some(1), per_target: None };
    Catalog::default()
        .with(Spec { kind: RESUMABLE, limits, ..SPEC }, move |run: Run, _: Nothing| {
            acts(run, one.clone())
        })
        .with(
            Spec {
                kind: UNSAFE,
                limits,
                retry_safety: RetrySafety::Unsafe("it moves money."),
                ..SPEC
            },
            move |run: Run, _: Nothing| acts(run, other.clone()),
        )
}

#[derive(Debug, serde::Deserialize)]
struct Nothing {}

async fn acts(run: Run, world: World) -> Result<(), Failure> {
    for step in STEPS {
        run.log(format!("{step} begins")).await?;
        run.step(step, step, async {
            mark(&format!("{step}: before")).await;
            world.act(run.facts().id, step);
            mark(&format!("{step}: after")).await;
            Ok(Done::saying("done"))
        })
        .await?;
        mark(&format!("{step}: between")).await;
    }
    Ok(())
}

/// Not a test: the process that the others kill.
#[tokio::test]
#[ignore = "started by the tests of this file, to be killed"]
async fn a_worker_that_will_be_killed() {
    let Some(doom) = Doom::read() else { return };
    let catalog = catalog(Path::new(&doom.world));
    let live = doom.live(async |db| {
        let kit = Kit::knowing(&db, catalog, Effects::default(), Vec::new());
        kit.work_all("doomed").await.expect("the store answers");
    });
    live.await;
}

/// A database, the world, and the processes over both.
struct Scene {
    engine: Engine,
    hand: ManualClock,
    world: tempfile::TempDir,
}

impl Scene {
    async fn all() -> Vec<Self> {
        let scene =
            |(engine, hand)| Self { engine, hand, world: tempfile::tempdir().expect("a folder") };
        testing::engines_at(START).await.into_iter().map(scene).collect()
    }

    fn world(&self) -> World {
        World(self.world.path().to_owned())
    }

    /// Another process: what it knows of time begins now.
    fn process(&self) -> Kit {
        let catalog = catalog(self.world.path());
        Kit::knowing(&self.engine.db, catalog, Effects::default(), Vec::new())
    }

    async fn doom(&self, stand: Stand) -> (Victim, Option<u64>) {
        let doom = Doom {
            url: self.engine.config.url.clone(),
            now: self.engine.db.now().await.expect("a time"),
            stand,
            world: self.world.path().display().to_string(),
        };
        let mut victim = Victim::start("crash::a_worker_that_will_be_killed", &doom);
        let statements = victim.wait();
        (victim, statements)
    }

    /// Starts a run, and kills the process that works on it where it stands.
    async fn kill(&self, kind: &str, stand: Stand) -> i64 {
        let id = self.process().start(kind).await.id;
        self.doom(stand).await.0.kill();
        // Whoever comes next begins later.
        self.hand.advance(Duration::from_secs(1));
        id
    }

    /// What happens when the lease has run out, or on SQLite at once: the next process has the file.
    async fn take_over(&self, kit: &Kit, id: i64) {
        let _held = self.engine.config.hold().expect("the kernel let go of the file");
        kit.service.timer().inherit().await.expect("the store answers");
        if self.engine.dialect() == Dialect::Postgres {
            self.hand.advance(Duration::from_secs(28));
            kit.service.timer().tick().await.expect("looks");
            let detail = kit.get(id).await;
            if detail.run.status == Status::Running {
                assert!(
                    !kit.worker("early").work_one(&CancellationToken::new()).await.expect("looks")
                );
                assert_eq!(kit.get(id).await, detail, "its lease still holds");
            }
            self.hand.advance(Duration::from_secs(3));
        }
    }
}

/// How many statements a whole run of this type takes.
async fn statements(scene: &Scene) -> u64 {
    let id = scene.process().start(RESUMABLE).await.id;
    let (victim, statements) = scene.doom(Stand::Nowhere).await;
    victim.kill();
    assert_eq!(scene.process().get(id).await.run.outcome, Outcome::Succeeded);
    statements.expect("it ended")
}

fn points(statements: u64) -> Vec<Stand> {
    let marks = STEPS
        .iter()
        .flat_map(|step| ["before", "after", "between"].map(|at| format!("{step}: {at}")));
    // After one statement and before the next is the same to the database, but for the last.
    let before = (1..=statements).map(Stand::Before);
    before.chain([Stand::After(statements - 1)]).chain(marks.map(Stand::At)).collect()
}

fn finished(detail: &OperationDetail) -> Vec<&str> {
    let done = detail.steps.iter().filter(|step| step.status == StepStatus::Succeeded);
    done.map(|step| step.name.as_str()).collect()
}

#[tokio::test]
async fn a_killed_process_loses_nothing_and_repeats_no_finished_step() {
    for scene in Scene::all().await {
        let statements = statements(&scene).await;
        assert!(statements > 25, "{statements}");
        for stand in points(statements) {
            let what = format!("{stand} on {}", scene.engine.dialect().as_str());
            let id = scene.kill(RESUMABLE, stand).await;
            let kit = scene.process();
            let (left, tried) = (settled(&kit, id).await, scene.world().tried(id));
            scene.take_over(&kit, id).await;
            to_the_end(&kit, id).await;
            let run = kit.get(id).await.run;
            assert_eq!(run.outcome, Outcome::Succeeded, "{what}");
            assert!(run.attempt <= 2, "{what}");
            let after = scene.world().tried(id);
            let mut again = 0;
            for step in STEPS {
                assert!(scene.world().happened(id, step), "{step}: {what}");
                if finished(&left).contains(&step) {
                    assert_eq!(after[step], tried[step], "{step} was finished: {what}");
                }
                again += after[step] - 1;
            }
            assert!(again <= 1, "only the step in hand may be tried again: {after:?}, {what}");
            invariants::hold(&scene.engine.db, &what).await;
        }
        invariants::hold_to_the_end(&scene.engine.db, "in the end").await;
    }
}

#[tokio::test]
async fn an_unsafe_run_of_a_killed_process_is_left_alone_and_ends_orphaned() {
    for scene in Scene::all().await {
        let statements = statements(&scene).await;
        for stand in points(statements).into_iter().step_by(3) {
            let what = format!("{stand} on {}", scene.engine.dialect().as_str());
            let id = scene.kill(UNSAFE, stand).await;
            let kit = scene.process();
            let (left, tried) = (settled(&kit, id).await, scene.world().tried(id));
            scene.take_over(&kit, id).await;
            kit.service.timer().tick().await.expect("looks");
            if left.run.status == Status::Running {
                kit.work_all("next").await.expect("works");
                assert_eq!(
                    kit.get(id).await.run.status,
                    Status::Running,
                    "it waits for a person: {what}"
                );
                scene.hand.advance(Duration::from_mins(10));
            }
            to_the_end(&kit, id).await;
            let run = kit.get(id).await.run;
            if left.run.status == Status::Running {
                assert_eq!((run.outcome, run.attempt), (Outcome::Failed, 1), "{what}");
                assert!(
                    run.error_summary.is_some_and(|why| why.contains("it moves money.")),
                    "{what}"
                );
                assert_eq!(scene.world().tried(id), tried, "{what}");
            } else {
                assert_eq!(run.outcome, Outcome::Succeeded, "{what}");
            }
            assert!(scene.world().tried(id).values().all(|times| *times <= 1), "{what}");
            invariants::hold(&scene.engine.db, &what).await;
        }
        invariants::hold_to_the_end(&scene.engine.db, "in the end").await;
    }
}

/// What the killed process left, once the database has noticed that it is gone: until then its last transaction
/// may hold rows, and what it wrote there does not count.
async fn settled(kit: &Kit, id: i64) -> OperationDetail {
    testing::eventually("the database lets go of the killed process", || async {
        Ok(kit.nobody_else_writes().await?.then_some(()))
    })
    .await;
    kit.get(id).await
}

async fn to_the_end(kit: &Kit, id: i64) {
    testing::eventually("the run ends", || async {
        kit.service.timer().tick().await?;
        kit.work_all("next").await?;
        Ok((kit.get(id).await.run.status == Status::Completed).then_some(()))
    })
    .await;
}

//! What a run tells while it works, and what a process says of itself.

use std::time::Duration;

use app::{
    identity::{Capability, permit},
    operations::{View, model::Outcome, workers::Workers as _},
};
use serde::Deserialize;
use server::{
    clock::Rng,
    operations::{
        run::{Done, Run},
        spec::{Catalog, Spec},
    },
    store::{Db, Sql, testing},
    tasks::Tasks,
};

use super::super::{
    kit::{Effects, Kit, SPEC},
    trial::{START, Trial, on_stage, through_every_fault},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// A type whose only step does `work`.
fn telling<F, Fut>(db: &Db, effects: Effects, work: F) -> Kit
where
    F: Fn(Run) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<(), server::operations::failure::Failure>> + Send + 'static,
{
    let spec = Spec { kind: "test.told", capability: Capability::OperationsManage, ..SPEC };
    let catalog = Catalog::default().with(spec, move |run: Run, _: Nothing| {
        let work = work.clone();
        async move {
            let told = run.clone();
            run.step("only", "Only", async move { work(told).await.map(|()| Done::saying("done")) })
                .await
        }
    });
    Kit::knowing(db, catalog, effects, Vec::new())
}

async fn lines(trial: &Trial, id: i64, level: &'static str, line: &'static str) -> i64 {
    let sql = Sql::new("SELECT COUNT(*) AS n FROM operation_logs WHERE run_id = ").arg(id);
    trial.kit.count(sql.push(" AND level = ").arg(level).push(" AND line = ").arg(line)).await
}

#[tokio::test]
async fn lines_and_progress_are_told_once_by_whoever_ends_the_run() {
    let kit = async |db: &Db, effects: Effects| {
        telling(db, effects, async |run: Run| {
            run.progress(10).await?;
            run.log("begins").await?;
            run.warn("not quite").await?;
            run.progress(100).await?;
            Ok(())
        })
    };
    on_stage(20, START, kit, async |trial| {
        let run = trial.kit.start("test.told").await;
        trial.work().await;
        trial.recover(run.id).await;
        let detail = trial.kit.get(run.id).await;
        assert_eq!(detail.run.outcome, Outcome::Succeeded, "{}", trial.what());
        assert_eq!(detail.run.progress, None, "it goes with the lease: {}", trial.what());
        let attempts = detail.run.attempt;
        for (level, line) in [("info", "begins"), ("warn", "not quite")] {
            let told = lines(trial, run.id, level, line).await;
            // Who is lost leaves its lines, and the next one tells its own.
            assert!((1..=attempts).contains(&told), "{line}: {told}: {}", trial.what());
        }
    })
    .await;
}

/// Who lost the lease neither writes progress nor goes on.
#[tokio::test]
async fn progress_is_fenced() {
    let kit = async |db: &Db, effects: Effects| {
        let effects_of = effects.clone();
        telling(db, effects, move |run: Run| {
            let effects = effects_of.clone();
            async move {
                let id = run.facts().id;
                if effects.count(&format!("{id}:waits")) > 0 {
                    return Ok(());
                }
                effects.add(format!("{id}:waits"));
                effects.gate.acquire().await.expect("never closed").forget();
                run.progress(50).await?;
                effects.add(format!("{id}:went on"));
                Ok(())
            }
        })
    };
    on_stage(10, START, kit, async |trial| {
        trial.close_the_gate();
        let run = trial.kit.start("test.told").await;
        trial
            .at_the_gate(run.id, async |_| {
                let mut tx = trial.kit.db.begin().await.expect("a write");
                let taken = "UPDATE operation_leases SET token = 'another', progress = '7' WHERE run_id = ";
                tx.execute(Sql::new(taken).arg(run.id)).await.expect("taken over");
                tx.commit(Vec::new()).await.expect("a commit");
                trial.kit.effects.gate.add_permits(1);
            })
            .await;
        let went_on = trial.kit.effects.count(&format!("{}:went on", run.id));
        assert_eq!(went_on, 0, "{}", trial.what());
        let theirs = Sql::new("SELECT COUNT(*) AS n FROM operation_leases WHERE token = 'another' AND progress <> '7'");
        assert_eq!(trial.kit.count(theirs).await, 0, "{}", trial.what());
        // Whoever comes to the gate now finds it open.
        trial.kit.effects.gate.add_permits(1);
        trial.recover(run.id).await;
        trial.ended(run.id, Outcome::Succeeded, &[]).await;
    })
    .await;
}

/// A process that works is listed until it stops, or is seen to be gone where it could not say so.
#[tokio::test]
async fn a_process_that_works_is_seen_until_it_stops() {
    through_every_fault(3, async |trial| {
        let permit = permit::<View>(&trial.kit.admin).await.expect("may look");
        let alive = async || {
            let all = trial.kit.service.workers(&permit).await.expect("the store answers");
            all.iter().filter(|process| process.alive).count()
        };
        let tasks = Tasks::new(trial.kit.db.clock().clone(), Rng::system());
        trial.faulty.service.spawn(&tasks, &[], 1);
        testing::eventually("the process is there", || async {
            if alive().await == 1 {
                return Ok(Some(()));
            }
            // It asks again with its next heartbeat.
            trial.hand.advance(Duration::from_secs(1));
            Ok(None)
        })
        .await;
        let stops = tasks.shutdown(Duration::from_secs(30)).await;
        assert!(stops.is_empty(), "{stops:?}: {}", trial.what());
        if alive().await > 0 {
            assert!(trial.is_troubled(), "a graceful stop takes it back");
            trial.hand.advance(Duration::from_secs(31));
        }
        assert_eq!(alive().await, 0, "{}", trial.what());
    })
    .await;
}

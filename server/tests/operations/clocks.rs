//! Clocks that jump by an hour, the database's and a process's: leases and schedules follow the database's clock,
//! a worker's own patience follows its monotonic one, and no run is lost or done twice.

use std::{pin::pin, time::Duration};

use app::{
    operations::model::{Outcome, StartOperation, Status},
    time::Micros,
};
use server::{
    clock::ManualClock,
    operations::timer::Schedule,
    store::{
        Db, Sql,
        testing::{self, Engine},
    },
    vault::ChainKeys,
};
use tokio_util::sync::CancellationToken;

use super::{
    invariants,
    kit::{Effects, Kit, request},
    trial::{START, on_schedule_through_every_fault, through_every_fault},
};

const HOUR: i64 = 3_600 * Micros::SECOND;

/// Another process on the same database, whose wall clock is wrong by so much.
async fn process(engine: &Engine, hand: &ManualClock, effects: &Effects, skew: i64) -> Kit {
    let db = Db::open(&engine.config, hand.process(skew)).await.expect("the database opens again");
    db.chain_with(ChainKeys::for_tests());
    Kit::sharing(&db, effects.clone(), Vec::new())
}

/// Works on a run until it waits at its gate, then does `then` beside it, then lets it go to its end.
async fn beside_its_work(kit: &Kit, id: i64, then: impl AsyncFnOnce()) {
    let stop = CancellationToken::new();
    let worker = kit.worker("first");
    let mut work = pin!(worker.work_one(&stop));
    tokio::select! {
        done = &mut work => panic!("the gate is closed: {done:?}"),
        () = waits(kit, id, 1) => {}
    }
    tokio::select! {
        done = &mut work => panic!("the gate is closed: {done:?}"),
        () = then() => {}
    }
    kit.effects.gate.add_permits(1);
    work.await.expect("the store answers");
}

async fn waits(kit: &Kit, id: i64, times: usize) {
    while kit.effects.count(&format!("{id}:waits")) < times {
        tokio::task::yield_now().await;
    }
}

/// Ten seconds pass, and the worker has said so to the database.
async fn beat(kit: &Kit, hand: &ManualClock, id: i64) {
    let before = confirmed(kit, id).await;
    hand.advance(Duration::from_secs(10));
    while confirmed(kit, id).await == before {
        tokio::task::yield_now().await;
    }
    // The answer reaches it a moment later: then both its heartbeat and its patience sleep ten seconds more.
    let ten = Duration::from_secs(10);
    for _ in 0..20_000 {
        if hand.sleepers().iter().filter(|left| **left == ten).count() >= 2 {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn confirmed(kit: &Kit, id: i64) -> (i64, i64) {
    let sql = Sql::new(
        "SELECT COALESCE(heartbeat_at, 0) AS at, expires_at FROM operation_leases WHERE run_id = ",
    );
    let row = kit.db.fetch_one(sql.arg(id)).await.expect("it is held");
    (row.i64("at").expect("a time"), row.i64("expires_at").expect("a time"))
}

async fn ended_once(kit: &Kit, id: i64, attempt: i64) {
    let detail = kit.get(id).await;
    assert_eq!((detail.run.outcome, detail.run.attempt), (Outcome::Succeeded, attempt));
    for step in ["first", "last"] {
        assert_eq!(kit.effects.count(&format!("{id}:{step}")), 1, "{step}");
    }
    invariants::hold_to_the_end(&kit.db, "in the end").await;
}

#[tokio::test]
async fn a_worker_keeps_its_run_when_the_clock_jumps_and_it_says_so_in_time() {
    for by in [HOUR, -HOUR] {
        for (engine, hand) in testing::engines_at(START).await {
            let kit = Kit::on(&engine.db);
            let run = kit.start("test.gated").await;
            beside_its_work(&kit, run.id, async || {
                hand.jump(by);
                beat(&kit, &hand, run.id).await;
                kit.service.timer().tick().await.expect("looks");
                kit.work_all("second").await.expect("works");
                beat(&kit, &hand, run.id).await;
                hand.jump(-by);
                beat(&kit, &hand, run.id).await;
                kit.service.timer().tick().await.expect("looks");
                kit.work_all("second").await.expect("works");
            })
            .await;
            ended_once(&kit, run.id, 1).await;
            assert_eq!(kit.effects.count(&format!("{}:passed", run.id)), 1);
        }
    }
}

/// To the database the lease is over: another takes the run, and the first, which lives, writes nothing more.
#[tokio::test]
async fn a_jump_ahead_hands_the_run_on_and_still_one_worker_ends_it() {
    for (engine, hand) in testing::engines_at(START).await {
        let kit = Kit::on(&engine.db);
        let run = kit.start("test.gated").await;
        let stop = CancellationToken::new();
        let (one, other) = (kit.worker("first"), kit.worker("second"));
        let mut first = pin!(one.work_one(&stop));
        tokio::select! {
            done = &mut first => panic!("the gate is closed: {done:?}"),
            () = waits(&kit, run.id, 1) => {}
        }
        hand.jump(HOUR);
        kit.service.timer().tick().await.expect("looks");
        assert_eq!(kit.get(run.id).await.run.status, Status::Queued);
        let mut second = pin!(other.work_one(&stop));
        tokio::select! {
            done = &mut first => panic!("the gate is closed: {done:?}"),
            done = &mut second => panic!("the gate is closed: {done:?}"),
            () = waits(&kit, run.id, 2) => {}
        }
        // Both pass; the first finds its lease gone.
        kit.effects.gate.add_permits(2);
        let (first, second) = futures::join!(first, second);
        assert!(first.expect("works") && second.expect("works"));
        ended_once(&kit, run.id, 2).await;
    }
}

#[tokio::test]
async fn a_dead_workers_run_is_taken_up_in_a_minute_though_the_clock_went_back() {
    for (engine, hand) in testing::engines_at(START).await {
        let kit = Kit::on(&engine.db);
        let run = kit.start("test.gated").await;
        let stop = CancellationToken::new();
        let worker = kit.worker("dies");
        tokio::select! {
            done = worker.work_one(&stop) => panic!("the gate is closed: {done:?}"),
            () = waits(&kit, run.id, 1) => {}
        }
        hand.jump(-HOUR);
        kit.service.timer().tick().await.expect("looks");
        assert_eq!(kit.get(run.id).await.run.status, Status::Running, "it may live");
        hand.advance(Duration::from_secs(31));
        kit.service.timer().tick().await.expect("looks");
        kit.effects.gate.add_permits(1);
        kit.work_all("second").await.expect("works");
        ended_once(&kit, run.id, 2).await;
    }
}

/// Replicas whose wall clocks are two hours apart judge a lease alike, by the database's clock. (On SQLite, where
/// one process holds the file, its clock is the database's.)
#[tokio::test]
async fn leases_are_judged_by_the_databases_clock_alone() {
    for (engine, hand) in testing::engines_at(START).await {
        if engine.dialect() == server::store::Dialect::Sqlite {
            continue;
        }
        let effects = Effects::default();
        let ahead = process(&engine, &hand, &effects, HOUR).await;
        let behind = process(&engine, &hand, &effects, -HOUR).await;
        let run = behind.start("test.gated").await;
        beside_its_work(&ahead, run.id, async || {
            for skew in [-2 * HOUR, 3 * HOUR, 0] {
                ahead.db.clock().set_askew(skew);
                beat(&behind, &hand, run.id).await;
                for kit in [&ahead, &behind] {
                    kit.service.timer().tick().await.expect("looks");
                    kit.work_all("second").await.expect("works");
                }
            }
        })
        .await;
        ended_once(&behind, run.id, 1).await;

        let run = ahead.start("test.gated").await;
        let stop = CancellationToken::new();
        let worker = behind.worker("dies");
        tokio::select! {
            done = worker.work_one(&stop) => panic!("the gate is closed: {done:?}"),
            () = waits(&behind, run.id, 1) => {}
        }
        hand.advance(Duration::from_secs(29));
        ahead.service.timer().tick().await.expect("looks");
        assert_eq!(ahead.get(run.id).await.run.status, Status::Running);
        hand.advance(Duration::from_secs(2));
        behind.service.timer().tick().await.expect("looks");
        effects.gate.add_permits(1);
        ahead.work_all("second").await.expect("works");
        ended_once(&ahead, run.id, 2).await;
    }
}

/// A worker that hears nothing counts its own seconds: a wall clock that is set neither hurries nor comforts it.
#[tokio::test]
async fn a_worker_gives_up_by_its_own_monotonic_clock() {
    for by in [HOUR, -HOUR] {
        for (engine, hand) in testing::engines_at(START).await {
            let faults = server::store::Faults::none();
            let broken = engine.with_faults(&faults).await;
            let effects = Effects::default();
            let kit = Kit::sharing(&broken, effects, Vec::new());
            let run = Kit::on(&engine.db).start("test.gated").await;
            let stop = CancellationToken::new();
            let worker = kit.worker("cut off");
            let mut work = pin!(worker.work_one(&stop));
            tokio::select! {
                done = &mut work => panic!("the gate is closed: {done:?}"),
                () = waits(&kit, run.id, 1) => {}
            }
            faults.cut();
            hand.jump(by);
            for _ in 0..199 {
                hand.advance(Duration::from_millis(100));
                for _ in 0..8 {
                    tokio::select! {
                        biased;
                        _ = &mut work => panic!("it gave up early"),
                        () = tokio::task::yield_now() => {}
                    }
                }
            }
            hand.advance(Duration::from_millis(100));
            work.await.expect("it gave up without a word");
        }
    }
}

#[tokio::test]
async fn what_waits_in_the_queue_is_started_once_however_the_clock_jumps() {
    for (engine, hand) in testing::engines_at(START).await {
        let kit = Kit::on(&engine.db);
        let soon = Some(START.plus(HOUR / 2));
        let planned = StartOperation { scheduled_at: soon, ..request("test.steps") };
        let times = |id: i64| kit.effects.count(&format!("{id}:first"));

        // Back: who asked for now does not wait for an hour; who asked for a time gets that time.
        let at_once = kit.start("test.steps").await;
        let later = kit.ask(planned.clone()).await.expect("started");
        hand.jump(-HOUR);
        kit.work_all("w").await.expect("works");
        assert_eq!((times(at_once.id), times(later.id)), (1, 0));
        hand.advance(Duration::from_mins(90) - Duration::from_secs(1));
        kit.work_all("w").await.expect("works");
        assert_eq!(times(later.id), 0);
        hand.advance(Duration::from_secs(1));
        kit.work_all("w").await.expect("works");
        assert_eq!(times(later.id), 1);

        // Ahead, and back again.
        let soon = Some(START.plus(HOUR));
        let planned = StartOperation { scheduled_at: soon, ..planned };
        let later = kit.ask(planned).await.expect("started");
        hand.jump(HOUR);
        kit.work_all("w").await.expect("works");
        hand.jump(-HOUR);
        kit.work_all("w").await.expect("works");
        hand.advance(Duration::from_hours(2));
        kit.work_all("w").await.expect("works");
        assert_eq!((times(at_once.id), times(later.id)), (1, 1));
        invariants::hold_to_the_end(&kit.db, "in the end").await;
    }
}

#[tokio::test]
async fn schedules_go_on_in_step_with_a_clock_that_was_set() {
    for (engine, hand) in testing::engines_at(START).await {
        let schedules = || {
            vec![
                Schedule::new("often", "test.steps", "*/5 * * * *", "every 5 minutes"),
                Schedule::new("daily", "test.full", "30 15 * * *", "daily"),
            ]
        };
        let kit = Kit::sharing(&engine.db, Effects::default(), schedules());
        let other = Kit::sharing(&engine.again().await, kit.effects.clone(), schedules());
        let look = async || {
            for kit in [&kit, &other, &kit] {
                kit.service.timer().tick().await.expect("looks");
                kit.work_all("w").await.expect("works");
            }
        };
        let runs = async |kind: &'static str| {
            let sql = Sql::new("SELECT COUNT(*) AS n FROM operation_runs WHERE type = ").arg(kind);
            kit.count(sql).await
        };
        // START is 2026-09-21T14:13:20Z.
        look().await;
        assert_eq!(runs("test.steps").await, 0);
        hand.advance(Duration::from_mins(5));
        look().await;
        assert_eq!(runs("test.steps").await, 1, "14:15");

        hand.jump(HOUR);
        look().await;
        assert_eq!(runs("test.steps").await, 2, "one for all that the jump left out");
        hand.advance(Duration::from_mins(15));
        look().await;
        assert_eq!(runs("test.full").await, 1, "15:30");
        let often = runs("test.steps").await;

        // 14:33 again. The next tick is never further away than two of the expression's.
        hand.jump(-HOUR);
        look().await;
        assert_eq!(runs("test.steps").await, often, "no tick has come");
        for minute in 1..=60 {
            hand.advance(Duration::from_mins(1));
            look().await;
            let ticks = runs("test.steps").await - often;
            assert!(
                (minute / 5 - 2..=minute / 5 + 1).contains(&ticks),
                "{ticks} in {minute} minutes"
            );
        }
        assert_eq!(runs("test.full").await, 1, "the day has had its run");
        invariants::hold_to_the_end(&kit.db, "in the end").await;
    }
}

/// The clock jumps while the store fails, loses an answer or is late, at each statement.
#[tokio::test]
async fn a_jump_amid_troubles_loses_no_run_and_repeats_no_step() {
    for by in [HOUR, -HOUR] {
        through_every_fault(20, async |trial| {
            trial.close_the_gate();
            let run = trial.kit.start("test.gated").await;
            trial
                .at_the_gate(run.id, async |_| {
                    trial.hand.jump(by);
                    let _ = trial.faulty.service.timer().tick().await;
                    trial.kit.effects.gate.add_permits(1);
                })
                .await;
            // For the next worker, where a jump ahead took the run from the first.
            trial.kit.effects.gate.add_permits(1);
            trial.recover(run.id).await;
            trial.ended(run.id, Outcome::Succeeded, &["first", "last"]).await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_schedule_keeps_step_with_a_jump_amid_troubles() {
    on_schedule_through_every_fault(5, async |trial| {
        let runs = || trial.kit.count(Sql::new("SELECT COUNT(*) AS n FROM operation_runs"));
        let look = async || {
            let _ = trial.faulty.service.timer().tick().await;
            trial.kit.service.timer().tick().await.expect("looks");
            // A tick is left out while the last one's run has not ended.
            trial.kit.work_all("w").await.expect("works");
        };
        trial.kit.service.timer().tick().await.expect("looks");
        let before = runs().await;
        trial.hand.jump(HOUR);
        look().await;
        assert_eq!(runs().await, before + 1, "one for all left out: {}", trial.what());
        trial.hand.jump(-HOUR);
        look().await;
        // A look that came late may have met the next one.
        let more = runs().await - before - 1;
        assert!((0..=i64::from(trial.is_late())).contains(&more), "{more} more: {}", trial.what());
    })
    .await;
}

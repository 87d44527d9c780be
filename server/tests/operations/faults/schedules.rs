//! Schedules and leases, whose times are the database's.

use std::time::Duration;

use app::{
    operations::model::{Outcome, Status},
    time::Micros,
};
use jiff::{Timestamp, tz::TimeZone};
use server::{
    operations::schedule::Schedule,
    store::{Db, Dialect, Fault, Faults, testing},
};

use super::{
    super::{
        invariants,
        kit::{Effects, Kit},
        trial::{START, on_schedule_through_every_fault, on_stage, through_every_fault},
    },
    runs,
};

const HOUR: i64 = 3_600 * Micros::SECOND;

#[tokio::test]
async fn missed_ticks_run_once_and_none_beside_one_that_has_not_ended() {
    on_schedule_through_every_fault(10, async |trial| {
        trial.kit.service.timer().tick().await.expect("looks");
        trial.kit.work_all("w").await.expect("works");
        let before = trial.kit.count(runs()).await;
        trial.hand.advance(Duration::from_hours(3));
        trial.look().await;
        assert_eq!(trial.kit.count(runs()).await, before + 1, "{}", trial.what());
        trial.hand.advance(Duration::from_mins(5));
        trial.look().await;
        assert_eq!(trial.kit.count(runs()).await, before + 1, "beside it: {}", trial.what());
        trial.work().await;
        let last = server::store::Sql::new("SELECT MAX(id) AS n FROM operation_runs");
        let id = trial.kit.count(last).await;
        trial.recover(id).await;
        trial.ended(id, Outcome::Succeeded, &["first", "second:1"]).await;
    })
    .await;
}

/// Sixteen timers look at once, and every few statements of theirs fail, or are done and lose their answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_timers_amid_troubles_start_one_run_per_tick() {
    for fault in [Fault::Fail, Fault::LoseAnswer, Fault::Lock] {
        for (engine, hand) in testing::engines_at(START).await {
            let what = format!("{fault:?} on {}", engine.dialect().as_str());
            let schedule = || Schedule::new("s", "test.steps", "*/5 * * * *", "every 5 minutes");
            let whole = Kit::sharing(&engine.db, Effects::default(), vec![schedule()]);
            let mut replicas = Vec::new();
            // Each fails at other statements than its neighbours.
            for every in [5, 7, 11, 13] {
                let db = engine.with_faults(&Faults::every(every, fault.clone())).await;
                replicas.push(Kit::sharing(&db, whole.effects.clone(), vec![schedule()]));
            }
            whole.service.timer().tick().await.expect("looks");
            for n in 1..=12 {
                hand.advance(Duration::from_mins(5));
                let timers = (0..16).map(|timer| replicas[timer % 4].service.timer());
                let looks = timers.map(|timer| tokio::spawn(async move { timer.tick().await }));
                for looked in futures::future::join_all(looks).await {
                    // One that failed looks again in a second.
                    let _ = looked.expect("no panic");
                }
                whole.service.timer().tick().await.expect("looks");
                assert_eq!(whole.count(runs()).await, n, "{what}");
                whole.work_all("w").await.expect("works");
            }
            invariants::hold_to_the_end(&engine.db, &what).await;
        }
    }
}

/// One run on each day of change, year after year.
async fn once_on_each_day_of_change(zone: &str, cron: &'static str, start: &str) {
    let zone = TimeZone::get(zone).expect("a zone");
    let schedule = || Schedule::new("s", "test.steps", cron, "daily").in_zone(&zone);
    let kit = async |db: &Db, effects: Effects| Kit::sharing(db, effects, vec![schedule()]);
    on_stage(5, start.parse().expect("a time"), kit, async |trial| {
        let settle = async || {
            trial.kit.service.timer().tick().await.expect("looks");
            trial.kit.work_all("w").await.expect("works");
        };
        settle().await;
        let now = trial.kit.db.now().await.expect("a time");
        let now = Timestamp::from_microsecond(now.0).expect("a time");
        let change = zone.following(now).next().expect("the clock is changed each year");
        // Three hours before it, with all that came before done.
        let wait = change.timestamp().duration_since(now).as_secs() - 3 * 3_600;
        trial.hand.advance(Duration::from_secs(u64::try_from(wait).expect("it is far")));
        settle().await;
        let before = trial.kit.count(runs()).await;
        for _ in 0..12 {
            trial.hand.advance(Duration::from_mins(30));
            trial.look().await;
            trial.kit.work_all("w").await.expect("works");
        }
        let started = trial.kit.count(runs()).await - before;
        assert_eq!(started, 1, "around {}: {}", change.timestamp(), trial.what());
    })
    .await;
}

#[tokio::test]
async fn a_daily_run_happens_once_where_its_time_is_left_out_or_comes_twice() {
    once_on_each_day_of_change("Europe/Berlin", "30 2 * * *", "2026-01-01T12:00:00Z").await;
}

#[tokio::test]
async fn a_daily_run_happens_once_where_midnight_is_left_out_or_comes_twice() {
    once_on_each_day_of_change("America/Santiago", "0 0 * * *", "2026-01-01T12:00:00Z").await;
}

#[tokio::test]
async fn a_dead_workers_run_is_taken_up_though_the_clock_went_back() {
    through_every_fault(5, async |trial| {
        trial.close_the_gate();
        let run = trial.kit.start("test.gated").await;
        trial.killed_at_the_gate(run.id).await;
        trial.hand.jump(-HOUR);
        trial.look().await;
        if !trial.is_late() {
            let status = trial.kit.get(run.id).await.run.status;
            assert_eq!(status, Status::Running, "it may live: {}", trial.what());
        }
        trial.hand.advance(Duration::from_secs(31));
        trial.look().await;
        trial.kit.effects.gate.add_permits(1);
        trial.work().await;
        trial.kit.effects.gate.add_permits(1);
        trial.recover(run.id).await;
        trial.hand.jump(HOUR);
        trial.ended(run.id, Outcome::Succeeded, &["first", "passed", "last"]).await;
        let attempt = trial.kit.get(run.id).await.run.attempt;
        let fine = attempt == 2 || attempt == 3 && trial.is_troubled();
        assert!(fine, "attempt {attempt}: {}", trial.what());
    })
    .await;
}

/// (On SQLite, where one process holds the file, its clock is the database's.)
#[tokio::test]
async fn leases_are_judged_by_the_databases_clock_alone() {
    through_every_fault(0, async |trial| {
        if trial.dialect == Dialect::Sqlite {
            return;
        }
        trial.close_the_gate();
        let run = trial.kit.start("test.gated").await;
        trial
            .at_the_gate(run.id, async |_| {
                for skew in [-2 * HOUR, 3 * HOUR, 0] {
                    trial.faulty.db.clock().set_askew(skew);
                    trial.look().await;
                    let now = trial.kit.get(run.id).await.run;
                    let held = (now.status, now.attempt) == (Status::Running, 1);
                    assert!(held || trial.is_late(), "{now:?}: {}", trial.what());
                }
                trial.kit.effects.gate.add_permits(1);
            })
            .await;
        trial.faulty.db.clock().set_askew(0);
        trial.kit.effects.gate.add_permits(1);
        trial.recover(run.id).await;
        trial.ended(run.id, Outcome::Succeeded, &["first", "passed", "last"]).await;
    })
    .await;
}

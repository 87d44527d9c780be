//! Schedules shared by many timers, and across changes of the clock, on both engines.

use std::time::Duration;

use app::time::Micros;
use server::{
    operations::schedule::Schedule,
    store::{Sql, testing},
};

use super::kit::{Effects, Kit};

fn at(text: &str) -> Micros {
    text.parse().expect("a time")
}

fn runs() -> Sql {
    Sql::new("SELECT COUNT(*) AS n FROM operation_runs")
}

/// Sixteen timers with connections of their own look at once, again and again: each tick is one run.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_timers_start_one_run_per_tick() {
    for (engine, hand) in testing::engines_at(at("2026-06-01T00:00:30Z")).await {
        let schedule = || Schedule::new("s", "test.steps", "*/5 * * * *", "every 5 minutes");
        let effects = Effects::default();
        let mut replicas = Vec::new();
        for _ in 0..4 {
            let db = engine.again().await;
            replicas.push(Kit::sharing(&db, effects.clone(), vec![schedule()]));
        }
        let look = async || {
            let timers = (0..16).map(|n| replicas[n % 4].service.timer());
            let looks = timers.map(|timer| tokio::spawn(async move { timer.tick().await }));
            for looked in futures::future::join_all(looks).await {
                looked.expect("no panic").expect("the store answers");
            }
        };
        look().await;
        for n in 1..=6 {
            hand.advance(Duration::from_mins(5));
            look().await;
            assert_eq!(replicas[0].count(runs()).await, n);
            replicas[1].work_all("w").await.expect("works");
        }
        let starts = Sql::new(
            "SELECT COUNT(*) AS n FROM audit_log WHERE action = 'platform.operations.start'",
        );
        assert_eq!(replicas[0].count(starts).await, 6, "each with its audit row");
    }
}

/// The minute before each change to the minute after it, second by second: what the store starts is what the
/// expression says, once.
#[tokio::test]
async fn a_daily_run_happens_once_on_the_days_of_change() {
    // Berlin in spring, where 2:30 is skipped; New York in autumn, where 1:30 comes twice; Santiago in spring, where
    // the day begins at 1:00.
    for (zone, cron, from, first, again) in [
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2026-03-29T00:55:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-30T00:30:00Z",
        ),
        (
            "America/New_York",
            "30 1 * * *",
            "2026-11-01T05:00:00Z",
            "2026-11-01T05:30:00Z",
            "2026-11-02T06:30:00Z",
        ),
        (
            "America/Santiago",
            "0 0 * * *",
            "2026-09-06T03:30:00Z",
            "2026-09-06T04:00:00Z",
            "2026-09-07T03:00:00Z",
        ),
    ] {
        for (engine, hand) in testing::engines_at(at(from)).await {
            let zone = jiff::tz::TimeZone::get(zone).expect("a zone");
            let schedule = Schedule::new("s", "test.steps", cron, "daily").in_zone(&zone);
            let kit = Kit::sharing(&engine.db, Effects::default(), vec![schedule]);
            let timer = kit.service.timer();
            let mut started = Vec::new();
            timer.tick().await.expect("looks");
            while engine.db.now().await.expect("a time") < at(again).plus(60 * Micros::SECOND) {
                hand.advance(Duration::from_mins(5));
                timer.tick().await.expect("looks");
                let count = kit.count(runs()).await;
                if count > i64::try_from(started.len()).expect("few") {
                    started.push(engine.db.now().await.expect("a time"));
                    kit.work_all("w").await.expect("works");
                }
            }
            assert_eq!(started, [at(first), at(again)], "{cron} in {zone:?}");
        }
    }
}

/// A clock that was set forward starts what it jumped over once; one that was set back does not silence a schedule.
#[tokio::test]
async fn a_clock_that_jumps_loses_no_tick_for_long() {
    for (engine, hand) in testing::engines_at(at("2026-06-01T00:00:30Z")).await {
        let schedule = || Schedule::new("s", "test.steps", "*/5 * * * *", "every 5 minutes");
        let kit = Kit::sharing(&engine.db, Effects::default(), vec![schedule()]);
        kit.service.timer().tick().await.expect("looks");
        hand.advance(Duration::from_hours(48));
        kit.service.timer().tick().await.expect("looks");
        assert_eq!(kit.count(runs()).await, 1, "two days of ticks are one run");
        kit.work_all("w").await.expect("works");
        // Back by two days: the same database, seen by a clock that never jumped.
        let (clock, hand) = server::clock::Clock::manual(at("2026-06-01T00:01:00Z"));
        let db = server::store::Db::open(&engine.config, clock).await.expect("opens");
        db.chain_with(server::vault::ChainKeys::for_tests());
        let kit = Kit::sharing(&db, Effects::default(), vec![schedule()]);
        kit.service.timer().tick().await.expect("looks");
        hand.advance(Duration::from_mins(5));
        kit.service.timer().tick().await.expect("looks");
        assert_eq!(kit.count(runs()).await, 2, "the next tick of this clock counts");
    }
}

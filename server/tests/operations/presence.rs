//! Processes that work say so, on both engines, and what the engine counted stands among the metrics by name.

use std::time::Duration;

use app::{
    identity::permit,
    operations::{View, workers::Workers as _},
    time::Micros,
};
use server::{
    clock::{Clock, Rng},
    store::{Sql, testing},
    tasks::Tasks,
    web::metrics::Metrics,
};

use super::kit::Kit;

const START: Micros = Micros(1_790_000_000_000_000);

#[tokio::test]
async fn a_process_that_works_is_seen_until_it_stops() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let permit = permit::<View>(&kit.admin).await.expect("may look");
        let tasks = Tasks::new(Clock::system(), Rng::system());
        kit.service.spawn(&tasks, &[], 2);
        let found = testing::eventually("the process is there", async || {
            Ok(kit.service.workers(&permit).await.expect("the store answers").pop())
        })
        .await;
        assert_eq!((found.workers, found.queues.as_slice()), (2, ["test".to_owned()].as_slice()));
        assert!(found.alive && found.name.ends_with(&format!(":{}", std::process::id())));
        assert!(tasks.shutdown(Duration::from_secs(30)).await.is_empty());
        let left = kit.service.workers(&permit).await.expect("the store answers");
        assert!(left.is_empty(), "a graceful stop takes it back: {left:?}");
    }
}

#[tokio::test]
async fn a_process_without_workers_says_nothing_and_one_that_was_killed_is_gone() {
    for (engine, hand) in testing::engines_at(START).await {
        let kit = Kit::on(&engine.db);
        let permit = permit::<View>(&kit.admin).await.expect("may look");
        let (clock, _hand) = Clock::manual(START);
        let tasks = Tasks::new(clock, Rng::system());
        kit.service.spawn(&tasks, &[], 0);
        assert!(tasks.states().iter().all(|task| task.name != "operations.presence"));
        let mut tx = engine.db.begin().await.expect("a write");
        let row = Sql::new("INSERT INTO operation_workers (id, name, queues, workers, version, started_at, heartbeat_at) VALUES ('k', 'h:1', '[\"test\"]', 1, '0', ")
            .arg(START)
            .push(", ")
            .arg(START)
            .push(")");
        tx.execute(row).await.expect("a row");
        tx.commit(Vec::new()).await.expect("a commit");
        hand.advance(Duration::from_secs(30));
        assert!(kit.service.workers(&permit).await.expect("answers")[0].alive);
        hand.advance(Duration::from_secs(1));
        assert!(!kit.service.workers(&permit).await.expect("answers")[0].alive);
    }
}

/// What one line of the text says; none when the name is not there.
fn value(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.split(' ').next() == Some(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn metrics_tell_by_name_what_runs_did() {
    for (engine, hand) in testing::engines_at(START).await {
        let kit = Kit::on(&engine.db);
        let service = kit.service.clone();
        let metrics = Metrics::new()
            .counting(|registry| engine.db.waits().register(registry))
            .counting(|registry| kit.service.measures().register(registry))
            .asking("operations", server::operations::gauges::GAUGES, move || {
                let service = service.clone();
                async move { service.samples().await }
            });
        let tasks = Tasks::new(Clock::system(), Rng::system());
        let clock = Clock::system();
        let run = kit.start("test.steps").await;
        hand.advance(Duration::from_secs(3));
        kit.start("test.fail").await;
        kit.work_all("w").await.expect("works");
        let lost = kit.start("test.steps").await;
        kit.worker("killed").claim().await.expect("answers").expect("a run");
        hand.advance(Duration::from_secs(31));
        kit.service.timer().tick().await.expect("looks");
        let waits = app::operations::model::StartOperation {
            scheduled_at: Some(START.plus(86_400 * Micros::SECOND)),
            ..super::kit::request("test.steps")
        };
        kit.ask(waits).await.expect("started");
        let text = metrics.encode(&tasks, &clock).await.expect("text");
        for (name, wanted) in [
            ("quarterdeck_operations_queued_runs{queue=\"test\",state=\"due\"}", 1.0),
            ("quarterdeck_operations_queued_runs{queue=\"test\",state=\"waiting\"}", 1.0),
            ("quarterdeck_operations_active_runs{queue=\"test\"}", 0.0),
            ("quarterdeck_operations_claim_latency_seconds_count{queue=\"test\"}", 3.0),
            ("quarterdeck_operations_claim_latency_seconds_sum{queue=\"test\"}", 3.0),
            ("quarterdeck_operations_lease_losses_total", 1.0),
            ("quarterdeck_operations_runs_total{type=\"test.steps\",outcome=\"succeeded\"}", 1.0),
            ("quarterdeck_operations_runs_total{type=\"test.fail\",outcome=\"failed\"}", 1.0),
            ("quarterdeck_operations_run_duration_seconds_count{type=\"test.steps\"}", 1.0),
        ] {
            assert_eq!(value(&text, name), Some(wanted), "{name} in {text}");
        }
        let wait = match engine.dialect() {
            server::store::Dialect::Sqlite => "quarterdeck_store_writer_wait_seconds_count",
            server::store::Dialect::Postgres => {
                "quarterdeck_store_pool_wait_seconds_count{pool=\"writers\"}"
            }
        };
        assert!(value(&text, wait).is_some_and(|n| n > 5.0), "{wait} in {text}");
        assert!(lost.id > run.id);
    }
}

/// A store that does not answer leaves its gauges out; what was counted here stands.
#[tokio::test]
async fn what_could_not_be_read_is_left_out() {
    use server::store::{Fault, Faults};
    for engine in testing::engines().await {
        let faults = Faults::none();
        let broken = engine.with_faults(&faults).await;
        let kit = Kit::on(&broken);
        let service = kit.service.clone();
        let metrics = Metrics::new()
            .counting(|registry| kit.service.measures().register(registry))
            .asking("operations", server::operations::gauges::GAUGES, move || {
                let service = service.clone();
                async move { service.samples().await }
            });
        let (clock, hand) = Clock::manual(START);
        let tasks = Tasks::new(clock.clone(), Rng::system());
        let gauge = "quarterdeck_operations_active_runs{queue=\"test\"}";
        let text = metrics.encode(&tasks, &clock).await.expect("text");
        assert_eq!(value(&text, gauge), Some(0.0), "counted: {text}");
        for n in 1..=3 {
            faults.add(n, Fault::Fail);
        }
        let text = metrics.encode(&tasks, &clock).await.expect("text");
        assert_eq!(value(&text, gauge), Some(0.0), "as of a moment ago");
        hand.advance(Duration::from_secs(6));
        let text = metrics.encode(&tasks, &clock).await.expect("text");
        assert_eq!(value(&text, gauge), None, "no zero is invented: {text}");
        assert_eq!(value(&text, "quarterdeck_operations_lease_losses_total"), Some(0.0));
    }
}

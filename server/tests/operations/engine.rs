//! Starting operations and doing them, on both engines.

use std::time::Duration;

use super::kit::{Effects, Kit, request};
use app::{
    error::{ApiError, Conflict, Rule, Thing, Violation},
    identity::{Capability, Reach},
    operations::{
        Operations as _,
        model::{Outcome, StartOperation, Status, StepStatus},
    },
    time::Micros,
};
use serde_json::json;
use server::{
    operations::schedule::Schedule,
    store::{Sql, testing},
};
use tokio_util::sync::CancellationToken;

const START: Micros = Micros(1_790_000_000_000_000);

#[tokio::test]
async fn a_run_goes_from_the_queue_to_its_end_and_leaves_its_traces() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let input = json!({"count": 41, "password": "hunter22"});
        let run =
            kit.ask(StartOperation { input, ..request("test.steps") }).await.expect("started");
        assert_eq!((run.status, run.outcome, run.attempt), (Status::Queued, Outcome::Pending, 0));
        assert_eq!((run.workspace.name.as_str(), run.type_label.as_str()), ("platform", "Steps"));
        assert_eq!(run.input["password"], "‹hidden›");
        kit.work_all("w").await.expect("works");
        let detail = kit.get(run.id).await;
        assert_eq!(
            (detail.run.status, detail.run.outcome),
            (Status::Completed, Outcome::Succeeded)
        );
        assert!(detail.run.started_at >= Some(run.created_at));
        assert!(detail.run.completed_at >= detail.run.started_at);
        let steps: Vec<_> =
            detail.steps.iter().map(|s| (s.position, s.name.as_str(), s.status)).collect();
        assert_eq!(
            steps,
            [(1, "first", StepStatus::Succeeded), (2, "second", StepStatus::Succeeded)]
        );
        assert_eq!(detail.steps[0].detail.as_deref(), Some("counted"));
        // The first step's value reached the second.
        assert_eq!(kit.effects.count(&format!("{}:second:42", run.id)), 1);
        let audit = |action: &'static str| {
            Sql::new("SELECT COUNT(*) AS n FROM audit_log WHERE decision = 'allowed' AND action = ")
                .arg(action)
                .push(" AND target_id = ")
                .arg(run.id.to_string())
        };
        assert_eq!(kit.count(audit("platform.operations.start")).await, 1);
        assert_eq!(kit.count(audit("platform.operations.finish")).await, 1);
        let leases = Sql::new("SELECT COUNT(*) AS n FROM operation_leases");
        assert_eq!(kit.count(leases).await, 0);
    }
}

#[tokio::test]
async fn a_failure_is_said_in_its_own_words_without_secrets() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let input = json!({"password": "hunter22"});
        let run = kit.ask(StartOperation { input, ..request("test.fail") }).await.expect("started");
        let panics = kit.start("test.panic").await;
        let last = kit.start("test.steps").await;
        kit.work_all("w").await.expect("works");
        let failed = kit.get(run.id).await;
        assert_eq!(failed.run.outcome, Outcome::Failed);
        let words = Some("pod web-7f9c6d5b-x2x1z said ‹hidden›");
        assert_eq!(failed.run.error_summary.as_deref(), words);
        assert_eq!(failed.steps[0].detail.as_deref(), words);
        assert_eq!(failed.run.error_fingerprint.as_ref().map(String::len), Some(16));
        let panicked = kit.get(panics.id).await;
        assert_eq!(panicked.run.error_summary.as_deref(), Some("It panicked: on purpose"));
        assert_eq!(panicked.steps[0].status, StepStatus::Failed);
        // The worker lives on.
        assert_eq!(kit.get(last.id).await.run.outcome, Outcome::Succeeded);
        let canary =
            Sql::new("SELECT COUNT(*) AS n FROM operation_logs WHERE line LIKE '%hunter22%'");
        assert_eq!(kit.count(canary).await, 0);
    }
}

#[tokio::test]
async fn what_may_not_be_started_names_its_field() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let base = || request("test.steps");
        let far = kit.db.now().await.expect("a time").plus(400 * 86_400 * Micros::SECOND);
        let wrong = [
            ("type", request("test.nonsense")),
            ("input.colour", StartOperation { input: json!({"colour": 1}), ..base() }),
            ("input.count", StartOperation { input: json!({"count": "x"}), ..base() }),
            ("input", StartOperation { input: json!([1]), ..base() }),
            ("priority", StartOperation { priority: Some(101), ..base() }),
            ("priority", StartOperation { priority: Some(-101), ..base() }),
            ("target", StartOperation { target: Some("edge".to_owned()), ..base() }),
            ("scheduled_at", StartOperation { scheduled_at: Some(far), ..base() }),
        ];
        for (field, request) in wrong {
            match kit.ask(request).await {
                Err(ApiError::Invalid(violations)) => assert_eq!(violations[0].field, field),
                other => panic!("{field}: {other:?}"),
            }
        }
        let missing = StartOperation { workspace_id: Some(99), ..base() };
        assert_eq!(kit.ask(missing).await, Err(ApiError::NotFound(Thing::Workspace)));
        let missing = StartOperation { tenant_id: Some(99), ..base() };
        assert_eq!(kit.ask(missing).await, Err(ApiError::NotFound(Thing::Tenant)));
        for key in ["", "a\nb", &"k".repeat(201)] {
            let refused = kit.service.start(&kit.admin, base(), Some(key)).await;
            assert!(matches!(refused, Err(ApiError::Invalid(_))), "{key:?}");
        }
        assert_eq!(kit.count(Sql::new("SELECT COUNT(*) AS n FROM operation_runs")).await, 0);
    }
}

#[tokio::test]
async fn who_may_not_start_is_refused_and_what_is_not_yours_is_not_there() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let viewer = testing::caller("v", vec![(Capability::OperationsView, Reach::Everything)]);
        let refused = kit.service.start(&viewer, request("test.steps"), None).await;
        assert_eq!(refused, Err(ApiError::Forbidden(Capability::OperationsManage)));
        let elsewhere = Reach::Workspaces([7].into());
        let other = testing::caller("o", vec![(Capability::OperationsManage, elsewhere)]);
        let refused = kit.service.start(&other, request("test.steps"), None).await;
        assert_eq!(refused, Err(ApiError::NotFound(Thing::Workspace)));
    }
}

#[tokio::test]
async fn one_key_makes_one_run() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let start = |priority, key: &'static str| {
            let kit = kit.clone();
            let request = StartOperation { priority: Some(priority), ..request("test.steps") };
            async move { kit.service.start(&kit.admin, request, Some(key)).await }
        };
        let racing = futures::future::join_all((0..8).map(|_| start(0, "race"))).await;
        let ids: Vec<_> = racing.iter().map(|s| s.as_ref().expect("started").run.id).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(racing.iter().filter(|s| s.as_ref().is_ok_and(|s| s.created)).count(), 1);
        let other = start(1, "race").await;
        assert_eq!(other, Err(ApiError::Conflict(Conflict::IdempotencyKeyReused)));
        assert!(start(1, "another").await.expect("started").created);
        // The key is the caller's own.
        let colleague =
            testing::caller("c", vec![(Capability::OperationsManage, Reach::Everything)]);
        let theirs = kit.service.start(&colleague, request("test.steps"), Some("race")).await;
        assert!(theirs.expect("started").created);
    }
}

#[tokio::test]
async fn many_workers_do_each_run_once_and_the_urgent_first() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let late = StartOperation { priority: Some(-5), ..request("test.steps") };
        let late = kit.ask(late).await.expect("started");
        let runs = futures::future::join_all((0..20).map(|_| kit.start("test.steps"))).await;
        let urgent = StartOperation { priority: Some(9), ..request("test.steps") };
        let urgent = kit.ask(urgent).await.expect("started");
        let tomorrow = kit.db.now().await.expect("a time").plus(86_400 * Micros::SECOND);
        let waits = StartOperation { scheduled_at: Some(tomorrow), ..request("test.steps") };
        let waits = kit.ask(waits).await.expect("started");
        let first = kit.worker("w").claim().await.expect("a claim").expect("a run");
        assert_eq!(first.facts.id, urgent.id);
        let stop = CancellationToken::new();
        kit.worker("w").work(first, &stop).await;
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        for worked in futures::future::join_all(names.map(|name| kit.work_all(name))).await {
            worked.expect("works");
        }
        for id in runs.iter().map(|run| run.id).chain([late.id, urgent.id]) {
            assert_eq!(kit.effects.count(&format!("{id}:first")), 1, "run {id}");
            assert_eq!(kit.get(id).await.run.outcome, Outcome::Succeeded);
        }
        assert_eq!(kit.get(waits.id).await.run.status, Status::Queued);
    }
}

#[tokio::test]
async fn a_lost_worker_is_replaced_and_what_it_finished_is_not_done_again() {
    for (engine, hand) in testing::engines_at(START).await {
        let kit = Kit::on(&engine.db);
        let run = kit.start("test.gated").await;
        kill_in_the_gate(&kit, run.id).await;
        let (timer, stop) = (kit.service.timer(), CancellationToken::new());
        hand.advance(Duration::from_secs(29));
        timer.tick().await.expect("looks");
        assert!(
            !kit.worker("second").work_one(&stop).await.expect("looks"),
            "the lease still holds"
        );
        hand.advance(Duration::from_secs(2));
        timer.tick().await.expect("looks");
        kit.effects.gate.add_permits(1);
        assert!(kit.worker("second").work_one(&stop).await.expect("works"));
        let detail = kit.get(run.id).await;
        assert_eq!((detail.run.outcome, detail.run.attempt), (Outcome::Succeeded, 2));
        assert_eq!(detail.steps.len(), 3);
        let effects = kit.effects.all();
        let id = run.id;
        let expected = ["first", "waits", "waits", "passed", "last"].map(|e| format!("{id}:{e}"));
        assert_eq!(effects, expected);
    }
}

/// A worker that is killed while its run waits in the second step: its future is dropped, as a kill drops all.
async fn kill_in_the_gate(kit: &Kit, id: i64) {
    let stop = CancellationToken::new();
    let worker = kit.worker("killed");
    let before = kit.effects.count(&format!("{id}:waits"));
    let mut work = Box::pin(worker.work_one(&stop));
    loop {
        tokio::select! {
            biased;
            done = &mut work => panic!("the gate is closed: {done:?}"),
            () = tokio::task::yield_now() => {}
        }
        if kit.effects.count(&format!("{id}:waits")) > before {
            return;
        }
    }
}

#[tokio::test]
async fn three_lost_workers_are_enough_and_unsafe_runs_never_run_again() {
    for (engine, hand) in testing::engines_at(START).await {
        let kit = Kit::on(&engine.db);
        let (timer, stop) = (kit.service.timer(), CancellationToken::new());
        let run = kit.start("test.gated").await;
        for _ in 0..3 {
            kill_in_the_gate(&kit, run.id).await;
            hand.advance(Duration::from_secs(31));
            timer.tick().await.expect("looks");
        }
        let detail = kit.get(run.id).await;
        assert_eq!((detail.run.outcome, detail.run.attempt), (Outcome::Failed, 3));
        assert_eq!(detail.run.error_summary.as_deref(), Some("Its worker was lost 3 times."));
        assert_eq!(detail.steps[1].status, StepStatus::Failed);
        assert!(!kit.worker("w").work_one(&stop).await.expect("looks"));

        let run = kit.start("test.unsafe").await;
        kill_in_the_gate(&kit, run.id).await;
        hand.advance(Duration::from_secs(31));
        timer.tick().await.expect("looks");
        assert!(!kit.worker("w").work_one(&stop).await.expect("looks"));
        assert_eq!(kit.get(run.id).await.run.status, Status::Running);
        hand.advance(Duration::from_mins(10));
        timer.tick().await.expect("looks");
        let detail = kit.get(run.id).await;
        assert_eq!((detail.run.outcome, detail.run.attempt), (Outcome::Failed, 1));
        let why = detail.run.error_summary.unwrap_or_default();
        assert!(why.contains("it moves money."), "{why}");
        assert_eq!(kit.effects.count(&format!("{}:waits", run.id)), 1);
    }
}

#[tokio::test]
async fn who_lost_the_lease_cannot_write() {
    for (engine, hand) in testing::engines_at(START).await {
        let kit = Kit::on(&engine.db);
        let (timer, stop) = (kit.service.timer(), CancellationToken::new());
        let run = kit.start("test.gated").await;
        let (stalled, second) = (kit.worker("stalled"), kit.worker("second"));
        let claimed = stalled.claim().await.expect("a claim").expect("the run");
        let mut work = Box::pin(stalled.work(claimed, &stop));
        while kit.effects.count(&format!("{}:waits", run.id)) == 0 {
            tokio::select! {
                biased;
                () = &mut work => panic!("the gate is closed"),
                () = tokio::task::yield_now() => {}
            }
        }
        // The first worker's process stands still (it is not polled) while its lease runs out.
        hand.advance(Duration::from_secs(31));
        timer.tick().await.expect("looks");
        // One for each: the first worker waits in front.
        kit.effects.gate.add_permits(2);
        assert!(second.work_one(&stop).await.expect("works"));
        let before = kit.get(run.id).await;
        assert_eq!((before.run.outcome, before.run.attempt), (Outcome::Succeeded, 2));
        // Now it wakes, finds its gate open, and has lost.
        work.await;
        assert_eq!(kit.get(run.id).await, before);
        assert_eq!(kit.effects.count(&format!("{}:last", run.id)), 1);
    }
}

#[tokio::test]
async fn a_worker_that_stops_finishes_its_step_and_gives_the_run_back() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let run = kit.start("test.gated").await;
        let (worker, stop) = (kit.worker("stopping"), CancellationToken::new());
        let mut work = Box::pin(worker.run(stop.clone()));
        while kit.effects.count(&format!("{}:waits", run.id)) == 0 {
            tokio::select! {
                biased;
                () = &mut work => panic!("it was not told to stop"),
                () = tokio::task::yield_now() => {}
            }
        }
        stop.cancel();
        kit.effects.gate.add_permits(1);
        work.await;
        let detail = kit.get(run.id).await;
        assert_eq!((detail.run.status, detail.steps.len()), (Status::Queued, 2));
        assert_eq!(detail.steps[1].status, StepStatus::Succeeded);
        kit.work_all("next").await.expect("works");
        assert_eq!(kit.get(run.id).await.run.outcome, Outcome::Succeeded);
        let id = run.id;
        let expected = ["first", "waits", "passed", "last"].map(|e| format!("{id}:{e}"));
        assert_eq!(kit.effects.all(), expected);
    }
}

#[tokio::test]
async fn a_target_with_a_limit_of_one_is_worked_on_by_one_of_sixteen() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        for n in 0..16 {
            let target = Some(if n % 4 == 3 { "cluster:b" } else { "cluster:a" }.to_owned());
            kit.ask(StartOperation { target, ..request("test.limited") }).await.expect("started");
        }
        let names: Vec<String> = (0..16).map(|n| format!("w{n}")).collect();
        while kit.effects.count("limited") < 16 {
            let all = names.iter().map(|name| kit.work_all(name));
            for worked in futures::future::join_all(all).await {
                worked.expect("works");
            }
        }
        // Two targets, one at a time each.
        assert!(kit.effects.most_at_once() <= 2, "{}", kit.effects.most_at_once());
        assert_eq!(kit.count(Sql::new("SELECT COUNT(*) AS n FROM operation_slots")).await, 0);
        let one = Kit::on(&engine.db);
        for _ in 0..8 {
            let target = Some("cluster:c".to_owned());
            one.ask(StartOperation { target, ..request("test.limited") }).await.expect("started");
        }
        while one.effects.count("limited") < 8 {
            let all = names.iter().map(|name| one.work_all(name));
            futures::future::join_all(all).await;
        }
        assert_eq!(one.effects.most_at_once(), 1);
    }
}

#[tokio::test]
async fn replicas_share_a_schedule() {
    for (engine, hand) in testing::engines_at(START).await {
        let schedule = || Schedule::new("s", "test.steps", "*/5 * * * *", "every 5 minutes");
        let effects = Effects::default();
        let mut replicas = Vec::new();
        for _ in 0..3 {
            let db = engine.again().await;
            replicas.push(Kit::sharing(&db, effects.clone(), vec![schedule()]));
        }
        let tick = || async {
            let timers = replicas.iter().map(|kit| async { kit.service.timer().tick().await });
            for ticked in futures::future::join_all(timers).await {
                ticked.expect("looks");
            }
        };
        let runs = || replicas[0].count(Sql::new("SELECT COUNT(*) AS n FROM operation_runs"));
        tick().await;
        assert_eq!(runs().await, 0, "the first tick is yet to come");
        for n in 1..=4 {
            hand.advance(Duration::from_mins(5));
            tick().await;
            tick().await;
            assert_eq!(runs().await, n);
            replicas[1].work_all("w").await.expect("works");
        }
        hand.advance(Duration::from_hours(3));
        tick().await;
        assert_eq!(runs().await, 5, "missed ticks run once");
        hand.advance(Duration::from_mins(5));
        tick().await;
        assert_eq!(runs().await, 5, "the last one has not ended");
        replicas[2].work_all("w").await.expect("works");
        let run = replicas[0].get(5).await.run;
        assert_eq!((run.initiator_kind.as_str(), run.outcome), ("schedule", Outcome::Succeeded));
    }
}

#[test]
fn a_violation_is_told_apart_by_its_rule() {
    // The sentence that the page shows for a type that does not exist names those that do.
    let violation = Violation::new("type", Rule::OneOf { allowed: vec!["a.b".to_owned()] });
    assert_eq!(violation.sentence(), "`type` must be one of a.b.");
}

//! What comes into the queue, and in which order it leaves.

use std::time::Duration;

use app::{
    error::{ApiError, Thing},
    operations::{
        Operations as _,
        model::{Outcome, StartOperation, Status},
    },
    time::Micros,
};
use serde_json::json;
use server::store::Sql;
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        kit::request,
        trial::{Trial, through_every_fault},
    },
    denied, refused, runs, viewer,
};

const HOUR: i64 = 3_600 * Micros::SECOND;

#[tokio::test]
async fn what_may_not_be_started_is_not_there() {
    through_every_fault(1, async |trial| {
        let before = trial.kit.count(runs()).await;
        let base = || request("test.steps");
        let wrong = [
            ("type", request("test.nonsense")),
            ("input.colour", StartOperation { input: json!({"colour": 1}), ..base() }),
            ("priority", StartOperation { priority: Some(101), ..base() }),
            ("target", StartOperation { target: Some("edge".to_owned()), ..base() }),
        ];
        for (field, request) in wrong {
            match trial.faulty.ask(request).await {
                Err(ApiError::Invalid(violations)) => assert_eq!(violations[0].field, field),
                Err(_) if trial.is_troubled() => {}
                other => panic!("{field}: {other:?}: {}", trial.what()),
            }
        }
        let nowhere = StartOperation { workspace_id: Some(99), ..base() };
        let answer = trial.faulty.ask(nowhere).await;
        let missing = answer == Err(ApiError::NotFound(Thing::Workspace));
        assert!(missing || answer.is_err() && trial.is_troubled(), "{answer:?}: {}", trial.what());
        assert_eq!(trial.kit.count(runs()).await, before, "{}", trial.what());
    })
    .await;
}

#[tokio::test]
async fn who_may_not_start_starts_nothing() {
    through_every_fault(3, async |trial| {
        let (before, runs_before) = (denied(trial).await, trial.kit.count(runs()).await);
        let vera = viewer(&trial.faulty.db);
        let answer = trial.faulty.service.start(&vera, request("test.steps"), None).await;
        refused(trial, answer, before).await;
        assert_eq!(trial.kit.count(runs()).await, runs_before, "{}", trial.what());
    })
    .await;
}

#[tokio::test]
async fn a_panic_is_a_failure_like_another() {
    through_every_fault(15, async |trial| {
        let panics = trial.kit.start("test.panic").await;
        trial.work().await;
        trial.recover(panics.id).await;
        trial.ended(panics.id, Outcome::Failed, &[]).await;
        let why = trial.kit.get(panics.id).await.run.error_summary;
        assert_eq!(why.as_deref(), Some("It panicked: on purpose"), "{}", trial.what());
    })
    .await;
}

#[tokio::test]
async fn the_most_urgent_is_taken_first_and_nobody_before_their_time() {
    through_every_fault(20, async |trial| {
        let now = trial.kit.db.now().await.expect("a time");
        let start = async |priority, after: i64| {
            let scheduled_at = (after != 0).then(|| now.plus(after));
            let wish =
                StartOperation { priority: Some(priority), scheduled_at, ..request("test.steps") };
            trial.kit.ask(wish).await.expect("started").id
        };
        let idle = start(-5, 0).await;
        let plain = start(0, 0).await;
        let urgent = start(9, 0).await;
        let later = start(100, HOUR).await;
        trial.work().await;
        let free = trial.has_let_go().await;
        let mut order = Vec::new();
        // Whether the troubled worker had it, or has it still.
        if trial.kit.get(urgent).await.run.status != Status::Queued {
            order.push(urgent);
        }
        let (worker, stop) = (trial.kit.worker("healthy"), CancellationToken::new());
        while let Some(claimed) = worker.claim().await.expect("a healthy store answers") {
            order.push(claimed.facts.id);
            worker.work(claimed, &stop).await;
        }
        assert!(order == [urgent, plain, idle] || !free, "{order:?}: {}", trial.what());
        for id in [urgent, plain, idle] {
            trial.recover(id).await;
            trial.ended(id, Outcome::Succeeded, &["first", "second:1"]).await;
        }
        assert_eq!(trial.kit.get(later).await.run.status, Status::Queued, "{}", trial.what());
        trial.hand.advance(Duration::from_hours(1));
        trial.recover(later).await;
    })
    .await;
}

/// However urgent what waits before a busy target is: others pass it, and it waits.
#[tokio::test]
async fn a_busy_target_holds_up_nobody_else() {
    through_every_fault(20, async |trial| {
        let start = async |target: &str, priority| {
            let target = Some(target.to_owned());
            let wish =
                StartOperation { target, priority: Some(priority), ..request("test.limited") };
            trial.kit.ask(wish).await.expect("started").id
        };
        let first = start("cluster:a", 60).await;
        let holder = trial.kit.worker("holds");
        let held = holder.claim().await.expect("a claim").expect("the first");
        assert_eq!(held.facts.id, first, "{}", trial.what());
        let waits = [start("cluster:a", 50).await, start("cluster:a", 50).await];
        let other = start("cluster:b", 0).await;
        trial.work().await;
        trial.kit.work_all("healthy").await.expect("works");
        for id in waits {
            assert_eq!(trial.kit.get(id).await.run.status, Status::Queued, "{}", trial.what());
        }
        holder.work(held, &CancellationToken::new()).await;
        for id in [first, other].into_iter().chain(waits) {
            trial.recover(id).await;
            let run = trial.kit.get(id).await.run;
            assert_eq!(run.outcome, Outcome::Succeeded, "{}", trial.what());
        }
        let slots = Sql::new("SELECT COUNT(*) AS n FROM operation_slots");
        assert_eq!(trial.kit.count(slots).await, 0, "{}", trial.what());
    })
    .await;
}

/// Who asked for now waits for no clock; who asked for a time gets that time, once.
#[tokio::test]
async fn a_planned_run_is_started_once_however_the_clock_jumps() {
    through_every_fault(20, async |trial| {
        let now = trial.kit.db.now().await.expect("a time");
        let scheduled_at = Some(now.plus(HOUR / 2));
        let wish = StartOperation { scheduled_at, ..request("test.steps") };
        let planned = trial.kit.ask(wish).await.expect("started").id;
        let at_once = trial.kit.start("test.steps").await.id;
        let times = |id: i64| trial.kit.effects.count(&format!("{id}:first"));
        let both = async |trial: &Trial| {
            trial.work().await;
            trial.kit.work_all("w").await.expect("works");
        };
        trial.hand.jump(-HOUR);
        both(trial).await;
        trial.hand.jump(HOUR);
        trial.recover(at_once).await;
        trial.ended(at_once, Outcome::Succeeded, &["first", "second:1"]).await;
        both(trial).await;
        assert_eq!(times(planned), 0, "before its time: {}", trial.what());
        trial.hand.jump(HOUR);
        both(trial).await;
        trial.hand.jump(-HOUR);
        both(trial).await;
        trial.hand.jump(HOUR);
        trial.recover(planned).await;
        trial.ended(planned, Outcome::Succeeded, &["first", "second:1"]).await;
    })
    .await;
}

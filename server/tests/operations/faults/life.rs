//! Each part of a run's life.

use std::time::Duration;

use super::super::{
    kit::{Kit, request},
    trial::{Trial, on_schedule_through_every_fault, through_every_fault},
};
use app::{
    error::{ApiError, Conflict},
    operations::{
        Operations as _,
        model::{Outcome, StartOperation, Status},
        triage::{CancelOperation, RetryOperation, Triages as _},
    },
};
use server::store::{Dialect, Sql, testing};
use tokio_util::sync::CancellationToken;

async fn works(trial: &Trial, kind: &str) -> i64 {
    let target = Some("cluster:edge".to_owned());
    let run = trial.kit.ask(StartOperation { target, ..request(kind) }).await.expect("started");
    trial.work().await;
    trial.recover(run.id).await;
    run.id
}

/// Claim with both limits, two steps, log, progress, end.
#[tokio::test]
async fn a_run_is_claimed_done_and_ended() {
    through_every_fault(30, async |trial| {
        let id = works(trial, "test.full").await;
        trial.ended(id, Outcome::Succeeded, &["first", "second:1"]).await;
        let lines = Sql::new("SELECT COUNT(*) AS n FROM operation_logs WHERE run_id = ").arg(id);
        let lines = trial.kit.count(lines).await;
        // A worker that was lost leaves its line, and the next one writes its own.
        assert!(lines == 2 || lines <= 4 && trial.is_late(), "{lines} lines: {}", trial.what());
    })
    .await;
}

#[tokio::test]
async fn a_run_fails_with_its_reason() {
    let fingerprint = std::cell::RefCell::new(None);
    through_every_fault(20, async |trial| {
        let input = serde_json::json!({"password": "hunter22"});
        let asked = StartOperation { input, ..request("test.fail") };
        let id = trial.kit.ask(asked).await.expect("started").id;
        trial.work().await;
        trial.recover(id).await;
        trial.ended(id, Outcome::Failed, &[]).await;
        let run = trial.kit.get(id).await.run;
        let words = run.error_summary.unwrap_or_default();
        let hidden = "pod web-7f9c6d5b-x2x1z said ‹hidden›";
        assert_eq!(words, hidden, "{}", trial.what());
        // Whoever ends it: the cause is the same.
        let same = fingerprint.borrow_mut().get_or_insert(run.error_fingerprint.clone()).clone();
        assert!(same.is_some() && run.error_fingerprint == same, "{}", trial.what());
    })
    .await;
}

/// A person who asks again with the same key after a failed answer gets the one run.
#[tokio::test]
async fn a_start_with_a_key_queues_one_run() {
    let number = std::cell::Cell::new(0);
    through_every_fault(5, async |trial| {
        number.set(number.get() + 1);
        let key = format!("key-{}-{}", trial.dialect.as_str(), number.get());
        let ask = |kit: &Kit| {
            let (kit, key) = (kit.clone(), key.clone());
            async move { kit.service.start(&kit.admin, request("test.steps"), Some(&key)).await }
        };
        let first = ask(&trial.faulty).await;
        let second = ask(&trial.kit).await.expect("a healthy store answers");
        if let Ok(first) = first {
            assert_eq!(first.run.id, second.run.id, "{}", trial.what());
            assert!(first.created && !second.created, "{}", trial.what());
        }
        let of_key =
            Sql::new("SELECT COUNT(*) AS n FROM operation_runs WHERE idempotency_key = ").arg(key);
        assert_eq!(trial.kit.count(of_key).await, 1, "{}", trial.what());
        trial.recover(second.run.id).await;
        trial.ended(second.run.id, Outcome::Succeeded, &["first", "second:1"]).await;
    })
    .await;
}

/// A worker that stops gives its run back after the step in hand; before that it beats once.
#[tokio::test]
async fn a_run_is_confirmed_and_given_back() {
    through_every_fault(30, async |trial| {
        trial.close_the_gate();
        let run = trial.kit.start("test.gated").await;
        trial
            .at_the_gate(run.id, async |stop| {
                let now = trial.kit.db.now().await.expect("a time");
                trial.hand.advance(Duration::from_secs(10));
                while heartbeat(trial, run.id).await.is_some_and(|at| at <= now.0) {
                    tokio::task::yield_now().await;
                }
                stop.cancel();
                trial.kit.effects.gate.add_permits(1);
            })
            .await;
        trial.kit.effects.gate.add_permits(2);
        trial.recover(run.id).await;
        trial.ended(run.id, Outcome::Succeeded, &["first", "passed", "last"]).await;
    })
    .await;
}

/// When the lease of a run was confirmed last; `None` when it has none any more.
async fn heartbeat(trial: &Trial, id: i64) -> Option<i64> {
    let sql =
        Sql::new("SELECT COALESCE(heartbeat_at, 0) AS at FROM operation_leases WHERE run_id = ");
    let row = trial.kit.db.fetch_optional(sql.arg(id)).await.expect("the store answers")?;
    Some(row.i64("at").expect("a time"))
}

#[tokio::test]
async fn a_lost_run_is_taken_back() {
    through_every_fault(5, async |trial| {
        trial.close_the_gate();
        let run = trial.kit.start("test.gated").await;
        trial.killed_at_the_gate(run.id).await;
        trial.hand.advance(Duration::from_secs(31));
        let _ = trial.faulty.service.timer().tick().await;
        trial.kit.effects.gate.add_permits(1);
        trial.recover(run.id).await;
        trial.ended(run.id, Outcome::Succeeded, &["first", "passed", "last"]).await;
        assert_eq!(trial.kit.get(run.id).await.run.attempt, 2, "{}", trial.what());
        assert_eq!(trial.kit.effects.count(&format!("{}:waits", run.id)), 2, "{}", trial.what());
    })
    .await;
}

#[tokio::test]
async fn an_unsafe_run_is_ended_and_never_done_again() {
    through_every_fault(5, async |trial| {
        trial.close_the_gate();
        let run = trial.kit.start("test.unsafe").await;
        trial.killed_at_the_gate(run.id).await;
        trial.hand.advance(Duration::from_mins(11));
        let _ = trial.faulty.service.timer().tick().await;
        trial.kit.effects.gate.add_permits(1);
        trial.recover(run.id).await;
        let run = trial.kit.get(run.id).await.run;
        assert_eq!((run.outcome, run.attempt), (Outcome::Failed, 1), "{}", trial.what());
        assert_eq!(trial.kit.effects.count(&format!("{}:waits", run.id)), 1, "{}", trial.what());
    })
    .await;
}

#[tokio::test]
async fn three_lost_workers_are_enough() {
    through_every_fault(10, async |trial| {
        trial.close_the_gate();
        let run = trial.kit.start("test.gated").await;
        for _ in 0..3 {
            trial.killed_at_the_gate(run.id).await;
            trial.hand.advance(Duration::from_secs(31));
            let _ = trial.faulty.service.timer().tick().await;
        }
        // What a broken transaction still holds is passed over, and met at a later look.
        testing::eventually("a healthy timer ends it", || async {
            trial.kit.service.timer().tick().await?;
            Ok((trial.kit.get(run.id).await.run.status == Status::Completed).then_some(()))
        })
        .await;
        let run = trial.kit.get(run.id).await.run;
        assert_eq!((run.outcome, run.attempt), (Outcome::Failed, 3), "{}", trial.what());
        let why = Some("Its worker was lost 3 times.");
        assert_eq!(run.error_summary.as_deref(), why, "{}", trial.what());
    })
    .await;
}

/// A process that stood still while its lease ran out wakes up, and each of its statements fares ill: what the next
/// worker wrote stands.
#[tokio::test]
async fn who_lost_the_lease_writes_nothing() {
    through_every_fault(10, async |trial| {
        trial.close_the_gate();
        let run = trial.kit.start("test.gated").await;
        let stop = CancellationToken::new();
        let stalled = trial.faulty.worker("stalled");
        let mut work = Box::pin(stalled.work_one(&stop));
        let arrived = trial.arrives(run.id, work.as_mut()).await;
        trial.hand.advance(Duration::from_secs(31));
        trial.kit.effects.gate.add_permits(2);
        trial.recover(run.id).await;
        if !arrived {
            return;
        }
        let before = trial.kit.get(run.id).await;
        assert_eq!(before.run.outcome, Outcome::Succeeded, "{}", trial.what());
        let _ = work.await;
        assert_eq!(trial.kit.get(run.id).await, before, "{}", trial.what());
        let last = trial.kit.effects.count(&format!("{}:last", run.id));
        assert_eq!(last, 1, "{}", trial.what());
    })
    .await;
}

#[tokio::test]
async fn a_tick_of_a_schedule_starts_one_run() {
    on_schedule_through_every_fault(5, async |trial| {
        let all = || trial.kit.count(Sql::new("SELECT COUNT(*) AS n FROM operation_runs"));
        // The first look makes the schedule known.
        trial.kit.service.timer().tick().await.expect("looks");
        let before = all().await;
        trial.hand.advance(Duration::from_mins(5));
        let _ = trial.faulty.service.timer().tick().await;
        trial.kit.service.timer().tick().await.expect("looks");
        assert_eq!(all().await, before + 1, "{}", trial.what());
        let last = Sql::new("SELECT COALESCE(MAX(id), 0) AS n FROM operation_runs");
        let id = trial.kit.count(last).await;
        trial.recover(id).await;
        trial.ended(id, Outcome::Succeeded, &["first", "second:1"]).await;
    })
    .await;
}

/// A person who asks for the end of a run, and asks again after no answer: it ends, once, and as cancelled.
#[tokio::test]
async fn a_run_is_cancelled() {
    through_every_fault(20, async |trial| {
        let run = trial.kit.start("test.heeds").await;
        let cancel = |kit: &Kit| {
            let kit = kit.clone();
            async move { kit.service.cancel(&kit.admin, run.id, CancelOperation::default()).await }
        };
        trial
            .at_the_gate(run.id, async |_| {
                let _ = cancel(&trial.faulty).await;
                let again = cancel(&trial.kit).await;
                let fine = matches!(again, Ok(_) | Err(ApiError::Conflict(Conflict::Ended)));
                assert!(fine, "{again:?}: {}", trial.what());
                trial.pass_slowly().await;
            })
            .await;
        if trial.kit.get(run.id).await.run.status == Status::Queued {
            // It never came to its gate; who cancels what is queued ends it.
            cancel(&trial.kit).await.expect("a healthy store answers");
        }
        let _ = cancel(&trial.kit).await;
        trial.recover(run.id).await;
        let detail = trial.kit.get(run.id).await;
        assert_eq!(detail.run.outcome, Outcome::Failed, "{}", trial.what());
        assert!(detail.run.cancelled && !detail.run.open_work, "{}", trial.what());
        let heeded = trial.kit.effects.count(&format!("{}:heeded", run.id));
        assert!(heeded <= 1, "{heeded}: {}", trial.what());
    })
    .await;
}

/// Two answers to one wish: one child.
#[tokio::test]
async fn a_retry_makes_one_child() {
    through_every_fault(5, async |trial| {
        let run = trial.kit.start("test.fail").await;
        trial.kit.work_all("w").await.expect("works");
        let retry = |kit: &Kit| {
            let kit = kit.clone();
            async move { kit.service.retry(&kit.admin, run.id, RetryOperation::default()).await }
        };
        let first = retry(&trial.faulty).await;
        let child = match retry(&trial.kit).await {
            Ok(started) => started.run.id,
            Err(ApiError::Conflict(Conflict::Retried(child))) => child,
            Err(other) => panic!("{other:?}: {}", trial.what()),
        };
        if let Ok(first) = first {
            assert_eq!(first.run.id, child, "{}", trial.what());
        }
        let children =
            Sql::new("SELECT COUNT(*) AS n FROM operation_runs WHERE retry_of_run_id = ");
        assert_eq!(trial.kit.count(children.arg(run.id)).await, 1, "{}", trial.what());
        trial.recover(child).await;
        let (run, child) = (trial.kit.get(run.id).await.run, trial.kit.get(child).await.run);
        assert!(
            child.open_work && !run.open_work,
            "of the chain the newest waits: {}",
            trial.what()
        );
    })
    .await;
}

/// On SQLite the next process voids what the last one held, without waiting.
#[tokio::test]
async fn the_next_process_inherits() {
    through_every_fault(0, async |trial| {
        if trial.dialect == Dialect::Postgres {
            return;
        }
        trial.close_the_gate();
        let run = trial.kit.start("test.gated").await;
        trial.killed_at_the_gate(run.id).await;
        trial.hand.advance(Duration::from_secs(1));
        let effects = trial.kit.effects.clone();
        let troubled = Kit::sharing(&trial.faulty.db, effects.clone(), Vec::new());
        let _ = troubled.service.timer().inherit().await;
        let next = Kit::sharing(&trial.kit.db, effects, Vec::new());
        next.service.timer().inherit().await.expect("a healthy store answers");
        next.service.timer().tick().await.expect("looks");
        assert_eq!(next.get(run.id).await.run.status, Status::Queued, "{}", trial.what());
        next.effects.gate.add_permits(1);
        next.work_all("next").await.expect("works");
        trial.ended(run.id, Outcome::Succeeded, &["first", "passed", "last"]).await;
    })
    .await;
}

//! What people decide about runs, asked again when no answer came.

use std::{collections::BTreeSet, time::Duration};

use app::{
    error::{ApiError, Conflict, Rule},
    operations::{
        model::{Outcome, Status},
        triage::{
            CancelOperation, Cancelled, InvestigateOperation, RetryOperation, Seen, Triages as _,
        },
    },
};
use server::store::{Sql, testing};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        kit::Kit,
        trial::{Trial, through_every_fault},
    },
    audited, denied, failed, refused, viewer,
};

const CANCEL: &str = "platform.system_console.cancel";
const RETRY: &str = "platform.system_console.retry";

async fn cancel(kit: &Kit, id: i64) -> Result<Cancelled, ApiError> {
    kit.service.cancel(&kit.admin, id, CancelOperation::default()).await
}

fn investigate(reason: &str, expected: Option<Seen>) -> InvestigateOperation {
    InvestigateOperation { reason: reason.to_owned(), expected }
}

async fn change(kit: &Kit, sql: Sql) {
    let mut tx = kit.db.begin().await.expect("a write begins");
    tx.execute(sql).await.expect("an update");
    tx.commit(Vec::new()).await.expect("a commit");
}

async fn children(trial: &Trial, id: i64) -> i64 {
    let sql = Sql::new("SELECT COUNT(*) AS n FROM operation_runs WHERE retry_of_run_id = ");
    trial.kit.count(sql.arg(id)).await
}

/// It ended as cancelled, and nothing of it was done.
async fn never_happened(trial: &Trial, id: i64) {
    let run = trial.kit.get(id).await.run;
    let ended = (run.status, run.outcome, run.cancelled, run.open_work);
    let wanted = (Status::Completed, Outcome::Failed, true, false);
    assert_eq!(ended, wanted, "{}", trial.what());
    let begun = format!("{id}:");
    let done = trial.kit.effects.all().iter().any(|effect| effect.starts_with(&begun));
    assert!(!done, "{}", trial.what());
}

#[tokio::test]
async fn a_queued_run_is_cancelled_before_anybody_takes_it() {
    through_every_fault(5, async |trial| {
        let run = trial.kit.start("test.steps").await;
        let asked = cancel(&trial.faulty, run.id).await;
        assert!(asked == Ok(Cancelled::Ended) || trial.is_troubled(), "{asked:?}");
        let again = cancel(&trial.kit, run.id).await;
        let ended = again == Err(ApiError::Conflict(Conflict::Ended));
        let fine = ended || asked.is_err() && again == Ok(Cancelled::Ended);
        assert!(fine, "{asked:?}, {again:?}: {}", trial.what());
        trial.kit.work_all("w").await.expect("works");
        never_happened(trial, run.id).await;
        assert_eq!(audited(&trial.kit, CANCEL, run.id).await, 1, "{}", trial.what());
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_run_whose_worker_is_lost_is_not_taken_up_again() {
    through_every_fault(5, async |trial| {
        let run = trial.kit.start("test.steps").await;
        let _lost = trial.kit.worker("lost").claim().await.expect("a claim").expect("a run");
        assert_eq!(cancel(&trial.kit, run.id).await, Ok(Cancelled::Asked));
        trial.kit.lapse().await;
        trial.look().await;
        trial.recover(run.id).await;
        never_happened(trial, run.id).await;
        // One whose worker was gone before is ended by the request itself.
        let run = trial.kit.start("test.steps").await;
        let _lost = trial.kit.worker("lost").claim().await.expect("a claim").expect("a run");
        trial.kit.lapse().await;
        let _ = cancel(&trial.faulty, run.id).await;
        let _ = cancel(&trial.kit, run.id).await;
        never_happened(trial, run.id).await;
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_ignores_the_request_is_fenced() {
    through_every_fault(5, async |trial| {
        let run = trial.kit.start("test.steps").await;
        let deaf = trial.kit.worker("deaf");
        let claimed = deaf.claim().await.expect("a claim").expect("a run");
        assert_eq!(cancel(&trial.kit, run.id).await, Ok(Cancelled::Asked));
        let end = async |kit: &Kit| {
            kit.service.end_anyway(&kit.admin, run.id, CancelOperation::default()).await
        };
        let soon = end(&trial.faulty).await;
        let wait = soon == Err(ApiError::Conflict(Conflict::NotIgnored));
        assert!(wait || soon.is_err() && trial.is_troubled(), "{soon:?}: {}", trial.what());
        let minute = "UPDATE operation_runs SET cancel_requested_at = cancel_requested_at - 61000000 WHERE id = ";
        change(&trial.kit, Sql::new(minute).arg(run.id)).await;
        let _ = end(&trial.faulty).await;
        let again = end(&trial.kit).await;
        let fine = matches!(again, Ok(()) | Err(ApiError::Conflict(Conflict::Ended)));
        assert!(fine, "{again:?}: {}", trial.what());
        deaf.work(claimed, &CancellationToken::new()).await;
        never_happened(trial, run.id).await;
        let ended = audited(&trial.kit, "platform.system_console.end_anyway", run.id).await;
        assert_eq!(ended, 1, "{}", trial.what());
    })
    .await;
}

#[tokio::test]
async fn what_ended_between_reading_and_deciding_is_left_alone() {
    through_every_fault(3, async |trial| {
        let run = trial.kit.start("test.steps").await;
        let expected = Some(Seen::of(&run));
        trial.kit.work_all("w").await.expect("works");
        let before = trial.kit.get(run.id).await;
        let Kit { service, admin, .. } = &trial.faulty;
        let answers = [
            service.cancel(admin, run.id, CancelOperation { expected }).await.map(drop),
            service.end_anyway(admin, run.id, CancelOperation { expected }).await,
            service.investigate(admin, run.id, investigate("looked into it", expected)).await,
        ];
        for answer in answers {
            let ended = answer == Err(ApiError::Conflict(Conflict::Ended));
            assert!(ended || answer.is_err() && trial.is_troubled(), "{answer:?}");
        }
        assert_eq!(trial.kit.get(run.id).await, before, "{}", trial.what());
        assert_eq!(audited(&trial.kit, CANCEL, run.id).await, 0, "{}", trial.what());
    })
    .await;
}

#[tokio::test]
async fn many_retries_at_once_make_one_child() {
    through_every_fault(5, async |trial| {
        let run = failed(trial).await;
        let asks = [&trial.faulty, &trial.kit, &trial.faulty, &trial.kit].map(|kit| async {
            kit.service.retry(&kit.admin, run.id, RetryOperation::default()).await
        });
        let mut heard = BTreeSet::new();
        for answer in futures::future::join_all(asks).await {
            match answer {
                Ok(started) => heard.insert(started.run.id),
                Err(ApiError::Conflict(Conflict::Retried(child))) => heard.insert(child),
                Err(_) if trial.is_troubled() => continue,
                Err(other) => panic!("{other:?}: {}", trial.what()),
            };
        }
        assert_eq!(heard.len(), 1, "{heard:?}: {}", trial.what());
        assert_eq!(children(trial, run.id).await, 1, "{}", trial.what());
        assert_eq!(audited(&trial.kit, RETRY, run.id).await, 1, "{}", trial.what());
        trial.recover(*heard.first().expect("one")).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_unsafe_to_do_twice_is_not_tried_again_without_a_reason() {
    through_every_fault(5, async |trial| {
        trial.close_the_gate();
        let run = trial.kit.start("test.unsafe").await;
        trial.killed_at_the_gate(run.id).await;
        trial.hand.advance(Duration::from_mins(11));
        trial.recover(run.id).await;
        let retry = async |kit: &Kit, reason: Option<&str>| {
            let request = RetryOperation { reason: reason.map(str::to_owned) };
            kit.service.retry(&kit.admin, run.id, request).await
        };
        let without = retry(&trial.faulty, None).await;
        let asked = Err(ApiError::invalid("reason", Rule::Length { min: 5, max: 500 }));
        let fine = without == asked || without.is_err() && trial.is_troubled();
        assert!(fine, "{without:?}: {}", trial.what());
        assert_eq!(children(trial, run.id).await, 0, "{}", trial.what());
        let reason = Some("the bank sent it back");
        let _ = retry(&trial.faulty, reason).await;
        let again = retry(&trial.kit, reason).await;
        let child = match again {
            Ok(started) => started.run.id,
            Err(ApiError::Conflict(Conflict::Retried(child))) => child,
            Err(other) => panic!("{other:?}: {}", trial.what()),
        };
        assert_eq!(children(trial, run.id).await, 1, "{}", trial.what());
        assert_eq!(audited(&trial.kit, RETRY, run.id).await, 1, "{}", trial.what());
        trial.kit.effects.gate.add_permits(1);
        trial.recover(child).await;
        trial.ended(child, Outcome::Succeeded, &["first", "passed", "last"]).await;
    })
    .await;
}

#[tokio::test]
async fn a_mark_stands_once_and_the_same_failure_asks_again() {
    through_every_fault(5, async |trial| {
        let run = failed(trial).await;
        let mark = async |kit: &Kit, reason| {
            kit.service.investigate(&kit.admin, run.id, investigate(reason, None)).await
        };
        let short = mark(&trial.faulty, "  abcd  ").await;
        assert!(short.is_err(), "{}", trial.what());
        let reason = "Known: node 7 was drained.";
        let first = mark(&trial.faulty, reason).await;
        assert!(first.is_ok() || trial.is_troubled(), "{first:?}");
        if trial.kit.get(run.id).await.run.open_work {
            assert!(first.is_err(), "it was said to be done: {}", trial.what());
            assert_eq!(mark(&trial.kit, reason).await, Ok(()), "{}", trial.what());
        }
        let marked = trial.kit.get(run.id).await.run;
        assert!(!marked.open_work, "{}", trial.what());
        let said = &marked.context["triage"]["investigated"]["reason"];
        assert_eq!(said, reason, "{}", trial.what());
        let rows = audited(&trial.kit, "platform.system_console.mark_investigated", run.id).await;
        assert_eq!(rows, 1, "{}", trial.what());
        let next = trial.kit.start("test.fail").await;
        trial.work().await;
        trial.recover(next.id).await;
        assert!(trial.kit.get(next.id).await.run.open_work, "{}", trial.what());
    })
    .await;
}

#[tokio::test]
async fn who_may_only_see_decides_nothing() {
    through_every_fault(10, async |trial| {
        let run = failed(trial).await;
        let vera = viewer(&trial.faulty.db);
        let service = &trial.faulty.service;
        let before = denied(trial).await;
        let answer = service.retry(&vera, run.id, RetryOperation::default()).await;
        refused(trial, answer, before).await;
        let before = denied(trial).await;
        let answer = service.cancel(&vera, run.id, CancelOperation::default()).await;
        refused(trial, answer, before).await;
        let before = denied(trial).await;
        let answer = service.end_anyway(&vera, run.id, CancelOperation::default()).await;
        refused(trial, answer, before).await;
        let before = denied(trial).await;
        let answer = service.investigate(&vera, run.id, investigate("looked at it", None)).await;
        refused(trial, answer, before).await;
        assert_eq!(trial.kit.get(run.id).await.run, run, "{}", trial.what());
    })
    .await;
}

/// A worker and somebody who cancels, side by side: one of them wins, and both know.
#[tokio::test]
async fn cancelling_races_with_ending_and_one_of_them_wins() {
    through_every_fault(20, async |trial| {
        let run = trial.kit.start("test.steps").await;
        let ((), asked) = futures::join!(trial.work(), cancel(&trial.faulty, run.id));
        trial.recover(run.id).await;
        let now = trial.kit.get(run.id).await.run;
        match asked {
            Ok(Cancelled::Ended) => never_happened(trial, run.id).await,
            Ok(Cancelled::Asked) => assert!(now.cancelled, "{now:?}: {}", trial.what()),
            Err(ApiError::Conflict(Conflict::Ended | Conflict::Moved)) => {
                assert_eq!((now.outcome, now.cancelled), (Outcome::Succeeded, false));
            }
            Err(_) if trial.is_troubled() => {}
            Err(other) => panic!("{other:?}: {}", trial.what()),
        }
        testing::eventually("nothing is held", || async {
            let held = Sql::new("SELECT COUNT(*) AS n FROM operation_leases");
            Ok((trial.kit.count(held).await == 0).then_some(()))
        })
        .await;
    })
    .await;
}

//! Triage, on both engines: lineage, races, what a cancellation reaches, what leaves the open work.

use std::sync::Arc;

use app::{
    error::{ApiError, Conflict, Rule},
    identity::{Caller, CallerKind, Capability, Reach},
    operations::{
        model::{OperationRun, Outcome, Status},
        stuck::{Next, StuckClass},
        triage::{
            CancelOperation, Cancelled, InvestigateOperation, RetryOperation, Safety, Seen,
            Triages as _,
        },
    },
};
use server::{
    identity::AuditedGate,
    store::{Sql, testing},
};
use tokio_util::sync::CancellationToken;

use super::kit::{Effects, Kit};

async fn failed(kit: &Kit, kind: &str) -> OperationRun {
    let run = kit.start(kind).await;
    kit.work_all("w").await.expect("works");
    let run = kit.get(run.id).await.run;
    assert_eq!((run.status, run.outcome), (Status::Completed, Outcome::Failed));
    run
}

async fn retry(kit: &Kit, id: i64) -> Result<(i64, bool), ApiError> {
    let retried = kit.service.retry(&kit.admin, id, RetryOperation::default()).await?;
    Ok((retried.run.id, retried.created))
}

fn investigate(reason: &str) -> InvestigateOperation {
    InvestigateOperation { reason: reason.to_owned(), expected: None }
}

async fn set(kit: &Kit, sql: Sql) {
    let mut tx = kit.db.begin().await.expect("a write begins");
    tx.execute(sql).await.expect("an update");
    tx.commit(Vec::new()).await.expect("a commit");
}

async fn audited(kit: &Kit, action: &'static str, id: i64) -> i64 {
    let sql =
        Sql::new("SELECT COUNT(*) AS n FROM audit_log WHERE decision = 'allowed' AND action = ")
            .arg(action)
            .push(" AND target_id = ")
            .arg(id.to_string());
    kit.count(sql).await
}

#[tokio::test]
async fn a_retry_is_a_new_run_with_its_lineage_and_a_success_makes_the_chain_past() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let first = failed(&kit, "test.fail").await;
        assert!(first.open_work);
        let (second, created) = retry(&kit, first.id).await.expect("it may be tried again");
        assert!(created && second > first.id);
        let child = kit.get(second).await.run;
        assert_eq!(child.retry_of_run_id, Some(first.id));
        assert_eq!(child.context["triage"]["retry_of_run_id"], first.id);
        assert_eq!((child.status, child.attempt), (Status::Queued, 0));
        assert_eq!(audited(&kit, "platform.system_console.retry", first.id).await, 1);

        // It fails as well: of the chain, the newest waits for a human.
        kit.work_all("w").await.expect("works");
        assert!(!kit.get(first.id).await.run.open_work);
        assert!(kit.get(second).await.run.open_work);

        // The cause is mended: the next retry succeeds.
        let (third, _) = retry(&kit, second).await.expect("the newest may be tried again");
        let kind = Sql::new("UPDATE operation_runs SET type = 'test.steps' WHERE id = ").arg(third);
        set(&kit, kind).await;
        kit.work_all("w").await.expect("works");
        for old in [first.id, second] {
            let run = kit.get(old).await.run;
            assert_eq!((run.superseded_by_run_id, run.open_work), (Some(third), false));
            assert_eq!(run.outcome, Outcome::Failed);
        }
        // A run that was tried again names the newest of its retries.
        let again = retry(&kit, first.id).await;
        assert_eq!(again, Err(ApiError::Conflict(Conflict::Retried(third))));
        let ended = retry(&kit, third).await;
        assert_eq!(ended, Err(ApiError::Conflict(Conflict::NotFailed)));
    }
}

#[tokio::test]
async fn many_retries_at_once_make_one_child() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let run = failed(&kit, "test.fail").await;
        let retries = (0..16).map(|_| {
            let kit = kit.clone();
            tokio::spawn(async move { retry(&kit, run.id).await })
        });
        let mut made = 0;
        let mut children = std::collections::BTreeSet::new();
        for retried in retries.collect::<Vec<_>>() {
            match retried.await.expect("no panic") {
                Ok((child, created)) => {
                    made += u32::from(created);
                    children.insert(child);
                }
                // Who came after all was done hears which one it was.
                Err(ApiError::Conflict(Conflict::Retried(child))) => {
                    children.insert(child);
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!((made, children.len()), (1, 1));
        let of = Sql::new("SELECT COUNT(*) AS n FROM operation_runs WHERE retry_of_run_id = ");
        assert_eq!(kit.count(of.arg(run.id)).await, 1);
        assert_eq!(audited(&kit, "platform.system_console.retry", run.id).await, 1);
    }
}

#[tokio::test]
async fn what_is_unsafe_to_do_twice_asks_for_a_reason() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let run = kit.start("test.unsafe").await;
        set(
            &kit,
            Sql::new(
                "UPDATE operation_runs SET status = 'completed', outcome = 'failed' WHERE id = ",
            )
            .arg(run.id),
        )
        .await;
        let detail = kit.get(run.id).await;
        let harm = Safety::Unsafe { why: "it moves money.".to_owned() };
        assert_eq!(detail.triage.retry_safety, Some(harm));
        for reason in [None, Some("  abc "), Some("")] {
            let request = RetryOperation { reason: reason.map(str::to_owned) };
            let refused = kit.service.retry(&kit.admin, run.id, request).await;
            let length = Rule::Length { min: 5, max: 500 };
            assert_eq!(refused, Err(ApiError::invalid("reason", length)), "{reason:?}");
        }
        let request = RetryOperation { reason: Some("the bank sent it back".to_owned()) };
        assert!(
            kit.service.retry(&kit.admin, run.id, request).await.expect("with a reason").created
        );
        let row =
            Sql::new("SELECT COUNT(*) AS n FROM audit_log WHERE reason = 'the bank sent it back'");
        assert_eq!(kit.count(row).await, 1);
    }
}

#[tokio::test]
async fn a_queued_run_is_cancelled_at_once_and_no_worker_takes_it() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let run = kit.start("test.steps").await;
        let done = kit.service.cancel(&kit.admin, run.id, CancelOperation::default()).await;
        assert_eq!(done, Ok(Cancelled::Ended));
        kit.work_all("w").await.expect("works");
        let run = kit.get(run.id).await.run;
        assert_eq!((run.status, run.outcome), (Status::Completed, Outcome::Failed));
        assert_eq!(run.error_summary.as_deref(), Some("Cancelled by admin."));
        // A human decided: nothing waits for one.
        assert!(run.cancelled && !run.open_work);
        assert_eq!(kit.effects.all(), Vec::<String>::new());
        assert_eq!(run.context["triage"]["cancelled"]["by"], "admin");
        assert_eq!(audited(&kit, "platform.system_console.cancel", run.id).await, 1);
        let again = kit.service.cancel(&kit.admin, run.id, CancelOperation::default()).await;
        assert_eq!(again, Err(ApiError::Conflict(Conflict::Ended)));
    }
}

#[tokio::test]
async fn a_cancellation_reaches_the_work_in_its_middle() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let run = kit.start("test.heeds").await;
        let stop = CancellationToken::new();
        let worker = kit.worker("w");
        let work = tokio::spawn(async move { worker.work_one(&stop).await });
        kit.effects.reached(&format!("{}:waits", run.id)).await;
        let asked = kit.service.cancel(&kit.admin, run.id, CancelOperation::default()).await;
        assert_eq!(asked, Ok(Cancelled::Asked));
        // The same wish again changes nothing and is no second decision.
        let again = kit.service.cancel(&kit.admin, run.id, CancelOperation::default()).await;
        assert!(matches!(again, Ok(Cancelled::Asked) | Err(ApiError::Conflict(_))), "{again:?}");
        assert!(work.await.expect("no panic").expect("works"));
        let detail = kit.get(run.id).await;
        assert_eq!((detail.run.status, detail.run.outcome), (Status::Completed, Outcome::Failed));
        assert_eq!(detail.run.error_summary.as_deref(), Some("Cancelled by admin."));
        assert!(detail.run.cancelled && !detail.run.open_work);
        assert_eq!(kit.effects.count(&format!("{}:heeded", run.id)), 1);
        assert_eq!(audited(&kit, "platform.system_console.cancel", run.id).await, 1);
    }
}

#[tokio::test]
async fn a_run_that_ended_between_reading_and_deciding_is_left_alone() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let run = kit.start("test.steps").await;
        let seen = Some(Seen::of(&run));
        kit.work_all("w").await.expect("works");
        let before = kit.get(run.id).await.run;
        let cancel = CancelOperation { expected: seen };
        let cancelled = kit.service.cancel(&kit.admin, run.id, cancel.clone()).await;
        assert_eq!(cancelled, Err(ApiError::Conflict(Conflict::Ended)));
        let ended = kit.service.end_anyway(&kit.admin, run.id, cancel).await;
        assert_eq!(ended, Err(ApiError::Conflict(Conflict::Ended)));
        let marked = InvestigateOperation { expected: seen, ..investigate("looked into it") };
        let marked = kit.service.investigate(&kit.admin, run.id, marked).await;
        assert_eq!(marked, Err(ApiError::Conflict(Conflict::Ended)));
        assert_eq!(kit.get(run.id).await.run, before);
        for action in
            ["platform.system_console.cancel", "platform.system_console.mark_investigated"]
        {
            assert_eq!(audited(&kit, action, run.id).await, 0);
        }
    }
}

#[tokio::test]
async fn cancelling_races_with_ending_and_one_of_them_wins() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        for _ in 0..20 {
            let run = kit.start("test.steps").await;
            let worker = kit.clone();
            let working = tokio::spawn(async move { worker.work_all("w").await });
            let done = kit.service.cancel(&kit.admin, run.id, CancelOperation::default()).await;
            working.await.expect("no panic").expect("works");
            let run = kit.get(run.id).await.run;
            assert_eq!(run.status, Status::Completed, "{done:?}");
            match done {
                Ok(Cancelled::Ended) => assert_eq!(run.outcome, Outcome::Failed),
                // It may have been through before its worker heard of it.
                Ok(Cancelled::Asked) => assert!(run.cancelled),
                Err(ApiError::Conflict(Conflict::Ended | Conflict::Moved)) => {
                    assert_eq!((run.outcome, run.cancelled), (Outcome::Succeeded, false));
                }
                Err(other) => panic!("{other}"),
            }
        }
        let stray = Sql::new("SELECT COUNT(*) AS n FROM operation_leases");
        assert_eq!(kit.count(stray).await, 0);
    }
}

#[tokio::test]
async fn a_worker_that_ignores_the_request_is_fenced_after_a_minute() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let run = kit.start("test.gated").await;
        let claimed = kit.worker("deaf").claim().await.expect("a claim").expect("a run");
        let asked = kit.service.cancel(&kit.admin, run.id, CancelOperation::default()).await;
        assert_eq!(asked, Ok(Cancelled::Asked));
        let soon = kit.service.end_anyway(&kit.admin, run.id, CancelOperation::default()).await;
        assert_eq!(soon, Err(ApiError::Conflict(Conflict::NotIgnored)));
        assert!(!kit.get(run.id).await.triage.end_anyway);
        let later = Sql::new(
            "UPDATE operation_runs SET cancel_requested_at = cancel_requested_at - 61000000 WHERE id = ",
        );
        set(&kit, later.arg(run.id)).await;
        set(&kit, Sql::new("UPDATE operation_leases SET heartbeat_at = acquired_at")).await;
        let detail = kit.get(run.id).await;
        assert_eq!(detail.run.stuck_class, Some(StuckClass::CancelIgnored));
        assert_eq!(detail.stuck.map(|evidence| evidence.next), Some(Next::GoesOn));
        assert!(detail.triage.end_anyway);
        let ended = kit.service.end_anyway(&kit.admin, run.id, CancelOperation::default()).await;
        assert_eq!(ended, Ok(()));
        // The worker wakes up: it may write nothing, and does nothing further.
        kit.worker("deaf").work(claimed, &CancellationToken::new()).await;
        let run = kit.get(run.id).await;
        assert_eq!((run.run.status, run.run.outcome), (Status::Completed, Outcome::Failed));
        assert_eq!(run.steps, Vec::new());
        assert_eq!(kit.effects.all(), Vec::<String>::new());
        assert_eq!(audited(&kit, "platform.system_console.end_anyway", run.run.id).await, 1);
    }
}

#[tokio::test]
async fn a_cancelled_run_whose_worker_is_lost_ends_and_is_not_taken_up_again() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let run = kit.start("test.gated").await;
        let _lost = kit.worker("lost").claim().await.expect("a claim").expect("a run");
        let asked = kit.service.cancel(&kit.admin, run.id, CancelOperation::default()).await;
        assert_eq!(asked, Ok(Cancelled::Asked));
        kit.lapse().await;
        kit.service.timer().tick().await.expect("looks");
        let run = kit.get(run.id).await.run;
        assert_eq!((run.status, run.outcome), (Status::Completed, Outcome::Failed));
        assert_eq!(run.error_summary.as_deref(), Some("Cancelled by admin."));
        // One whose worker was gone before is ended by the request itself.
        let other = kit.start("test.unsafe").await;
        let _lost = kit.worker("lost").claim().await.expect("a claim").expect("a run");
        kit.lapse().await;
        let ended = kit.service.cancel(&kit.admin, other.id, CancelOperation::default()).await;
        assert_eq!(ended, Ok(Cancelled::Ended));
    }
}

#[tokio::test]
async fn a_mark_takes_a_failure_out_of_the_open_work_and_keeps_its_words() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let run = failed(&kit, "test.fail").await;
        for bad in ["", "abcd", "  abcd  ", &"x".repeat(501)] {
            let refused = kit.service.investigate(&kit.admin, run.id, investigate(bad)).await;
            assert!(matches!(refused, Err(ApiError::Invalid(_))), "{bad:?}");
        }
        let reason = "Known: node 7 was drained.";
        let marked = kit.service.investigate(&kit.admin, run.id, investigate(reason)).await;
        assert_eq!(marked, Ok(()));
        let marked = kit.get(run.id).await.run;
        assert!(!marked.open_work);
        assert_eq!(marked.context["triage"]["investigated"]["reason"], reason);
        assert_eq!(marked.context["triage"]["investigated"]["by"], "admin");
        assert_eq!(audited(&kit, "platform.system_console.mark_investigated", run.id).await, 1);
        // The same failure again waits for a human again.
        assert!(failed(&kit, "test.fail").await.open_work);
        let groups = Sql::new("SELECT SUM(failures) AS n FROM operation_failure_groups");
        let groups = Sql::new("SELECT CAST(n AS BIGINT) AS n FROM (").append(groups).push(") g");
        assert_eq!(kit.count(groups).await, 2);
        let causes = Sql::new("SELECT COUNT(*) AS n FROM operation_failure_groups");
        assert_eq!(kit.count(causes).await, 1);
    }
}

#[tokio::test]
async fn who_may_only_see_decides_nothing_and_the_try_is_written_down() {
    for engine in testing::engines().await {
        let kit = Kit::sharing(&engine.db, Effects::default(), Vec::new());
        let run = failed(&kit, "test.fail").await;
        let sees = [Capability::AccessSystemPanel, Capability::OperationsView];
        let grants = sees.map(|capability| (capability, Reach::Everything)).to_vec();
        let gate = Arc::new(AuditedGate::new(engine.db.clone()));
        let viewer = Caller::new(CallerKind::User, "vera", "Vera", grants, gate);
        let refused = ApiError::Forbidden(Capability::OperationsManage);
        let retried = kit.service.retry(&viewer, run.id, RetryOperation::default()).await;
        assert_eq!(retried, Err(refused.clone()));
        let cancelled = kit.service.cancel(&viewer, run.id, CancelOperation::default()).await;
        assert_eq!(cancelled, Err(refused.clone()));
        let ended = kit.service.end_anyway(&viewer, run.id, CancelOperation::default()).await;
        assert_eq!(ended, Err(refused.clone()));
        let marked = kit.service.investigate(&viewer, run.id, investigate("looked at")).await;
        assert_eq!(marked, Err(refused));
        assert_eq!(kit.get(run.id).await.run, run);
        let denied = Sql::new("SELECT COUNT(*) AS n FROM audit_log WHERE decision = 'denied'");
        assert_eq!(kit.count(denied).await, 4);
    }
}

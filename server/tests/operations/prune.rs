//! `system.prune` on both engines: what goes at which moment, what stays whatever its age, and what a cut leaves.

use std::time::Duration;

use app::{
    operations::{
        Operations as _,
        model::{OperationDetail, Outcome, StartOperation, Status},
    },
    time::Micros,
};
use serde_json::json;
use server::{
    audit::{Ask, Retention, Verdict, verify},
    clock::{ManualClock, Rng},
    events::Feed,
    operations::{OperationsService, operations::prune},
    store::{Db, Sql, testing},
    vault::ChainKeys,
};
use tokio_util::sync::CancellationToken;

use super::kit::{Effects, Kit, catalog, request};

const START: Micros = Micros(1_790_000_000_000_000);
const DAY: Duration = Duration::from_hours(24);
const SECOND: Duration = Duration::from_secs(1);

const KEPT: prune::Kept = prune::Kept {
    health_days: 7,
    removed_cluster_days: 30,
    run_days: 90,
    failed_run_days: 180,
    run_log_days: 14,
    open_work_days: 7,
    events_for: Duration::from_hours(24),
    events: 100_000,
};

async fn service(db: &Db) -> OperationsService {
    let feed = Feed::open(db.clone()).await.expect("a feed");
    let chain = ChainKeys::for_tests();
    let audit = Some(Retention::new(db.clone(), chain, testing::admin(), 400));
    let deps = prune::Deps { db: db.clone(), feed, audit, kept: KEPT };
    let catalog = prune::register(catalog(&Effects::default()), deps);
    OperationsService::new(db.clone(), Rng::system(), catalog, Vec::new(), testing::admin())
}

async fn start(db: &Db, dry_run: bool) -> i64 {
    let input = json!({ "dry_run": dry_run });
    let asked = StartOperation { input, ..request("system.prune") };
    service(db).await.start(&testing::admin(), asked, None).await.expect("started").run.id
}

/// One run of it, from start to end.
async fn prune(db: &Db, dry_run: bool) -> OperationDetail {
    let id = start(db, dry_run).await;
    let worker = service(db).await.worker("w", &["upkeep"]);
    assert!(worker.work_one(&CancellationToken::new()).await.expect("the store answers"));
    let detail = Kit::on(db).get(id).await;
    assert_eq!(detail.run.outcome, Outcome::Succeeded, "{:?}", detail.run.error_summary);
    detail
}

fn said<'a>(detail: &'a OperationDetail, step: &str) -> &'a str {
    let found = detail.steps.iter().find(|one| one.name == step);
    found.and_then(|step| step.detail.as_deref()).unwrap_or_default()
}

async fn exists(kit: &Kit, table: &'static str, id: i64) -> bool {
    kit.count(Sql::new(table).push(" WHERE id = ").arg(id)).await > 0
}

const RUNS: &str = "SELECT COUNT(*) AS n FROM operation_runs";

async fn lines(kit: &Kit) -> i64 {
    kit.count(Sql::new("SELECT COUNT(*) AS n FROM operation_logs")).await
}

async fn change(db: &Db, sql: Sql) {
    let mut tx = db.begin().await.expect("a write");
    tx.execute(sql).await.expect("a statement");
    tx.commit(Vec::new()).await.expect("a commit");
}

/// Moves the clock to this long after the start.
fn at(hand: &ManualClock, db: &Db, after: Duration) {
    let gone = u64::try_from(db.clock().now().since(START)).expect("time goes on");
    hand.advance(after.checked_sub(Duration::from_micros(gone)).expect("time goes on"));
}

#[tokio::test]
async fn each_thing_goes_when_its_time_is_over_and_not_before() {
    for (engine, hand) in testing::engines_at(START).await {
        let (db, kit) = (&engine.db, Kit::on(&engine.db));
        let good = kit.start("test.steps").await.id;
        let bad = kit.start("test.fail").await.id;
        kit.work_all("w").await.expect("works");
        assert_eq!(lines(&kit).await, 1);

        at(&hand, db, 7 * DAY);
        assert_eq!(
            said(&prune(db, false).await, "open_work"),
            "Failures taken off the open work: 0."
        );
        at(&hand, db, 7 * DAY + SECOND);
        let detail = prune(db, false).await;
        assert_eq!(said(&detail, "open_work"), "Failures taken off the open work: 1.");
        assert!(!kit.get(bad).await.run.open_work, "and the run is still there");
        let expired = Sql::new(
            "SELECT COUNT(*) AS n FROM operation_runs WHERE open_work_expired_at IS NOT NULL",
        );
        assert_eq!(kit.count(expired).await, 1);

        at(&hand, db, 14 * DAY);
        prune(db, false).await;
        assert_eq!(lines(&kit).await, 1);
        at(&hand, db, 14 * DAY + SECOND);
        assert_eq!(said(&prune(db, false).await, "logs"), "Log lines removed: 1.");
        assert_eq!(lines(&kit).await, 0);

        at(&hand, db, 90 * DAY);
        prune(db, false).await;
        assert!(exists(&kit, RUNS, good).await);
        at(&hand, db, 90 * DAY + SECOND);
        assert_eq!(said(&prune(db, false).await, "runs"), "Operations removed: 1.");
        assert!(!exists(&kit, RUNS, good).await);
        let steps = Sql::new("SELECT COUNT(*) AS n FROM operation_steps WHERE run_id = ").arg(good);
        assert_eq!(kit.count(steps).await, 0, "with all that belongs to it");

        at(&hand, db, 180 * DAY);
        prune(db, false).await;
        assert!(exists(&kit, RUNS, bad).await);
        at(&hand, db, 180 * DAY + SECOND);
        prune(db, false).await;
        assert!(!exists(&kit, RUNS, bad).await);
    }
}

/// Whatever its age, what waits or runs stays with its log, and so does what a retry of it works on.
#[tokio::test]
async fn an_active_chain_is_kept_and_then_goes() {
    for (engine, hand) in testing::engines_at(START).await {
        let (db, kit) = (&engine.db, Kit::on(&engine.db));
        let first = kit.start("test.fail").await.id;
        kit.work_all("w").await.expect("works");
        let second = kit.start("test.fail").await.id;
        kit.work_all("w").await.expect("works");
        let third = kit.start("test.steps").await.id;
        for (child, parent) in [(second, first), (third, second)] {
            let sql = Sql::new("UPDATE operation_runs SET retry_of_run_id = ").arg(parent);
            let sql = sql.push(", root_run_id = ").arg(first).push(" WHERE id = ").arg(child);
            change(db, sql).await;
        }
        at(&hand, db, 400 * DAY);
        prune(db, false).await;
        for id in [first, second, third] {
            assert!(exists(&kit, RUNS, id).await, "the newest of the chain still waits");
        }
        assert_eq!(kit.get(third).await.run.retry_of_run_id, Some(second));
        kit.work_all("w").await.expect("works");
        prune(db, false).await;
        assert!(!exists(&kit, RUNS, first).await && !exists(&kit, RUNS, second).await);
        let left = kit.get(third).await.run;
        assert_eq!((left.outcome, left.retry_of_run_id), (Outcome::Succeeded, None));
    }
}

#[tokio::test]
async fn a_dry_run_counts_and_changes_nothing() {
    for (engine, hand) in testing::engines_at(START).await {
        let (db, kit) = (&engine.db, Kit::on(&engine.db));
        for _ in 0..3 {
            kit.start("test.fail").await;
        }
        kit.start("test.steps").await;
        kit.work_all("w").await.expect("works");
        let feed = Feed::open(db.clone()).await.expect("a feed");
        feed.turn().await.expect("numbered");
        let worker = Sql::new(
            "INSERT INTO operation_workers (id, name, queues, workers, version, started_at, heartbeat_at) VALUES ('k', 'h:1', '[]', 1, '0', 0, 0)",
        );
        change(db, worker).await;
        at(&hand, db, 200 * DAY);
        let all = async || {
            let count = async |sql| kit.count(Sql::new(sql)).await;
            [
                count("SELECT COUNT(*) AS n FROM operation_runs WHERE type <> 'system.prune'")
                    .await,
                count("SELECT COUNT(*) AS n FROM operation_runs WHERE open_work = 1").await,
                count("SELECT COUNT(*) AS n FROM operation_logs").await,
                count("SELECT COUNT(*) AS n FROM operation_workers").await,
                count("SELECT COUNT(*) AS n FROM events WHERE created_at < 1790000000000001").await,
            ]
        };
        let before = all().await;
        assert!(before.iter().all(|n| *n > 0), "{before:?}");
        let detail = prune(db, true).await;
        assert_eq!(all().await, before);
        for (step, words) in [
            ("open_work", "Failures that would be taken off the open work: 3."),
            ("logs", "Log lines that would be removed: 3."),
            ("runs", "Operations that would be removed: 4."),
            ("workers", "Rows of stopped workers that would be removed: 1."),
        ] {
            assert_eq!(said(&detail, step), words);
        }
        assert!(said(&detail, "events").starts_with("Events that would be removed: "));
        let done = prune(db, false).await;
        assert_eq!(said(&done, "runs"), "Operations removed: 4.");
        assert_eq!(all().await[..4], [0, 0, 0, 0]);
    }
}

/// The same rule in every workspace; a group goes with its newest failure and no other does.
#[tokio::test]
async fn groups_go_with_their_newest_failure_in_their_own_workspace() {
    for (engine, hand) in testing::engines_at(START).await {
        let (db, kit) = (&engine.db, Kit::on(&engine.db));
        change(
            db,
            Sql::new("INSERT INTO workspaces (id, name, created_at) VALUES (7, 'seven', 0)"),
        )
        .await;
        let asked = StartOperation { workspace_id: Some(7), ..request("test.fail") };
        let (ours, theirs) =
            (kit.start("test.fail").await.id, kit.ask(asked).await.expect("started").id);
        kit.work_all("w").await.expect("works");
        change(db, Sql::new("DELETE FROM operation_failure_groups")).await;
        at(&hand, db, 100 * DAY);
        let asked = StartOperation { workspace_id: Some(7), ..request("test.fail") };
        let again = kit.ask(asked).await.expect("started").id;
        kit.work_all("w").await.expect("works");
        change(db, Sql::new("DELETE FROM operation_failure_groups")).await;
        for (workspace, newest) in [(1, ours), (7, again)] {
            let row = Sql::new("INSERT INTO operation_failure_groups (workspace_id, fingerprint, type, code, summary, failures, first_seen, last_seen, last_run_id) VALUES (")
                .arg(workspace)
                .push(", 'f', 'test.fail', 'broken', 'it broke', 2, 0, 0, ")
                .arg(newest)
                .push(")");
            change(db, row).await;
        }
        at(&hand, db, 180 * DAY + SECOND);
        assert_eq!(said(&prune(db, false).await, "groups"), "Failure groups removed: 1.");
        assert!(!exists(&kit, RUNS, ours).await && !exists(&kit, RUNS, theirs).await);
        assert!(exists(&kit, RUNS, again).await);
        let left = "SELECT workspace_id AS n FROM operation_failure_groups";
        assert_eq!(kit.count(Sql::new(left)).await, 7);
    }
}

/// Killed between two batches, it is taken up by another worker, which goes on in the same step.
#[tokio::test]
async fn killed_between_two_batches_it_goes_on() {
    for (engine, hand) in testing::engines_at(START).await {
        let (db, kit) = (&engine.db, Kit::on(&engine.db));
        server::operations::seeding::runs(db, 1_000).await.expect("seeded");
        let old = Sql::new("UPDATE operation_runs SET completed_at = 1 WHERE status = 'completed'");
        change(db, old).await;
        let old = || {
            kit.count(Sql::new("SELECT COUNT(*) AS n FROM operation_runs WHERE completed_at = 1"))
        };
        let before = old().await;
        assert!(before > 900, "{before}");
        let id = start(db, false).await;
        let (service, stop) = (service(db).await, CancellationToken::new());
        let worker = service.worker("killed", &["upkeep"]);
        let mut work = Box::pin(worker.work_one(&stop));
        loop {
            tokio::select! {
                biased;
                done = &mut work => panic!("it was not cut off: {done:?}"),
                () = tokio::task::yield_now() => {}
            }
            if old().await < before {
                break;
            }
        }
        drop(work);
        let left = old().await;
        assert!(left > 0, "some are left");
        hand.advance(Duration::from_secs(31));
        service.timer().tick().await.expect("looks");
        assert!(service.worker("next", &["upkeep"]).work_one(&stop).await.expect("works"));
        let detail = kit.get(id).await;
        assert_eq!(
            (detail.run.status, detail.run.outcome),
            (Status::Completed, Outcome::Succeeded)
        );
        assert_eq!(detail.run.attempt, 2);
        assert_eq!(old().await, 0);
        let said = said(&detail, "runs");
        assert_eq!(said, format!("Operations removed: {left}."), "what was left");
    }
}

/// Once a day, though it looks every hour; and what does not verify is kept as evidence.
#[tokio::test]
async fn the_audit_log_is_pruned_once_a_day_and_only_where_it_is_as_it_was_written() {
    for (engine, hand) in testing::engines_at(START).await {
        let (db, kit) = (&engine.db, Kit::on(&engine.db));
        kit.start("test.steps").await;
        kit.work_all("w").await.expect("works");
        let rows = async || {
            kit.count(Sql::new("SELECT COUNT(*) AS n FROM audit_log WHERE at = 1790000000000000"))
                .await
        };
        assert_eq!(rows().await, 2, "a start and an end");
        at(&hand, db, 401 * DAY);
        let early = prune(db, false).await;
        assert_eq!(said(&early, "audit"), "No entry is a day older than entries are kept.");
        at(&hand, db, 401 * DAY + SECOND);
        assert_eq!(
            said(&prune(db, true).await, "audit"),
            "Audit entries that would be removed: 2."
        );
        assert_eq!(rows().await, 2);
        assert_eq!(said(&prune(db, false).await, "audit"), "Audit entries removed: 2.");
        assert_eq!(rows().await, 0);
        let looked = verify(db, &ChainKeys::for_tests(), &Ask::default()).await;
        assert!(matches!(looked, Ok(Verdict::Whole(whole)) if whole.pruned_to == 2), "{looked:?}");

        change(db, Sql::new("UPDATE audit_log SET reason = 'none' WHERE seq = 3")).await;
        at(&hand, db, 810 * DAY);
        let id = start(db, false).await;
        let worker = service(db).await.worker("w", &["upkeep"]);
        worker.work_one(&CancellationToken::new()).await.expect("the store answers");
        let run = kit.get(id).await.run;
        assert_eq!(run.outcome, Outcome::Failed);
        assert!(
            run.error_summary
                .unwrap_or_default()
                .starts_with("The old end of the audit log is not")
        );
        let kept = Sql::new("SELECT COUNT(*) AS n FROM audit_log WHERE seq = 3");
        assert_eq!(kit.count(kept).await, 1);
    }
}

#[tokio::test]
async fn a_removed_cluster_can_be_looked_up_for_thirty_days() {
    for (engine, hand) in testing::engines_at(START).await {
        let (db, kit) = (&engine.db, Kit::on(&engine.db));
        for (name, removed) in [("gone", Some(START)), ("here", None)] {
            let sql = Sql::new(
                "INSERT INTO clusters (id, workspace_id, name, external_id, api_server_url, transport, cluster_type, \
                 environment, state, state_since, connectivity, deductions, created_at, updated_at, removed_at, \
                 version) VALUES (",
            )
            .arg(name)
            .push(", 1, ")
            .arg(name)
            .push(", ")
            .arg(name)
            .push(", 'https://h', 'direct', 'SPOKE', 'LAB', 'UNKNOWN', 1, 'DISCONNECTED', '[]', 1, 1, ")
            .arg(removed)
            .push(", 1)");
            change(db, sql).await;
            let label = Sql::new("INSERT INTO cluster_labels (cluster_id, key, value) VALUES (")
                .arg(name)
                .push(", 'team', 'a')");
            change(db, label).await;
        }
        let draft = |id: &'static str, expires: Micros| {
            Sql::new("INSERT INTO cluster_drafts (id, owner_id, sealed, preflight, created_at, expires_at) VALUES (")
                .arg(id)
                .push(", 'p', ")
                .arg(vec![1_u8])
                .push(", '{}', 1, ")
                .arg(expires)
                .push(")")
        };
        change(db, draft("forgotten", START)).await;
        at(&hand, db, 30 * DAY);
        change(db, draft("thought about", db.clock().now().plus(Micros::SECOND))).await;
        let says = |detail: &OperationDetail| said(detail, "clusters").to_owned();
        let words = "Removed clusters and registrations left unfinished";
        assert_eq!(says(&prune(db, true).await), format!("{words} that would be erased: 1."));
        assert_eq!(says(&prune(db, false).await), format!("{words} erased: 1."));
        at(&hand, db, 30 * DAY + SECOND);
        assert_eq!(says(&prune(db, true).await), format!("{words} that would be erased: 2."));
        assert_eq!(says(&prune(db, false).await), format!("{words} erased: 2."));
        for table in ["clusters", "cluster_labels"] {
            let left = match table {
                "clusters" => "SELECT COUNT(*) AS n FROM clusters",
                _ => "SELECT COUNT(*) AS n FROM cluster_labels",
            };
            assert_eq!(kit.count(Sql::new(left)).await, 1, "{table}");
        }
    }
}

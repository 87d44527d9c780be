//! The console's own types: they end, and what they leave is what a whole store would have.

use std::time::Duration;

use app::operations::model::{OperationDetail, Outcome, StartOperation};
use serde_json::json;
use server::{
    audit::{Retention, operations::verify},
    clock::Clock,
    egress::{Egress, EgressConfig},
    events::Feed,
    journal::AuditRow,
    operations::{
        operations::{
            prune,
            self_check::{self, Room},
        },
        spec::Catalog,
    },
    store::{Db, Sql, testing},
    vault::ChainKeys,
};

use super::super::{
    kit::{Effects, Kit, catalog, request},
    trial::{START, Trial, on_stage},
};

const DAY: Duration = Duration::from_hours(24);

async fn change(kit: &Kit, sql: Sql) {
    let mut tx = kit.db.begin().await.expect("a write begins");
    tx.execute(sql).await.expect("a statement");
    tx.commit(Vec::new()).await.expect("a commit");
}

/// One run of it, begun in trouble.
async fn once(trial: &Trial, asked: StartOperation) -> OperationDetail {
    let id = trial.kit.ask(asked).await.expect("started").id;
    trial.work().await;
    trial.recover(id).await;
    trial.kit.get(id).await
}

fn said<'a>(detail: &'a OperationDetail, step: &str) -> &'a str {
    let found = detail.steps.iter().find(|one| one.name == step);
    found.and_then(|step| step.detail.as_deref()).unwrap_or_default()
}

async fn verifier(db: &Db, effects: Effects) -> Kit {
    Kit::knowing(db, verify::register(Catalog::default(), db), effects, Vec::new())
}

async fn rows(db: &Db) {
    let row = AuditRow::allowed(&testing::admin(), "test.row");
    let tx = db.begin().await.expect("a write");
    tx.commit(vec![row; 20]).await.expect("a commit");
}

#[tokio::test]
async fn a_whole_chain_is_never_called_broken() {
    on_stage(20, START, verifier, async |trial| {
        rows(&trial.kit.db).await;
        let detail = once(trial, request("audit.verify")).await;
        let why = detail.run.error_summary.as_deref().unwrap_or_default();
        assert!(!why.contains("broken"), "{why}: {}", trial.what());
        match detail.run.outcome {
            Outcome::Succeeded => {
                let said = said(&detail, "rows");
                assert!(said.contains("rows are as they were written"), "{said}");
            }
            _ => assert!(trial.is_troubled(), "{why}"),
        }
    })
    .await;
}

#[tokio::test]
async fn a_changed_row_is_never_called_whole() {
    on_stage(20, START, verifier, async |trial| {
        rows(&trial.kit.db).await;
        let middle = Sql::new("SELECT MAX(seq) - 7 AS n FROM audit_log");
        let row = trial.kit.count(middle).await;
        let set = async |reason: Option<&str>| {
            let sql = Sql::new("UPDATE audit_log SET reason = ").arg(reason.map(str::to_owned));
            change(&trial.kit, sql.push(" WHERE seq = ").arg(row)).await;
        };
        set(Some("nothing")).await;
        let detail = once(trial, request("audit.verify")).await;
        set(None).await;
        assert_eq!(detail.run.outcome, Outcome::Failed, "{}", trial.what());
        let why = detail.run.error_summary.unwrap_or_default();
        let named = why.contains(&format!("row {row} was changed"));
        assert!(named || trial.is_troubled(), "{why}: {}", trial.what());
    })
    .await;
}

async fn pruner(db: &Db, effects: Effects) -> Kit {
    let kept = prune::Kept {
        health_days: 7,
        removed_cluster_days: 30,
        run_days: 90,
        failed_run_days: 180,
        run_log_days: 14,
        open_work_days: 7,
        events_for: DAY,
        events: 100_000,
    };
    let feed = Feed::open(db.clone()).await.expect("a feed");
    let chain = ChainKeys::for_tests();
    let audit = Some(Retention::new(db.clone(), chain, testing::admin(), 400));
    let deps = prune::Deps { db: db.clone(), feed, audit, kept };
    let catalog = prune::register(catalog(&effects), deps);
    Kit::knowing(db, catalog, effects, Vec::new())
}

/// A removed cluster with a label, as registration and removal leave it.
async fn removed_cluster(kit: &Kit, id: i64) {
    let name = format!("gone-{id}");
    let at = kit.db.now().await.expect("a time");
    let sql = Sql::new(
        "INSERT INTO clusters (id, workspace_id, name, external_id, api_server_url, transport, cluster_type, \
         environment, state, state_since, connectivity, deductions, created_at, updated_at, removed_at, version) \
         VALUES (",
    )
    .arg(name.clone())
    .push(", 1, ")
    .arg(name.clone())
    .push(", ")
    .arg(name.clone())
    .push(", 'https://h', 'direct', 'SPOKE', 'LAB', 'UNKNOWN', 1, 'DISCONNECTED', '[]', 1, 1, ")
    .arg(at)
    .push(", 1)");
    change(kit, sql).await;
    let label = Sql::new("INSERT INTO cluster_labels (cluster_id, key, value) VALUES (");
    change(kit, label.arg(name).push(", 'team', 'a')")).await;
}

/// One that met the trouble fails, and the next turn does what it left.
async fn prunes(trial: &Trial) {
    let first = once(trial, request("system.prune")).await.run;
    if first.outcome == Outcome::Failed {
        assert!(trial.is_troubled(), "{:?}", first.error_summary);
        let next = trial.kit.start("system.prune").await.id;
        trial.recover(next).await;
        let outcome = trial.kit.get(next).await.run.outcome;
        assert_eq!(outcome, Outcome::Succeeded, "{:?}: {}", first.error_summary, trial.what());
    }
}

async fn count(kit: &Kit, table: &'static str) -> i64 {
    kit.count(Sql::new("SELECT COUNT(*) AS n FROM ").push(table)).await
}

/// A success, a failure, a removed cluster and a worker that is gone. Gives back the success.
async fn leave_something_of_each(trial: &Trial) -> i64 {
    let kit = &trial.kit;
    let old = kit.start("test.full").await.id;
    kit.start("test.fail").await;
    kit.work_all("w").await.expect("works");
    removed_cluster(kit, old).await;
    let worker = Sql::new(
        "INSERT INTO operation_workers (id, name, queues, workers, version, started_at, heartbeat_at) VALUES (",
    );
    let worker = worker.arg(format!("gone-{old}"));
    change(kit, worker.push(", 'h:1', '[]', 1, '0', 0, 0)")).await;
    old
}

/// A cause outlives all but its newest failure, and then counts more than there are: that is meant, and not what the
/// invariants speak of.
async fn forget_what_failed(kit: &Kit) {
    let failed = "(SELECT id FROM operation_runs WHERE outcome = 'failed')";
    for sql in [
        "DELETE FROM operation_steps WHERE run_id IN ",
        "DELETE FROM operation_logs WHERE run_id IN ",
    ] {
        change(kit, Sql::new(sql).push(failed)).await;
    }
    change(kit, Sql::new("DELETE FROM operation_runs WHERE outcome = 'failed'")).await;
    change(kit, Sql::new("DELETE FROM operation_failure_groups")).await;
}

/// What is old goes, and what is young stays.
#[tokio::test]
async fn what_is_old_goes_and_what_is_young_stays() {
    on_stage(40, START, pruner, async |trial| {
        let (kit, what) = (&trial.kit, trial.what());
        let old = leave_something_of_each(trial).await;
        trial.hand.advance(181 * DAY);
        let young = kit.start("test.full").await.id;
        kit.work_all("w").await.expect("works");
        prunes(trial).await;
        for (table, left) in [
            ("operation_runs WHERE type = 'test.fail'", 0),
            ("operation_failure_groups WHERE type = 'test.fail'", 0),
            ("clusters", 0),
            ("cluster_labels", 0),
            ("operation_workers", 0),
        ] {
            assert_eq!(count(kit, table).await, left, "{table}: {what}");
        }
        for (table, left) in [("operation_steps", 2), ("operation_logs", 2)] {
            let of = async |id: i64| {
                let sql = Sql::new("SELECT COUNT(*) AS n FROM ").push(table);
                kit.count(sql.push(" WHERE run_id = ").arg(id)).await
            };
            assert_eq!((of(old).await, of(young).await), (0, left), "{table}: {what}");
        }
        assert_eq!(kit.get(young).await.run.outcome, Outcome::Succeeded, "{what}");
        forget_what_failed(kit).await;
    })
    .await;
}

/// What would go is counted, and stays.
#[tokio::test]
async fn a_dry_run_changes_nothing() {
    on_stage(10, START, pruner, async |trial| {
        let (kit, what) = (&trial.kit, trial.what());
        leave_something_of_each(trial).await;
        trial.hand.advance(181 * DAY);
        let all = async || {
            let mut all = Vec::new();
            for table in [
                "operation_runs WHERE type <> 'system.prune'",
                "operation_runs WHERE open_work = 1 AND type <> 'system.prune'",
                "operation_logs",
                "clusters",
                "operation_workers",
            ] {
                all.push(count(kit, table).await);
            }
            all
        };
        let before = all().await;
        let input = json!({ "dry_run": true });
        once(trial, StartOperation { input, ..request("system.prune") }).await;
        assert_eq!(all().await, before, "{what}");
        trial.kit.start("system.prune").await;
        trial.kit.work_all("w").await.expect("works");
        forget_what_failed(kit).await;
    })
    .await;
}

/// It ends with a word on each of its checks, and fails where one of them met the trouble.
#[tokio::test]
async fn a_self_check_says_what_it_found() {
    let kit = async |db: &Db, effects: Effects| {
        let deps = self_check::Deps {
            db: db.clone(),
            folder: std::env::temp_dir(),
            room: |_| Ok(Room { free: 50 << 30, all: 100 << 30 }),
            assets: || Ok("4 files are built in.".to_owned()),
            upstreams: Vec::new(),
            egress: Egress::new(EgressConfig::default(), &Clock::system()),
        };
        let catalog = self_check::register(Catalog::default(), deps);
        Kit::knowing(db, catalog, effects, Vec::new())
    };
    on_stage(20, START, kit, async |trial| {
        let detail = once(trial, request("system.self_check")).await;
        let names: Vec<&str> = detail.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["store", "clock", "disk", "assets", "upstreams"], "{}", trial.what());
        let failed: Vec<&str> = detail
            .steps
            .iter()
            .filter(|step| step.status != app::operations::model::StepStatus::Succeeded)
            .map(|step| step.name.as_str())
            .collect();
        assert_eq!(detail.run.outcome == Outcome::Succeeded, failed.is_empty(), "{failed:?}");
        let ours = failed.iter().all(|step| ["store", "clock"].contains(step));
        assert!(failed.is_empty() || trial.is_troubled() && ours, "{failed:?}: {}", trial.what());
    })
    .await;
}

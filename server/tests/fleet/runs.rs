//! What follows from a registration and from a rotation: a run in the same transaction, which says what the look at the
//! cluster came to.

use app::time::Micros;
use serde_json::{Value, json};
use server::{clock::Clock, store::Sql};
use tokio_util::sync::CancellationToken;

use super::{count, create, id, kits, method, nowhere, token, web_kit::Kit};

/// Does all that waits.
async fn work(kit: &Kit) {
    let worker = kit.console.operations.worker("w", &["fleet"]);
    while worker.work_one(&CancellationToken::new()).await.expect("the store answers") {}
}

/// The runs of this type, oldest first.
async fn runs(kit: &Kit, kind: &str) -> Vec<Value> {
    let page = kit.get(&format!("/api/v1/operations?type={kind}&page_size=100")).await.json();
    let mut items = page["items"].as_array().unwrap_or_else(|| panic!("a page: {page}")).clone();
    items.reverse();
    items
}

/// A run's steps, each with what it says.
async fn steps(kit: &Kit, run: &Value) -> Vec<(String, String)> {
    let detail = kit.get(&format!("/api/v1/operations/{}", run["id"])).await.json();
    let steps = detail["steps"].as_array().unwrap_or_else(|| panic!("steps: {detail}"));
    let text = |step: &Value, key: &str| step[key].as_str().unwrap_or_default().to_owned();
    steps.iter().map(|step| (text(step, "name"), text(step, "detail"))).collect()
}

async fn discover_at(kit: &Kit, cluster: &str) -> Micros {
    let sql = Sql::new("SELECT discover_at FROM cluster_probes WHERE cluster_id = ").arg(cluster);
    kit.console.db.fetch_one(sql).await.expect("a row").micros("discover_at").expect("a time")
}

#[tokio::test]
async fn a_registration_is_an_operation_that_says_what_it_found() {
    for kit in kits().await {
        let made = create(
            &kit,
            &json!({ "name": "dark", "api_server_url": nowhere(), "credentials": token() }),
        )
        .await;
        let dark = id(&made);
        let queued = runs(&kit, "fleet.register").await;
        assert_eq!(queued.len(), 1, "queued with the cluster");
        assert_eq!(queued[0]["target"], format!("cluster:{dark}"));
        assert_eq!(queued[0]["status"], "queued");
        // Until the run has looked, no probe asks for the same.
        assert!(discover_at(&kit, &dark).await > Clock::system().now());
        let bare = create(&kit, &json!({ "name": "bare", "api_server_url": nowhere() })).await;
        work(&kit).await;
        let done = runs(&kit, "fleet.register").await;
        assert_eq!(done.len(), 2);
        for (run, says) in done.iter().zip(["Nothing answers", "Nothing is stored"]) {
            assert_eq!(run["outcome"], "succeeded", "{run}");
            let steps = steps(&kit, run).await;
            assert_eq!(steps.len(), 1, "nothing is asked of what does not answer: {steps:?}");
            assert!(steps[0].1.starts_with(says), "{steps:?}");
            assert!(steps[0].1.contains("asked once it answers"), "{steps:?}");
        }
        // The first probe that finds it well has it discovered.
        assert!(discover_at(&kit, &dark).await <= Clock::system().now());
        assert!(discover_at(&kit, &id(&bare)).await <= Clock::system().now());
        let audited = "SELECT COUNT(*) AS n FROM audit_log WHERE action = 'fleet.cluster.create' \
                       AND details LIKE '%operation_id%'";
        assert_eq!(count(&kit, audited).await, 2);
    }
}

#[tokio::test]
async fn a_rotation_is_an_operation_that_proves_the_newest_credential() {
    for kit in kits().await {
        let new = json!({ "name": "dark", "api_server_url": nowhere(), "credentials": token() });
        let id = id(&create(&kit, &new).await);
        let path = format!("/api/v1/clusters/{id}/credentials");
        for version in [2, 3] {
            let stored = method(&kit, "PUT", &path, &token()).await;
            assert_eq!(stored.json()["version"], version, "{}", stored.text());
        }
        work(&kit).await;
        let done = runs(&kit, "fleet.rotate").await;
        let outcomes: Vec<_> = done.iter().map(|run| run["outcome"].clone()).collect();
        assert_eq!(outcomes, ["succeeded", "failed"], "{done:?}");
        assert_eq!(steps(&kit, &done[0]).await[0].1, "Version 3 stands there now.");
        let summary = done[1]["error_summary"].as_str().unwrap_or_default();
        assert!(summary.starts_with("Nothing answers"), "{summary}");
        assert!(steps(&kit, &done[1]).await[0].1.starts_with("Nothing answers"));
        let text = serde_json::to_string(&done).expect("text");
        assert!(!text.contains("canary"), "{text}");
        // Nothing is left to prove of what was erased, and of what is gone.
        let retry = async |run: &Value| {
            let retried =
                kit.post_json(&format!("/api/v1/operations/{}/retry", run["id"]), "").await;
            assert_eq!(retried.status.as_u16(), 201, "{}", retried.text());
            work(&kit).await;
            runs(&kit, "fleet.rotate").await.pop().expect("the retry")
        };
        let erased = method(&kit, "DELETE", &path, &json!({})).await;
        assert_eq!(erased.status.as_u16(), 204);
        let again = retry(&done[1]).await;
        assert_eq!(again["outcome"], "succeeded", "{again}");
        assert_eq!(steps(&kit, &again).await[0].1, "The credential was removed since.");
        let stored = method(&kit, "PUT", &path, &token()).await;
        assert_eq!(stored.json()["version"], 4, "{}", stored.text());
        work(&kit).await;
        let failed = runs(&kit, "fleet.rotate").await.pop().expect("a run");
        assert_eq!(failed["outcome"], "failed");
        let gone = method(&kit, "DELETE", &format!("/api/v1/clusters/{id}"), &json!({})).await;
        assert_eq!(gone.status.as_u16(), 204);
        let again = retry(&failed).await;
        let summary = again["error_summary"].as_str().unwrap_or_default();
        assert!(summary.starts_with("The cluster was removed"), "{again}");
    }
}

/// What the console asked for by itself is past once the same was done, whoever asked for that.
#[tokio::test]
async fn a_failed_discovery_leaves_the_open_work_with_the_next_success() {
    for kit in kits().await {
        let insert = "INSERT INTO operation_runs (workspace_id, type, status, outcome, initiator_kind, \
                      initiator_id, initiator_name, target, queue, priority, input, input_version, \
                      context, scheduled_at, attempt, search_text, created_at, completed_at, open_work) \
                      VALUES (1, 'system.prune', 'completed', 'failed', ";
        for (by, target) in
            [("system", "cluster:a"), ("system", "cluster:b"), ("user", "cluster:a")]
        {
            let sql = Sql::new(insert)
                .arg(by)
                .push(", 'x', 'X', ")
                .arg(target)
                .push(", 'upkeep', 0, '{}', 1, '{}', 1, 1, '', 1, 1, 1)");
            kit.change(sql).await;
        }
        let open = "SELECT COUNT(*) AS n FROM operation_runs WHERE open_work = 1";
        assert_eq!(count(&kit, open).await, 3);
        let start =
            json!({ "type": "system.prune", "target": "cluster:a", "input": { "dry_run": true } });
        let started = kit.post_json("/api/v1/operations", start.to_string()).await;
        assert_eq!(started.status.as_u16(), 201, "{}", started.text());
        let worker = kit.console.operations.worker("w", &["upkeep"]);
        assert!(worker.work_one(&CancellationToken::new()).await.expect("the store answers"));
        assert_eq!(count(&kit, open).await, 2);
        let past = "SELECT COUNT(*) AS n FROM operation_runs WHERE superseded_by_run_id IS NOT NULL \
                    AND initiator_kind = 'system' AND target = 'cluster:a'";
        assert_eq!(count(&kit, past).await, 1);
    }
}

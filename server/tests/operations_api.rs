//! Operations over HTTP: the JSON API and the form, through every layer of a real console.

#![expect(clippy::disallowed_methods, reason = "readers run side by side, and end with their test")]

#[path = "web_kit/mod.rs"]
mod web_kit;

use app::identity::Capability;
use axum::{body::Body, extract::Request};
use http::StatusCode;
use serde_json::json;
use server::{
    clock::Clock,
    store::{Sql, testing},
};
use tokio_util::sync::CancellationToken;
use web_kit::{Answer, Kit, Who};

const API: &str = "/api/v1/operations";
const SELF_CHECK: &str = r#"{"type":"system.self_check"}"#;

async fn start(kit: &Kit, key: &str, body: &'static str) -> Answer {
    let request = Request::post(API).header("content-type", "application/json");
    kit.send(request.header("idempotency-key", key), body).await
}

#[tokio::test]
async fn an_operation_is_started_once_per_key_and_read_back() {
    let kit = Kit::new(Who::Admin).await;
    let made = start(&kit, "k", SELF_CHECK).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let location = made.header("location").to_owned();
    assert_eq!(location, format!("{API}/{}", made.json()["id"]));
    let again = start(&kit, "k", r#"{"type":"system.self_check","priority":0,"input":{}}"#).await;
    assert_eq!((again.status, &again.json()["id"]), (StatusCode::OK, &made.json()["id"]));
    let other = start(&kit, "k", r#"{"type":"system.self_check","priority":1}"#).await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    assert_eq!(other.code(), "IDEMPOTENCY_KEY_REUSED");

    let worker = kit.console.operations.worker("w", &["system"]);
    assert!(worker.work_one(&CancellationToken::new()).await.expect("works"));
    let detail = kit.get(&location).await.json();
    assert_eq!(detail["status"], "completed");
    assert_eq!(detail["steps"].as_array().map(Vec::len), Some(5));
    let list = kit.get(&format!("{API}?status=completed&initiator=Test")).await.json();
    assert_eq!((&list["total"], &list["items"][0]["id"]), (&json!(1), &detail["id"]));
    let none = kit.get(&format!("{API}?outcome=pending")).await.json();
    assert_eq!((&none["total"], &none["total_pages"]), (&json!(0), &json!(0)));
    let types = kit.get(&format!("{API}/types")).await.json();
    let types = types.as_array().expect("a list");
    let own = types.iter().find(|one| one["type"] == "system.self_check").expect("in the catalog");
    assert_eq!(own["last_run"]["id"], detail["id"]);
}

#[tokio::test]
async fn what_cannot_be_answered_names_the_field() {
    let kit = Kit::new(Who::Admin).await;
    for (query, field, rule) in [
        ("page_size=0", "page_size", "range"),
        ("page_size=101", "page_size", "range"),
        ("page=501", "page", "use_cursor"),
        ("status=stuck", "status", "one_of"),
        ("colour=red", "colour", "unknown_field"),
        ("cursor=x", "cursor", "malformed"),
        ("workspace_id=seven", "workspace_id", "malformed"),
    ] {
        let answer = kit.get(&format!("{API}?{query}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        assert_eq!(answer.violations().get(field).map(String::as_str), Some(rule), "{query}");
    }
    for (body, field) in [
        (r#"{"type":"nope"}"#, "type"),
        (r#"{"type":"system.self_check","input":{"a":1}}"#, "input.a"),
        (r#"{"type":"system.self_check","priority":101}"#, "priority"),
        (r#"{"type":"system.self_check","target":"edge"}"#, "target"),
    ] {
        let answer = kit.post_json(API, body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(answer.violations().contains_key(field), "{body}");
    }
    let far = kit.post_json(API, r#"{"type":"system.self_check","workspace_id":9}"#).await;
    assert_eq!((far.status, far.code()), (StatusCode::NOT_FOUND, "WORKSPACE_NOT_FOUND".into()));
    let missing = kit.get(&format!("{API}/99")).await;
    assert_eq!(missing.code(), "OPERATION_NOT_FOUND");
    let twice = Request::post(API).header("content-type", "application/json");
    let twice = twice.header("idempotency-key", "a").header("idempotency-key", "b");
    assert_eq!(kit.send(twice, SELF_CHECK).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(kit.get(API).await.json()["total"], 0);
}

#[tokio::test]
async fn who_may_only_look_starts_nothing() {
    const VIEWER: &[Capability] = &[Capability::AccessSystemPanel, Capability::OperationsView];
    let kit = Kit::new(Who::Holding(VIEWER)).await;
    let refused = kit.post_json(API, SELF_CHECK).await;
    assert_eq!(
        (refused.status, refused.code()),
        (StatusCode::FORBIDDEN, "PERMISSION_DENIED".into())
    );
    assert_eq!(kit.get(API).await.json()["total"], 0);
    assert_eq!(kit.get(&format!("{API}/types")).await.json()[0]["startable"], false);
}

#[tokio::test]
async fn the_form_leads_to_its_run_or_is_drawn_again() {
    let kit = Kit::new(Who::Admin).await;
    let post = |body: &'static str| {
        let request = Request::post("/system/ops/runbooks")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin");
        kit.send(request, Body::from(body))
    };
    let started = post("type=system.self_check").await;
    assert_eq!(started.status, StatusCode::SEE_OTHER);
    assert_eq!(started.header("location"), "/system/ops/runs/1");
    assert!(started.header("set-cookie").contains("operation-started.1"));
    for wrong in ["type=nope", "type=", "", "type=system.self_check&colour=red"] {
        let refused = post(wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert!(refused.text().contains("Not started"), "{wrong}");
    }
}

/// A console in which one self-check has failed, and who looks at it.
async fn with_a_failure(who: Who) -> Kit {
    let kit = Kit::new(who).await;
    let mut tx = kit.console.db.begin().await.expect("a write begins");
    tx.execute(Sql::new(
        "INSERT INTO operation_runs (workspace_id, type, status, outcome, initiator_kind, queue, priority, input, \
         context, scheduled_at, attempt, created_at, open_work, error_summary) VALUES (1, 'system.self_check', \
         'completed', 'failed', 'schedule', 'system', 0, '{}', '{}', 1, 1, 1, 1, 'Disk: full')",
    ))
    .await
    .expect("an insert");
    tx.commit(Vec::new()).await.expect("a commit");
    kit
}

async fn decide(kit: &Kit, body: &str) -> Answer {
    let request = Request::post("/system/ops/runs/1")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin");
    kit.send(request, Body::from(body.to_owned())).await
}

const SEEN: &str = "status=completed&outcome=failed&attempt=1";

#[tokio::test]
async fn the_header_of_a_failed_run_offers_what_fits_and_takes_it() {
    let kit = with_a_failure(Who::Admin).await;
    let answer = kit.get("/system/ops/runs/1").await;
    let page = answer.text();
    assert!(page.contains("Retry…") && page.contains("Mark investigated…"));
    assert!(!page.contains("Cancel…"));
    let short = decide(&kit, &format!("do=investigate&{SEEN}&reason=+abc+")).await;
    assert_eq!(short.status, StatusCode::UNPROCESSABLE_ENTITY);
    let drawn = short.text();
    assert!(
        drawn.contains("must have 5 to 500 characters") && drawn.contains(" abc "),
        "text kept"
    );
    let stale = "do=investigate&status=running&outcome=pending&attempt=1&reason=looked+at+it";
    let stale = decide(&kit, stale).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    assert!(
        stale.text().contains("It has ended in the meantime")
            && stale.text().contains("looked at it")
    );
    let marked = decide(&kit, &format!("do=investigate&{SEEN}&reason=looked+at+it")).await;
    assert_eq!(
        (marked.status, marked.header("location")),
        (StatusCode::SEE_OTHER, "/system/ops/runs/1")
    );
    let retried = decide(&kit, &format!("do=retry&{SEEN}")).await;
    assert_eq!(
        (retried.status, retried.header("location")),
        (StatusCode::SEE_OTHER, "/system/ops/runs/2")
    );
    let again = decide(&kit, &format!("do=retry&{SEEN}")).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.text().contains("the newest is Operation #2"));
    for wrong in ["do=delete", "", "do=retry", "do=retry&status=x&outcome=failed&attempt=1"] {
        assert_eq!(decide(&kit, wrong).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
}

#[tokio::test]
async fn who_may_only_look_sees_no_triage_and_forges_none() {
    const VIEWER: &[Capability] = &[Capability::AccessSystemPanel, Capability::OperationsView];
    let kit = with_a_failure(Who::Holding(VIEWER)).await;
    let answer = kit.get("/system/ops/runs/1").await;
    let page = answer.text();
    assert!(!page.contains("Retry…") && !page.contains("Mark investigated…"));
    assert!(page.contains("platform.operations.manage"), "one line names the capability");
    assert!(page.contains("Show all operations") && page.contains("Go to runbooks"));
    for body in ["do=retry", "do=cancel", "do=end_anyway", "do=investigate&reason=looked+at+it"] {
        let forged = decide(&kit, &format!("{body}&{SEEN}")).await;
        assert_eq!(forged.status, StatusCode::FORBIDDEN, "{body}");
    }
    for (call, body) in [
        ("retry", ""),
        ("cancel", ""),
        ("end", ""),
        ("investigate", r#"{"reason":"looked at it"}"#),
    ] {
        let forged = kit.post_json(&format!("{API}/1/{call}"), body).await;
        assert_eq!(
            (forged.status, forged.code()),
            (StatusCode::FORBIDDEN, "PERMISSION_DENIED".into())
        );
    }
    let denied = Sql::new(
        "SELECT COUNT(*) AS n FROM audit_log WHERE decision = 'denied' AND capability = 'platform.operations.manage'",
    );
    let denied = kit.console.db.fetch_one(denied).await.expect("a row").i64("n").expect("a number");
    assert_eq!(denied, 8);
    let run = kit.get(&format!("{API}/1")).await.json();
    assert_eq!(
        (&run["open_work"], &run["triage"]["lacking"]),
        (&json!(true), &json!("platform.operations.manage"))
    );
}

#[tokio::test]
async fn triage_over_json_answers_with_what_became_of_it() {
    let kit = with_a_failure(Who::Admin).await;
    let short = kit.post_json(&format!("{API}/1/investigate"), r#"{"reason":"abc"}"#).await;
    assert_eq!(short.violations().get("reason").map(String::as_str), Some("length"));
    let marked = kit
        .post_json(&format!("{API}/1/investigate"), r#"{"reason":" node 7 was drained "}"#)
        .await;
    assert_eq!(marked.status, StatusCode::OK);
    assert_eq!(marked.json()["context"]["triage"]["investigated"]["reason"], "node 7 was drained");
    assert_eq!(marked.json()["open_work"], false);
    let retried = kit.post_json(&format!("{API}/1/retry"), "").await;
    assert_eq!(
        (retried.status, retried.header("location")),
        (StatusCode::CREATED, "/api/v1/operations/2")
    );
    let again = kit.post_json(&format!("{API}/1/retry"), "{}").await;
    assert_eq!((again.status, again.code()), (StatusCode::CONFLICT, "OPERATION_RETRIED".into()));
    let stale = r#"{"expected":{"status":"running","outcome":"pending","attempt":1}}"#;
    let stale = kit.post_json(&format!("{API}/2/cancel"), stale).await;
    assert_eq!((stale.status, stale.code()), (StatusCode::CONFLICT, "OPERATION_MOVED".into()));
    let cancelled = kit.post_json(&format!("{API}/2/cancel"), "").await;
    assert_eq!(cancelled.status, StatusCode::OK);
    assert_eq!(cancelled.json()["error_summary"], "Cancelled by Test.");
    let ended = kit.post_json(&format!("{API}/2/cancel"), "").await;
    assert_eq!(ended.code(), "OPERATION_ENDED");
    assert_eq!(kit.post_json(&format!("{API}/99/retry"), "").await.status, StatusCode::NOT_FOUND);
    let unknown = kit.post_json(&format!("{API}/1/retry"), r#"{"force":true}"#).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
}

/// A render is resumed by whichever thread is free, and what it held is dropped there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_read_at_once_and_every_page_is_drawn() {
    for dialect in testing::dialects() {
        let kit = Kit::on(dialect, Who::Admin, Clock::system(), |_| {}, |routes| routes).await;
        let kit = std::sync::Arc::new(kit);
        assert_eq!(start(&kit, "k", SELF_CHECK).await.status, StatusCode::CREATED);
        let pages = [
            "/",
            "/system/ops/runs",
            "/system/ops/failures",
            "/system/ops/stuck",
            "/system/ops/runs/1",
            "/audit",
        ];
        let readers = (0..16).map(|reader| {
            let kit = std::sync::Arc::clone(&kit);
            tokio::spawn(async move {
                for page in 0..12 {
                    let path = pages[(reader + page) % pages.len()];
                    assert_eq!(kit.get(path).await.status, StatusCode::OK, "{path}");
                }
            })
        });
        for reader in readers.collect::<Vec<_>>() {
            reader.await.expect("every page was drawn");
        }
    }
}

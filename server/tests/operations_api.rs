//! Operations over HTTP: the JSON API and the form, through every layer of a real console.

#[path = "web_kit/mod.rs"]
mod web_kit;

use app::identity::Capability;
use axum::{body::Body, extract::Request};
use http::StatusCode;
use serde_json::json;
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

//! The lists of operations over HTTP: the JSON lists, the pages, and the forms of saved views, through every layer.

mod web_kit;

use app::identity::Capability;
use axum::{body::Body, extract::Request};
use http::StatusCode;
use serde_json::json;
use server::store::Sql;
use web_kit::{Answer, Kit, Who};

const VIEWER: &[Capability] = &[Capability::AccessSystemPanel, Capability::OperationsView];
const LISTS: [&str; 3] = ["/system/ops/runs", "/system/ops/failures", "/system/ops/stuck"];

async fn post(kit: &Kit, path: &str, body: &'static str) -> Answer {
    let request = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin");
    kit.send(request, Body::from(body)).await
}

#[tokio::test]
async fn each_list_and_its_figures_are_there_over_json() {
    let kit = Kit::new(Who::Admin).await;
    let started = kit.post_json("/api/v1/operations", r#"{"type":"system.self_check"}"#).await;
    assert_eq!(started.status, StatusCode::CREATED);
    let all = kit.get("/api/v1/operations?type=system.self_check&type=none").await.json();
    assert_eq!((&all["total"], &all["items"][0]["stuck"]), (&json!(1), &json!(null)));
    for path in ["failures", "stuck", "failures/groups"] {
        let list = kit.get(&format!("/api/v1/operations/{path}")).await;
        assert_eq!((list.status, &list.json()["total"]), (StatusCode::OK, &json!(0)), "{path}");
    }
    let counts = kit.get("/api/v1/operations/counts?type=system.self_check").await.json();
    assert_eq!(counts["queued"], json!({"total": 1, "total_capped": false}));
    for (path, field) in [
        ("failures?outcome=failed", "outcome"),
        ("stuck?status=completed", "status"),
        ("stuck?stuck_class=asleep", "stuck_class"),
        ("counts?status=queued", "status"),
        ("failures/groups?group=cause", "group"),
    ] {
        let answer = kit.get(&format!("/api/v1/operations/{path}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert!(answer.violations().contains_key(field), "{path}");
    }
}

#[tokio::test]
async fn each_page_is_drawn_with_one_way_out() {
    let kit = Kit::new(Who::Admin).await;
    for (path, out) in LISTS.into_iter().zip(["runbooks", "runs", "runs"]) {
        let page = kit.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let main = page.text().split_once("<main").expect("a main part").1;
        let head = main.split_once("class=\"actions\"").expect("a way out").1;
        let head = head.split_once("</div>").expect("it ends").0;
        assert_eq!(head.matches("<a ").count(), 1, "{path}");
        assert!(head.contains(&format!("/system/ops/{out}")), "{path}");
        assert!(main.contains("aria-label=\"Lists of operations\""), "{path}");
    }
    let causes = kit.get("/system/ops/failures?group=cause").await;
    assert_eq!(causes.status, StatusCode::OK);
    assert!(causes.text().contains("No failed operations"));
    assert_eq!(kit.get("/system/ops/failures?group=none").await.status.as_u16(), 422);
}

#[tokio::test]
async fn a_view_is_saved_renamed_and_deleted_where_the_list_is() {
    let kit = Kit::new(Who::Admin).await;
    let save = "do=save_view&name=Busy+%3Cb%3E&shared=shared&workspace_id=1&query=type%3Da%26status%3Drunning%26page%3D2";
    for path in LISTS {
        let saved = post(&kit, &format!("{path}?type=b"), save).await;
        if path == "/system/ops/failures" {
            // Failures have no such filter.
            assert_eq!(saved.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert!(saved.text().contains("value=\"Busy &lt;b&gt;\""), "what was typed is kept");
            continue;
        }
        assert_eq!(saved.status, StatusCode::SEE_OTHER, "{path}: {}", saved.text());
        assert_eq!(saved.header("location"), format!("{path}?type=a&status=running"));
        let again = post(&kit, path, save).await;
        assert_eq!(again.status, StatusCode::CONFLICT);
        assert!(again.text().contains("value=\"Busy &lt;b&gt;\""), "what was typed is kept");
        assert!(kit.get(path).await.text().contains("Saved views (1)"));
    }
    let views = kit.get("/api/v1/saved-views?list=stuck").await.json();
    let id = views["items"][0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/saved-views/{id}");
    let rename = Request::patch(&path).header("content-type", "application/json");
    let renamed = kit.send(rename, r#"{"name":"Later"}"#).await;
    assert_eq!((renamed.status, &renamed.json()["name"]), (StatusCode::OK, &json!("Later")));
    assert_eq!(kit.send(Request::delete(&path), Body::empty()).await.status.as_u16(), 204);
    let gone = kit.send(Request::delete(&path), Body::empty()).await;
    assert_eq!(gone.code(), "SAVED_VIEW_NOT_FOUND");
    let stale: &'static str = Box::leak(format!("do=delete_view&id={id}").into_boxed_str());
    let stale = post(&kit, "/system/ops/stuck?type=b", stale).await;
    assert_eq!(stale.status, StatusCode::NOT_FOUND);
    assert!(stale.text().contains("Saved view not found"), "on the page of the list");
}

#[tokio::test]
async fn who_only_looks_keeps_views_for_themselves() {
    let kit = Kit::new(Who::Holding(VIEWER)).await;
    let page = kit.get("/system/ops/runs").await;
    assert!(page.text().contains("platform.operations.manage"));
    assert!(!page.text().contains("value=\"shared\""), "what may not be done is absent");
    let own = post(&kit, "/system/ops/runs", "do=save_view&name=Mine&workspace_id=1&query=").await;
    assert_eq!(own.status, StatusCode::SEE_OTHER);
    let forged = "do=save_view&name=Ours&shared=shared&workspace_id=1&query=";
    let forged = post(&kit, "/system/ops/runs", forged).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    let over_json = r#"{"list":"runs","name":"Ours","shared":true}"#;
    let over_json = kit.post_json("/api/v1/saved-views", over_json).await;
    assert_eq!(over_json.status, StatusCode::FORBIDDEN);
    let sql = Sql::new(
        "SELECT capability FROM audit_log WHERE decision = 'denied' \
         AND capability = 'platform.operations.manage'",
    );
    let refused = kit.console.db.fetch_all(sql).await.expect("the log is there");
    assert_eq!(refused.len(), 2);
    let views = kit.get("/api/v1/saved-views").await.json();
    assert_eq!((&views["total"], &views["items"][0]["name"]), (&json!(1), &json!("Mine")));
}

//! Following one operation over HTTP: steps, log, the file, and requests that wait; through every layer of a
//! real console.

#[path = "web_kit/mod.rs"]
mod web_kit;

use std::time::Duration;

use app::identity::{Capability, Role};
use axum::body::Body;
use futures::future::join_all;
use http::{Request, StatusCode};
use server::store::{Sql, testing::eventually};
use tokio_util::sync::CancellationToken;
use web_kit::{Kit, Who};

const API: &str = "/api/v1/operations";

async fn start(kit: &Kit) -> i64 {
    let made = kit.post_json(API, r#"{"type":"system.self_check"}"#).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    made.json()["id"].as_i64().expect("an id")
}

async fn work(kit: &Kit) {
    let worker = kit.console.operations.worker("w", &["system"]);
    assert!(worker.work_one(&CancellationToken::new()).await.expect("works"));
}

/// Until so many requests wait for news.
async fn followers(kit: &Kit, count: usize) {
    eventually("they wait", async || Ok((kit.console.feed.followers() == count).then_some(())))
        .await;
}

async fn change(kit: &Kit, sql: Sql) {
    let mut tx = kit.console.db.begin().await.expect("a transaction");
    tx.execute(sql).await.expect("a change");
    tx.commit(Vec::new()).await.expect("committed");
}

async fn write_lines(kit: &Kit, id: i64, lines: &[&str]) {
    for (n, line) in (1_i64..).zip(lines) {
        let sql = Sql::new("INSERT INTO operation_logs (run_id, seq, at, level, line) VALUES ")
            .list([
                server::store::Value::from(id),
                n.into(),
                n.into(),
                "info".into(),
                (*line).into(),
            ]);
        change(kit, sql).await;
    }
}

#[tokio::test]
async fn who_waits_is_answered_when_it_has_ended() {
    let kit = Kit::new(Who::Admin).await;
    let id = start(&kit).await;
    let path = format!("{API}/{id}?wait=60s");
    let (one, other, ()) = tokio::join!(kit.get(&path), kit.get(&path), async {
        followers(&kit, 2).await;
        work(&kit).await;
        // One look at what was committed: all news of the run is in it.
        kit.console.feed.turn().await.expect("numbered");
    });
    for answer in [one, other] {
        assert_eq!(
            (answer.status, &answer.json()["status"]),
            (StatusCode::OK, &"completed".into())
        );
    }
    // What has ended is answered at once.
    assert_eq!(kit.get(&path).await.json()["status"], "completed");
    assert_eq!(kit.console.feed.followers(), 0);
}

#[tokio::test]
async fn a_wait_ends_with_its_time_and_with_the_server() {
    let kit = Kit::new(Who::Admin).await;
    let id = start(&kit).await;
    let began = kit.console.clock.monotonic();
    let elapsed = || kit.console.clock.monotonic().saturating_sub(began);
    let queued = kit.get(&format!("{API}/{id}?wait=1s")).await;
    assert_eq!((queued.status, &queued.json()["status"]), (StatusCode::OK, &"queued".into()));
    assert!(elapsed() >= Duration::from_secs(1));
    assert_eq!(kit.get(&format!("{API}/{id}?wait=0s")).await.json()["status"], "queued");

    let path = format!("{API}/{id}?wait=60s");
    let (stopped, ()) = tokio::join!(kit.get(&path), async {
        followers(&kit, 1).await;
        kit.console.shutdown.cancel();
    });
    assert_eq!((stopped.status, &stopped.json()["status"]), (StatusCode::OK, &"queued".into()));
    assert!(elapsed() < Duration::from_secs(50), "nobody waited for the minute");
}

#[tokio::test]
async fn a_caller_has_eight_waits_and_gets_them_back() {
    let kit = Kit::new(Who::Admin).await;
    let id = start(&kit).await;
    let path = format!("{API}/{id}?wait=60s");
    let eight = join_all((0..8).map(|_| kit.get(&path)));
    let (answers, ()) = tokio::join!(eight, async {
        followers(&kit, 8).await;
        for path in [path.clone(), format!("{API}/{id}/log?wait=1s")] {
            let ninth = kit.get(&path).await;
            assert_eq!(ninth.status, StatusCode::TOO_MANY_REQUESTS);
            assert_eq!((ninth.header("retry-after"), ninth.code().as_str()), ("5", "RATE_LIMITED"));
        }
        work(&kit).await;
        kit.console.feed.turn().await.expect("numbered");
    });
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    assert_eq!(kit.get(&path).await.status, StatusCode::OK);
}

#[tokio::test]
async fn rights_that_end_end_the_wait() {
    let kit = Kit::new(Who::Real).await;
    let admin = kit.signed_in("admin", Some((Role::Admin, None))).await;
    let ada = kit.signed_in("ada", Some((Role::Auditor, None))).await;
    let run = serde_json::json!({ "type": "system.self_check" });
    let id = kit.json_as(&admin, API, run).await.json()["id"].clone();
    let path = format!("{API}/{id}?wait=60s");
    let (refused, ()) = tokio::join!(kit.get_as(&ada, &path), async {
        followers(&kit, 1).await;
        // Other people's rights are no reason to stop.
        kit.change(Sql::new("UPDATE people SET display_name = 'A' WHERE id = 'admin'")).await;
        kit.console.epochs.look().await.expect("the store answers");
        followers(&kit, 1).await;
        kit.change(Sql::new("DELETE FROM grants WHERE subject_id = 'ada'")).await;
        kit.console.epochs.look().await.expect("the store answers");
    });
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
}

#[tokio::test]
async fn lines_are_paged_and_waited_for() {
    let kit = Kit::new(Who::Admin).await;
    let id = start(&kit).await;
    let log = format!("{API}/{id}/log");
    let empty = kit.get(&log).await.json();
    assert_eq!((&empty["last_seq"], &empty["status"]), (&0.into(), &"queued".into()));

    let path = format!("{log}?wait=60s&after=0");
    let (waited, ()) = tokio::join!(kit.get(&path), async {
        followers(&kit, 1).await;
        work(&kit).await;
        kit.console.feed.turn().await.expect("numbered");
    });
    assert_eq!(waited.status, StatusCode::OK);
    change(&kit, Sql::new("DELETE FROM operation_logs")).await;
    write_lines(&kit, id, &["one", "two", "\u{1b}[31mthree\nforged"]).await;
    let page = kit.get(&format!("{log}?after=1&limit=1")).await.json();
    assert_eq!((&page["lines"][0]["line"], &page["next_after"]), (&"two".into(), &2.into()));
    assert_eq!((&page["last_seq"], page["lines"].as_array().map(Vec::len)), (&3.into(), Some(1)));
    let raw = kit.get(&format!("{log}?after=2")).await.json();
    assert_eq!(raw["lines"][0]["line"], "\u{1b}[31mthree\nforged", "machines get what was written");
    assert_eq!(
        kit.get(&format!("{API}/{id}/steps")).await.json().as_array().map(Vec::len),
        Some(5)
    );

    let file = kit.get(&format!("/system/ops/runs/{id}/log")).await;
    assert_eq!(file.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(file.header("x-content-type-options"), "nosniff");
    assert!(file.header("content-disposition").contains(&format!("operation-{id}.log")));
    let lines: Vec<&str> = file.text().lines().collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0], "1970-01-01T00:00:00.000001Z info  one");
    assert_eq!(lines[2..], ["1970-01-01T00:00:00.000003Z info  three", "    forged"]);
}

#[tokio::test]
async fn what_cannot_be_asked_names_the_field() {
    let kit = Kit::new(Who::Admin).await;
    let id = start(&kit).await;
    for (query, field, rule) in [
        ("?wait=soon", "wait", "malformed"),
        ("?wait=", "wait", "malformed"),
        ("?wait=61s", "wait", "range"),
        ("?wait=1s&wait=2s", "wait", "repeated"),
        ("?colour=red", "colour", "unknown_field"),
        ("?after=1", "after", "unknown_field"),
        ("/log?after=-1", "after", "range"),
        ("/log?after=one", "after", "malformed"),
        ("/log?limit=0", "limit", "range"),
        ("/log?limit=1001", "limit", "range"),
        ("/log?before=1", "before", "unknown_field"),
        ("/steps?limit=1", "limit", "unknown_field"),
    ] {
        let answer = kit.get(&format!("{API}/{id}{query}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        assert_eq!(answer.violations().get(field).map(String::as_str), Some(rule), "{query}");
    }
    let nul = kit.get(&format!("{API}/{id}/log?after=%00")).await;
    assert_eq!(
        (nul.status, nul.violations()["after"].as_str()),
        (StatusCode::BAD_REQUEST, "nul_byte")
    );
    for path in ["/99", "/99/log", "/99/steps", "/99?wait=60s", "/99/log?wait=60s"] {
        assert_eq!(kit.get(&format!("{API}{path}")).await.code(), "OPERATION_NOT_FOUND", "{path}");
    }
    assert_eq!(kit.get("/system/ops/runs/99/log").await.status, StatusCode::NOT_FOUND);
    assert_eq!(kit.get(&format!("{API}/one/log")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn the_page_and_its_island_show_the_lines() {
    const VIEWER: &[Capability] = &[Capability::AccessSystemPanel, Capability::OperationsView];
    let kit = Kit::new(Who::Holding(VIEWER)).await;
    let admin = Kit::new(Who::Admin).await;
    let id = start(&admin).await;
    write_lines(&admin, id, &["<script>alert(1)</script>", "\u{202e}two"]).await;
    let page = admin.get(&format!("/system/ops/runs/{id}")).await;
    assert_eq!(page.status, StatusCode::OK);
    for said in ["&lt;script&gt;alert(1)", "‹U+202E›two", "lines 1 to 2", "Since the last success"]
    {
        assert!(page.text().contains(said), "{said} is missing");
    }
    let call = |kit: &'static Kit, body: String| async move {
        let request = Request::post("/api/ui/operations/log")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin");
        kit.send(request, Body::from(body)).await
    };
    let (kit, admin): (&Kit, &Kit) = (Box::leak(Box::new(kit)), Box::leak(Box::new(admin)));
    let lines = call(admin, format!("id={id}&after=1")).await;
    assert_eq!(lines.status, StatusCode::OK, "{}", lines.text());
    assert_eq!(lines.json()["lines"][0]["text"], "‹U+202E›two");
    assert_eq!(lines.json()["lines"].as_array().map(Vec::len), Some(1));
    assert_eq!(call(kit, "id=99&after=0".to_owned()).await.status, StatusCode::NOT_FOUND);
    assert_eq!(call(kit, "id=1&after=x".to_owned()).await.status, StatusCode::BAD_REQUEST);
}

//! What every address has in common: ids, headers, limits, and how a refusal looks.

mod web_kit;

use std::{sync::Arc, time::Duration};

use app::{operations::model::StartOperation, time::Micros};
use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::CONTENT_TYPE};
use server::{
    clock::Clock,
    web::{Access::Public, Routes, json::Json, query::PathId},
};
use tokio::sync::Notify;
use web_kit::{Answer, Kit, Who};

async fn breaks() -> StatusCode {
    panic!("on purpose")
}

async fn takes(Json(start): Json<StartOperation>) -> String {
    start.kind
}

async fn numbered(PathId(id): PathId) -> String {
    id.to_string()
}

async fn long() -> Json<Vec<&'static str>> {
    Json(vec!["operation"; 1000])
}

async fn streams() -> Response {
    let lines = "data: x\n\n".repeat(1000);
    ([(CONTENT_TYPE, "text/event-stream")], lines).into_response()
}

fn trials(routes: Routes) -> Routes {
    routes
        .get("/api/v1/trial/breaks", Public, breaks)
        .get("/trial/breaks", Public, breaks)
        .get("/api/v1/trial/long", Public, long)
        .get("/trial/streams", Public, streams)
        .get("/api/v1/trial/{id}", Public, numbered)
        .post("/api/v1/trial", Public, takes)
}

async fn kit() -> Kit {
    Kit::with(Who::Admin, Clock::system(), |_| {}, trials).await
}

fn nonces(html: &str) -> Vec<&str> {
    html.split("nonce=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// On success, on each kind of error, for pages, JSON and files alike.
#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_it_to_itself() {
    let kit = kit().await;
    let too_large = vec![b' '; (1 << 20) + 1];
    let answers: Vec<(&str, StatusCode, Answer)> = vec![
        ("page", StatusCode::OK, kit.get("/settings/tasks").await),
        ("no page", StatusCode::NOT_FOUND, kit.get("/nope").await),
        ("no file", StatusCode::NOT_FOUND, kit.get("/assets/nope.js").await),
        ("no route", StatusCode::NOT_FOUND, kit.get("/api/v1/nope").await),
        ("panic", StatusCode::INTERNAL_SERVER_ERROR, kit.get("/trial/breaks").await),
        ("panic in JSON", StatusCode::INTERNAL_SERVER_ERROR, kit.get("/api/v1/trial/breaks").await),
        (
            "wrong method",
            StatusCode::METHOD_NOT_ALLOWED,
            kit.send(Request::delete("/api/v1/trial"), Body::empty()).await,
        ),
        (
            "too large",
            StatusCode::PAYLOAD_TOO_LARGE,
            kit.post_json("/api/v1/trial", too_large).await,
        ),
        (
            "other host",
            StatusCode::FORBIDDEN,
            kit.send(Request::get("/").header("host", "evil.example"), Body::empty()).await,
        ),
        ("probe", StatusCode::OK, kit.get("/healthz").await),
    ];
    for (name, status, answer) in answers {
        assert_eq!(answer.status, status, "{name}");
        for (header, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(header), value, "{header} of {name}");
        }
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{name}: {policy}");
        assert!(!policy.contains("unsafe-inline"), "{name}: {policy}");
        assert!(answer.header("permissions-policy").contains("camera=()"), "{name}");
        assert_eq!(answer.header("x-request-id").len(), 36, "{name}");
        assert_eq!(
            answer.header("strict-transport-security"),
            "",
            "{name}: plain http has no HSTS"
        );
        if answer.header("content-type").starts_with("text/html") {
            let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next());
            let nonce = nonce.unwrap_or_else(|| panic!("{name} has no nonce: {policy}"));
            let used = nonces(answer.text());
            assert!(!used.is_empty(), "{name} loads no script");
            assert!(used.iter().all(|used| *used == nonce), "{name}: {used:?} are not {nonce}");
            assert!(
                !answer.text().contains(" style=\""),
                "{name} has a style that the policy forbids"
            );
        }
    }
}

#[tokio::test]
async fn a_nonce_is_used_once() {
    let kit = kit().await;
    let (one, two) = (kit.get("/nope").await, kit.get("/nope").await);
    assert_ne!(nonces(one.text())[0], nonces(two.text())[0]);
}

#[tokio::test]
async fn https_is_remembered_where_it_is_published() {
    let publish = |config: &mut server::config::Config| {
        config.public_url = Some(server::config::PublicUrl {
            origin: "https://ops.example".into(),
            host: "ops.example".into(),
            base: String::new(),
            https: true,
        });
    };
    let kit = Kit::with(Who::Admin, Clock::system(), publish, |routes| routes).await;
    let answer =
        kit.send(Request::get("/healthz").header("host", "ops.example"), Body::empty()).await;
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
}

#[tokio::test]
async fn a_trace_and_an_id_go_on_and_name_the_error() {
    let kit = kit().await;
    let request = Request::get("/api/v1/trial/breaks")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .header("tracestate", "vendor=1")
        .header("x-request-id", "proxy-0001");
    let answer = kit.send(request, Body::empty()).await;
    assert_eq!(answer.header("x-request-id"), "proxy-0001");
    assert!(answer.header("traceparent").starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
    assert_eq!(answer.header("tracestate"), "vendor=1");
    let error = answer.json();
    assert_eq!(error["error_code"], "INTERNAL_ERROR");
    assert_eq!(error["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    let message = error["message"].as_str().expect("a sentence");
    assert!(message.contains("0af7651916cd43dd8448eb211c80319c"), "{message}");
    assert!(!message.contains("on purpose"), "the cause stays inside: {message}");
    error["timestamp"].as_str().expect("a time").parse::<Micros>().expect("RFC 3339");
}

#[tokio::test]
async fn an_error_looks_as_its_address_promises() {
    let kit = kit().await;
    let json = kit.get("/api/v1/nope").await;
    assert_eq!((json.status, json.code().as_str()), (StatusCode::NOT_FOUND, "NOT_FOUND"));
    let page = kit.get("/nope").await;
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.text().contains("not found"), "{}", page.text());
    assert!(page.text().contains("<nav"), "an error page has the way back beside it");
    let panic = kit.get("/trial/breaks").await;
    let trace = panic.header("traceparent").split('-').nth(1).expect("a trace id").to_owned();
    assert!(panic.text().contains(&trace), "a page with an error of ours says how to report it");
    let call = kit.get("/api/ui/operations/nope").await;
    assert_eq!(
        call.json(),
        serde_json::json!({"NotFound": "Page"}),
        "an island reads our own type"
    );
    for answer in [json, page, panic, call] {
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one() {
    let kit = kit().await;
    let answer = kit.send(Request::delete("/api/v1/trial"), Body::empty()).await;
    assert_eq!(answer.code(), "METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("allow"), "POST");
    let page = kit.send(Request::put("/settings/tasks"), Body::empty()).await;
    assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(page.header("allow").contains("GET"), "{}", page.header("allow"));
}

#[tokio::test]
async fn each_fault_of_a_body_has_its_own_answer() {
    let kit = kit().await;
    let send = async |content_type: &str, body: &'static [u8]| {
        let request = Request::post("/api/v1/trial").header("content-type", content_type);
        let answer = kit.send(request, body).await;
        (answer.status.as_u16(), answer.code(), answer.violations())
    };
    let json = "application/json; charset=utf-8";
    let one = |field: &str, rule: &str| [(field.to_owned(), rule.to_owned())].into();
    let invalid = "VALIDATION_FAILED".to_owned();
    assert_eq!(send("text/plain", b"{}").await.0, 415);
    assert_eq!(send(json, b"{").await, (400, invalid.clone(), one("body", "malformed")));
    assert_eq!(send(json, b"\"\xff\"").await, (400, invalid.clone(), one("body", "malformed")));
    assert_eq!(
        send(json, b"{\"type\":\"a\\u0000\"}").await,
        (400, invalid.clone(), one("type", "nul_byte"))
    );
    assert_eq!(
        send(json, b"{\"type\":\"a\",\"x\":1}").await,
        (422, invalid.clone(), one("x", "unknown_field"))
    );
    assert_eq!(send(json, b"{}").await, (422, invalid.clone(), one("type", "required")));
    assert_eq!(send(json, b"[\"a\"]").await, (422, invalid, one("body", "malformed")));
    assert_eq!(kit.post_json("/api/v1/trial", "{\"type\":\"a\"}").await.text(), "a");
}

#[tokio::test]
async fn a_body_is_taken_up_to_its_limit_however_it_is_sent() {
    let kit = kit().await;
    let announced = kit.post_json("/api/v1/trial", vec![b' '; (1 << 20) + 1]).await;
    assert_eq!((announced.status.as_u16(), announced.code().as_str()), (413, "REQUEST_TOO_LARGE"));
    let pieces = (0..33).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 15]));
    let chunked =
        kit.post_json("/api/v1/trial", Body::from_stream(futures::stream::iter(pieces))).await;
    assert_eq!((chunked.status.as_u16(), chunked.code().as_str()), (413, "REQUEST_TOO_LARGE"));
    let call = Request::post("/api/ui/operations/newer")
        .header("content-type", "application/x-www-form-urlencoded");
    let pieces = (0..33).map(|_| Ok::<_, std::io::Error>(vec![b'a'; 1 << 15]));
    let call = kit.send(call, Body::from_stream(futures::stream::iter(pieces))).await;
    assert_eq!((call.status.as_u16(), call.json()), (413, serde_json::json!("TooLarge")));
    let most = format!("{{\"type\":\"a\"{}}}", " ".repeat((1 << 20) - 13));
    assert_eq!(kit.post_json("/api/v1/trial", most).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_path_that_is_no_number_is_refused_by_name() {
    let kit = kit().await;
    assert_eq!(kit.get("/api/v1/trial/7").await.text(), "7");
    for path in ["/api/v1/trial/seven", "/api/v1/trial/+7", "/api/v1/trial/99999999999999999999"] {
        let answer = kit.get(path).await;
        assert_eq!(answer.status.as_u16(), 422, "{path}");
        assert_eq!(
            answer.violations(),
            [("id".to_owned(), "malformed".to_owned())].into(),
            "{path}"
        );
    }
    assert_eq!(kit.get("/api/v1/trial/%ff").await.status.as_u16(), 400);
}

#[tokio::test]
async fn bytes_that_are_no_text_do_not_reach_a_page() {
    let kit = kit().await;
    for path in ["/settings/tasks?x=%ff", "/settings/tasks?x=%00"] {
        let answer = kit.get(path).await;
        assert_eq!(answer.status.as_u16(), 400, "{path}");
        assert!(answer.header("content-type").starts_with("text/html"));
    }
}

/// Method, headers, whether it may go on.
#[tokio::test]
async fn a_change_comes_from_our_own_pages_or_from_a_machine() {
    let kit = kit().await;
    let cases: &[(&[(&str, &str)], bool)] = &[
        (&[], true),
        (&[("origin", "http://localhost:7080")], true),
        (&[("sec-fetch-site", "same-origin")], true),
        (&[("sec-fetch-site", "none")], true),
        (&[("sec-fetch-site", "same-origin"), ("cookie", "qd_zone=UTC")], true),
        (&[("origin", "http://localhost:7080"), ("cookie", "qd_zone=UTC")], true),
        (&[("cookie", "qd_zone=UTC")], false),
        (&[("origin", "https://evil.example")], false),
        (&[("origin", "null")], false),
        (&[("origin", "http://localhost:8080")], false),
        (&[("sec-fetch-site", "cross-site")], false),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("sec-fetch-site", "cross-site"), ("x-api-key", "k")], false),
        (&[("host", "evil.example")], false),
        (&[("host", "evil.example"), ("origin", "http://evil.example")], false),
    ];
    for (headers, allowed) in cases {
        let mut request = Request::post("/api/v1/trial").header("content-type", "application/json");
        for (name, value) in *headers {
            request = request.header(*name, *value);
        }
        let answer = kit.send(request, "{\"type\":\"a\"}").await;
        if *allowed {
            assert_eq!(answer.status, StatusCode::OK, "{headers:?}");
        } else {
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (403, "CROSS_SITE_REQUEST"),
                "{headers:?}"
            );
        }
    }
    let reading = Request::get("/settings/tasks").header("sec-fetch-site", "cross-site");
    assert_eq!(
        kit.send(reading, Body::empty()).await.status,
        StatusCode::OK,
        "a link from elsewhere"
    );
    let rebound = kit
        .send(Request::get("/settings/tasks").header("host", "evil.example"), Body::empty())
        .await;
    assert_eq!(rebound.status, StatusCode::FORBIDDEN, "a name that points here is not ours");
    let probe =
        kit.send(Request::get("/readyz").header("host", "10.1.2.3:7080"), Body::empty()).await;
    assert_eq!(probe.status, StatusCode::OK);
}

#[tokio::test]
async fn a_credential_that_no_browser_sends_by_itself_needs_no_origin() {
    let kit = Kit::with(Who::Holding(&[]), Clock::system(), |_| {}, trials).await;
    let post = || Request::post("/api/v1/trial").header("content-type", "application/json");
    let key = post().header("x-api-key", "k").header("origin", "https://elsewhere.example");
    assert_eq!(kit.send(key, "{\"type\":\"a\"}").await.status, StatusCode::OK);
    let both = post()
        .header("x-api-key", "k")
        .header("cookie", "session=1")
        .header("origin", "https://elsewhere.example");
    assert_eq!(kit.send(both, "{\"type\":\"a\"}").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_read_only_console_changes_nothing() {
    let kit = Kit::with(Who::Admin, Clock::system(), |c| c.read_only = true, trials).await;
    let change = kit.post_json("/api/v1/trial", "{\"type\":\"a\"}").await;
    assert_eq!((change.status.as_u16(), change.code().as_str()), (409, "READ_ONLY"));
    assert_eq!(kit.get("/settings/tasks").await.status, StatusCode::OK);
    let table = server::routes::all().table();
    let unsafe_rows = table.iter().filter(|row| row.method != http::Method::GET);
    let odd: Vec<_> = unsafe_rows
        .filter(|row| !row.changes && row.kind != server::web::routes::Kind::ServerFn)
        .collect();
    assert!(odd.is_empty(), "these would change something all the same: {odd:?}");
}

#[tokio::test]
async fn searching_too_often_is_told_when_to_come_back() {
    let (clock, hand) = Clock::manual(Micros(0));
    let kit = Kit::with(Who::Admin, clock, |c| c.search_rate = 2, trials).await;
    let search = "/api/v1/trial/7?q=x";
    assert_eq!(kit.get(search).await.status, StatusCode::OK);
    assert_eq!(kit.get(search).await.status, StatusCode::OK);
    let refused = kit.get(search).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "RATE_LIMITED"));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(
        kit.get("/api/v1/trial/7?q=").await.status,
        StatusCode::OK,
        "an empty search is none"
    );
    hand.advance(Duration::from_secs(1));
    assert_eq!(kit.get(search).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_request_that_takes_too_long_ends() {
    let (clock, hand) = Clock::manual(Micros(0));
    let begun = Arc::new(Notify::new());
    let ringing = Arc::clone(&begun);
    let never = move || {
        let ringing = Arc::clone(&ringing);
        async move {
            ringing.notify_one();
            std::future::pending::<()>().await;
        }
    };
    let add = |routes: Routes| routes.get("/api/v1/trial/never", Public, never);
    let kit = Kit::with(Who::Admin, clock, |_| {}, add).await;
    let (answer, ()) = tokio::join!(kit.get("/api/v1/trial/never"), async {
        begun.notified().await;
        hand.advance(kit.console.config.request_timeout);
    });
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (504, "TIMEOUT"));
}

#[tokio::test]
async fn finished_answers_are_packed_and_live_streams_are_not() {
    let kit = kit().await;
    let get = async |path: &str, accept: &str| {
        kit.send(Request::get(path).header("accept-encoding", accept), Body::empty()).await
    };
    let plain = get("/api/v1/trial/long", "identity").await;
    assert_eq!(plain.header("content-encoding"), "");
    assert!(plain.header("content-length").parse::<usize>().is_ok_and(|n| n == plain.bytes.len()));
    for encoding in ["br", "gzip"] {
        let packed = get("/api/v1/trial/long", encoding).await;
        assert_eq!(packed.header("content-encoding"), encoding);
        assert!(packed.bytes.len() * 10 < plain.bytes.len(), "{encoding}: {}", packed.bytes.len());
        assert!(packed.header("vary").contains("accept-encoding"));
    }
    assert_eq!(get("/settings/tasks", "br").await.header("content-encoding"), "br");
    assert_eq!(get("/nope", "br").await.header("content-encoding"), "br", "error pages too");
    assert_eq!(get("/api/v1/nope", "br").await.header("content-encoding"), "", "too small to gain");
    assert_eq!(get("/trial/streams", "br").await.header("content-encoding"), "");
}

#[tokio::test]
async fn a_word_for_the_next_page_is_told_once() {
    let kit = kit().await;
    let request =
        Request::get("/settings/tasks").header("cookie", "qd_flash=operation-started.48187");
    let told = kit.send(request, Body::empty()).await;
    assert!(told.text().contains("48187"), "the page tells it");
    assert!(
        told.header("set-cookie").starts_with("qd_flash=; Path=/; Max-Age=0"),
        "{}",
        told.header("set-cookie")
    );
    let silent = kit.get("/settings/tasks").await;
    assert_eq!(silent.header("set-cookie"), "");
    let forged =
        Request::get("/settings/tasks").header("cookie", "qd_flash=operation-started.<u>x");
    assert!(!kit.send(forged, Body::empty()).await.text().contains("<u>x"));
}

#[tokio::test]
async fn readiness_follows_what_it_stands_on() {
    let kit = kit().await;
    assert_eq!(kit.get("/healthz").await.text(), "ok\n");
    assert_eq!(kit.get("/readyz").await.text(), "ready\n");
    let version = kit.get("/version").await.json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["schema_version"], server::store::SCHEMA_VERSION);
    kit.console.readiness.register("upstream", || async { Err("connection refused".to_owned()) });
    let verbose = second(&kit, "/readyz?verbose").await;
    assert_eq!(verbose.0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(verbose.1.contains("[+] store ok"), "{}", verbose.1);
    assert!(verbose.1.contains("[+] migrations ok"), "{}", verbose.1);
    assert!(verbose.1.contains("[-] upstream failed: connection refused"), "{}", verbose.1);
    assert!(verbose.1.ends_with("not ready\n"));
    kit.console.shutdown.cancel();
    let stopping = kit.get("/readyz").await;
    assert_eq!((stopping.status.as_u16(), stopping.text()), (503, "stopping\n"));
    assert_eq!(kit.get("/healthz").await.status, StatusCode::OK, "it lives until it is gone");
}

async fn second(kit: &Kit, path: &str) -> (StatusCode, String) {
    use tower::ServiceExt as _;
    let router = server::web::stack::of_metrics(kit.console);
    let request = Request::get(path).body(Body::empty()).expect("a request");
    let response = router.oneshot(request).await.expect("a router answers");
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("it ends");
    (status, String::from_utf8(bytes.to_vec()).expect("text"))
}

#[tokio::test]
async fn metrics_know_templates_and_nothing_that_a_client_sent() {
    let kit = kit().await;
    kit.get("/api/v1/trial/48187?q=secret-value").await;
    kit.get("/made/up/by/client").await;
    kit.get("/trial/breaks").await;
    kit.console.tasks.spawn("trial", "waits", |stop| async move {
        stop.cancelled().await;
        Ok(())
    });
    let (status, text) = second(&kit, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    let counted = "quarterdeck_http_request_duration_seconds_count{method=\"GET\",route=\"/api/v1/trial/{id}\",status=\"200\"} 1";
    assert!(text.contains(counted), "{text}");
    assert!(text.contains("route=\"(none)\",status=\"404\""), "{text}");
    assert!(text.contains("quarterdeck_panics_total 1"), "{text}");
    assert!(text.contains("quarterdeck_task_up{task=\"trial\"} 1"), "{text}");
    assert!(text.contains("quarterdeck_build_info{version="), "{text}");
    for sent in ["48187", "secret-value", "made", "client"] {
        assert!(!text.contains(sent), "{sent} is in the metrics");
    }
    assert_eq!(kit.get("/metrics").await.status, StatusCode::NOT_FOUND, "not where browsers come");
}

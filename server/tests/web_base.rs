//! A console that is published below a sub-path. The base is one per process, hence a file of its own.

mod web_kit;

use axum::{body::Body, extract::Request};
use http::StatusCode;
use server::{clock::Clock, config::PublicUrl};
use web_kit::{Answer, Kit, Who};

async fn kit() -> Kit {
    let publish = |config: &mut server::config::Config| {
        config.public_url = Some(PublicUrl {
            origin: "https://ops.example".to_owned(),
            host: "ops.example".to_owned(),
            base: "/console".to_owned(),
            https: true,
        });
    };
    Kit::with(Who::Admin, Clock::system(), publish, |routes| routes).await
}

async fn get(kit: &Kit, path: &str) -> Answer {
    kit.send(Request::get(path).header("host", "ops.example"), Body::empty()).await
}

#[tokio::test]
async fn a_sub_path_stands_before_every_address_and_nothing_else_answers() {
    let kit = kit().await;
    let page = get(&kit, "/console/settings/tasks").await;
    assert_eq!(page.status, StatusCode::OK);
    let links: Vec<&str> =
        page.text().split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(links.iter().any(|link| link.starts_with("/console/assets/")), "{links:?}");
    for link in links.iter().filter(|link| link.starts_with('/')) {
        assert!(link.starts_with("/console/"), "{link} leads out of the sub-path");
    }
    let home = get(&kit, "/console").await;
    assert_eq!(home.status, StatusCode::OK);
    assert!(home.text().contains("href=\"/console/system/ops/runs\""));
    assert_eq!(get(&kit, "/settings/tasks").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(&kit, "/consoles/settings/tasks").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(&kit, "/readyz").await.status, StatusCode::OK, "probes come without it");
    let missing = get(&kit, "/console/api/v1/nope").await;
    assert_eq!((missing.status, missing.code().as_str()), (StatusCode::NOT_FOUND, "NOT_FOUND"));
    let request = Request::get("/console/settings/tasks")
        .header("host", "ops.example")
        .header("cookie", "qd_flash=operation-started.7");
    let told = kit.send(request, Body::empty()).await;
    assert!(told.header("set-cookie").contains("Path=/console; "), "{}", told.header("set-cookie"));
    assert!(told.header("set-cookie").ends_with("; Secure"), "{}", told.header("set-cookie"));
}

/// A proxy may pass its own name on as `Host`; what the browser says is then judged by the published origin.
#[tokio::test]
async fn the_published_origin_is_ours_behind_a_proxy() {
    let kit = kit().await;
    let post = |origin: &'static str| {
        let request = Request::post("/console/readyz").header("host", "localhost:7080");
        kit.send(request.header("origin", origin), Body::empty())
    };
    assert_eq!(post("https://ops.example").await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(post("https://evil.example").await.status, StatusCode::FORBIDDEN);
}

//! Further addresses before one cluster, told in `fleet.json` with a kubeconfig that has a context for each.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use fleet::kubeconfig;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::practice::{await_ready, start_with};

fn place() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("m")
}

/// What comes of a question through one front: the error's words, or nothing.
async fn trouble(whole: &Value, name: &str) -> Option<String> {
    let of = |list: &str, name: &str| {
        let all = whole[list].as_array().expect("a list");
        all.iter().find(|item| item["name"] == name).cloned().expect("it is there")
    };
    let context = of("contexts", name);
    let user = context["context"]["user"].as_str().expect("a user");
    let one = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [of("clusters", name)],
        "users": [of("users", user)],
        "contexts": [context],
        "current-context": name,
    });
    let client = kubeconfig::client(&one.to_string()).await.expect("a client");
    match tokio::time::timeout(Duration::from_secs(2), client.list_core_api_versions()).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(format!("{error:?}")),
        Err(_) => Some("no answer".to_owned()),
    }
}

/// The claims of a token, unchecked.
fn claims(token: &str) -> Value {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let part = token.split('.').nth(1).expect("a token has three parts");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}

#[tokio::test]
async fn each_front_has_its_fate_and_a_token_lives_as_long_as_was_asked() {
    fleet::use_ring();
    let wish = ["--fronts", "20", "--black-holes", "2", "--unreachable", "1", "--refusing", "1"];
    let more = ["--strangers", "1", "--token-hours", "5"];
    let mut process = start_with(&place(), 1, &[&wish[..], &more[..]].concat());
    let fronts = await_ready(&place()).fronts.expect("fronts were asked for");
    assert_eq!(fronts.all.len(), 25);
    let text = std::fs::read_to_string(&fronts.kubeconfig).expect("a kubeconfig");
    let whole: Value = serde_json::from_str(&text).expect("JSON");
    for front in &fronts.all {
        let words = match front.fate.as_str() {
            "through" => None,
            "refusing" => Some("ConnectionRefused"),
            "stranger" => Some("UnknownIssuer"),
            _ => Some("no answer"),
        };
        let trouble = trouble(&whole, &front.name).await;
        let same = match (&trouble, words) {
            (None, None) => true,
            (Some(said), Some(words)) => said.contains(words),
            _ => false,
        };
        assert!(same, "{} {}: {trouble:?}", front.name, front.fate);
    }
    let claims = claims(whole["users"][0]["user"]["token"].as_str().expect("a token"));
    let expires = Timestamp::from_second(claims["exp"].as_i64().expect("a time")).expect("a time");
    let left = expires.duration_since(Timestamp::now()).as_secs_f64() / 3600.0;
    assert!((4.9..=5.0).contains(&left), "{left} h");
    drop(process.stdin.take());
    process.wait().expect("it ends");
}

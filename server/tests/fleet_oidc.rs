//! Clusters that are opened by tokens of an identity provider, against a real one over TLS: what it is asked, what is
//! kept of what it gives, what two consoles make of one refresh token, and what each of its failures is called.
//!
//! Nothing listens where the cluster is said to be: that it cannot be reached says that there was a token to go with.

#[expect(clippy::disallowed_methods, reason = "the provider is a process beside the test")]
mod idp_kit;
mod web_kit;

use std::time::Duration;

use app::{fleet::trouble::Trouble, time::Micros};
use axum::{body::Body, extract::Request};
use futures::future::join_all;
use http::StatusCode;
use idp_kit::{Idp, Realm};
use serde_json::{Value, json};
use server::{
    clock::Clock,
    config::{Authorities, Config},
    egress::{self, Egress, EgressConfig},
    fleet::{Clients, FleetError, Purpose, clients::Own},
    store::{Dialect, Sql, testing},
    vault::Vault,
};
use uuid::Uuid;
use web_kit::{Kit, Who};

const START: Micros = Micros(1_790_000_000_000_000);

fn authority() -> Authorities {
    let pem = std::fs::read(&Idp::get().authority).expect("a file of the kit");
    Authorities(egress::authorities(&pem).expect("one authority"))
}

fn trusting(config: &mut Config) {
    config.egress_ca_files = vec![authority()];
}

async fn kit(dialect: Dialect, clock: Clock) -> Kit {
    Kit::on(dialect, Who::Admin, clock, trusting, |routes| routes).await
}

/// A provider over TLS. Both grants are open to its client.
async fn realm(mut wishes: Value) -> Realm {
    wishes["tls"] = json!(true);
    wishes["client"]["grant_types"] =
        json!(["authorization_code", "refresh_token", "client_credentials"]);
    Realm::new("http://console.example/", wishes).await
}

/// What opens it: a refresh token, or the client's own credentials.
fn opens(realm: &Realm, refresh_token: Option<&str>) -> Value {
    let mut given = json!({
        "auth_type": "OIDC", "issuer_url": realm.issuer,
        "client_id": "quarterdeck", "client_secret": "rig-secret",
        "certificate_authority": std::fs::read_to_string(&Idp::get().authority).expect("a file of the kit"),
    });
    if let Some(token) = refresh_token {
        given["refresh_token"] = json!(token);
    }
    given
}

fn cluster(name: &str, opens: &Value) -> String {
    let new =
        json!({ "name": name, "api_server_url": "https://127.0.0.1:9", "credentials": opens });
    new.to_string()
}

async fn register(kit: &Kit, name: &str, opens: &Value) -> Uuid {
    let made = kit.post_json("/api/v1/clusters", cluster(name, opens)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    Uuid::parse_str(&id).expect("an id")
}

/// Another console over the same database, or this one after a restart.
fn replica(kit: &Kit) -> Clients {
    let clock = kit.console.clock.clone();
    let extra_authorities = authority().0;
    let egress = Egress::new(EgressConfig { extra_authorities, ..EgressConfig::default() }, &clock);
    let (db, vault) = (kit.console.db.clone(), Vault::for_tests());
    Clients::new(db, vault, egress, testing::admin(), Own::default())
}

/// What became of one request.
async fn asked(clients: &Clients, id: Uuid) -> Trouble {
    let client = match clients.of(id, Purpose::Watch).await {
        Ok(client) => client,
        Err(error) => return error.trouble().expect("no fault of ours"),
    };
    let error = client.client.apiserver_version().await.expect_err("nothing listens there");
    trouble(&error)
}

fn trouble(error: &kube::Error) -> Trouble {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(here) = cause {
        if let Some(FleetError::Trouble(trouble)) = here.downcast_ref() {
            return *trouble;
        }
        cause = here.source();
    }
    // On its way to the cluster: there was a token.
    Trouble::Unreachable
}

#[tokio::test]
async fn a_refresh_token_that_a_look_spends_is_not_the_one_that_is_kept() {
    for dialect in testing::dialects() {
        let (kit, realm) = (kit(dialect, Clock::system()).await, realm(json!({})).await);
        let first = realm.refresh_token("alice").await;
        let id = register(&kit, "refreshed", &opens(&realm, Some(&first))).await;
        assert_eq!(realm.calls("token").await, 1, "the look");
        assert_eq!(asked(&kit.console.fleet.clients, id).await, Trouble::Unreachable);
        // Each is spent once: the look's was sealed, and then the next one in its place.
        for round in 0..3 {
            assert_eq!(asked(&replica(&kit), id).await, Trouble::Unreachable, "start {round}");
        }
        assert_eq!(realm.calls("token").await, 5);
        for token in realm.tokens().await {
            let sql = "SELECT COUNT(*) AS n FROM cluster_credentials WHERE sealed = ";
            let sql = Sql::new(sql).arg(token.into_bytes());
            let found = kit.console.db.fetch_one(sql).await.expect("a count");
            assert_eq!(found.i64("n").expect("a number"), 0, "sealed, not written");
        }
        let left = Sql::new("SELECT COUNT(*) AS n FROM leases");
        let left = kit.console.db.fetch_one(left).await.expect("a count");
        assert_eq!(left.i64("n").expect("a number"), 0, "every turn was given back");
    }
}

#[tokio::test]
async fn a_registration_that_is_thought_about_keeps_what_its_look_left() {
    let (kit, realm) = (kit(Dialect::Sqlite, Clock::system()).await, realm(json!({})).await);
    let token = realm.refresh_token("alice").await;
    let form = [
        ("do", "check"),
        ("by", "oidc"),
        ("name", "thought"),
        ("api_server_url", "https://127.0.0.1:9"),
        ("issuer_url", &realm.issuer),
        ("client_id", "quarterdeck"),
        ("client_secret", "rig-secret"),
        ("refresh_token", &token),
        ("cluster_type", "SPOKE"),
        ("environment", "LAB"),
    ];
    let looked = post(&kit, "/clusters/new", &form).await;
    assert_eq!(looked.status, StatusCode::SEE_OTHER, "{}", looked.text());
    let draft = looked.header("location").to_owned();
    let page = kit.get(&draft).await;
    assert!(page.text().contains("Nothing answers at this address"), "{}", page.text());
    assert!(!page.text().contains(&token) && !page.text().contains("rig-secret"));
    let id = draft.split("draft=").nth(1).expect("a draft");
    let made = post(&kit, &draft, &[("do", "register"), ("draft", id)]).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text());
    let id = made.header("location").rsplit('/').next().expect("an id").to_owned();
    let id = Uuid::parse_str(id.split('?').next().expect("an id")).expect("an id");
    assert_eq!(asked(&replica(&kit), id).await, Trouble::Unreachable);
}

async fn post(kit: &Kit, path: &str, form: &[(&str, &str)]) -> web_kit::Answer {
    let body = serde_html_form::to_string(form).expect("a form");
    let request = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin");
    kit.send(request, body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_consoles_do_not_both_spend_a_refresh_token() {
    for dialect in testing::dialects() {
        let (kit, realm) = (kit(dialect, Clock::system()).await, realm(json!({})).await);
        let token = realm.refresh_token("alice").await;
        let id = register(&kit, "shared", &opens(&realm, Some(&token))).await;
        // A slow provider, so that they meet.
        realm.faults(json!({ "legs": { "token": { "slow_ms": 150 } } })).await;
        let consoles = [replica(&kit), replica(&kit), replica(&kit)];
        let all = consoles.iter().flat_map(|console| (0..4).map(move |_| asked(console, id)));
        for trouble in join_all(all).await {
            assert_eq!(trouble, Trouble::Unreachable, "each had a token");
        }
        assert_eq!(realm.calls("token").await, 1 + 3, "once for each console");
        realm.faults(json!({})).await;
        assert_eq!(asked(&replica(&kit), id).await, Trouble::Unreachable, "and it lives on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_up_waiting_loses_nobody_the_credential() {
    let (kit, realm) = (kit(Dialect::Sqlite, Clock::system()).await, realm(json!({})).await);
    let token = realm.refresh_token("alice").await;
    let id = register(&kit, "impatient", &opens(&realm, Some(&token))).await;
    realm.faults(json!({ "legs": { "token": { "slow_ms": 400 } } })).await;
    let clients = replica(&kit);
    let patience = kit.console.clock.sleep(Duration::from_millis(200));
    tokio::select! {
        trouble = asked(&clients, id) => panic!("{trouble:?} came too soon"),
        () = patience => {}
    }
    // The exchange went on by itself, and what it gave is there.
    assert_eq!(asked(&clients, id).await, Trouble::Unreachable);
    assert_eq!(asked(&replica(&kit), id).await, Trouble::Unreachable);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_serves_until_then() {
    let (clock, hand) = Clock::manual(START);
    let (kit, realm) = (kit(Dialect::Sqlite, clock).await, realm(json!({})).await);
    let token = realm.refresh_token("alice").await;
    let id = register(&kit, "timed", &opens(&realm, Some(&token))).await;
    let clients = replica(&kit);
    assert_eq!(asked(&clients, id).await, Trouble::Unreachable);
    let calls = realm.calls("token").await;
    hand.advance(Duration::from_secs(3_500));
    assert_eq!(asked(&clients, id).await, Trouble::Unreachable);
    assert_eq!(realm.calls("token").await, calls, "it is good for an hour");
    // The provider goes, and comes back. Until the token ends nobody notices.
    realm.faults(json!({ "legs": { "discovery": { "down": true } } })).await;
    hand.advance(Duration::from_secs(45));
    assert_eq!(asked(&clients, id).await, Trouble::Unreachable, "what is there is good");
    hand.advance(Duration::from_mins(10));
    assert_eq!(asked(&clients, id).await, Trouble::OidcUnreachable, "it has ended");
    realm.faults(json!({})).await;
    hand.advance(Duration::from_secs(4));
    assert_eq!(asked(&clients, id).await, Trouble::Unreachable, "it is asked again by itself");
    assert_eq!(realm.calls("token").await, calls + 1);
    // A minute before its end it is renewed behind whoever asks.
    hand.advance(Duration::from_secs(3_545));
    assert_eq!(asked(&clients, id).await, Trouble::Unreachable);
    eventually("it is renewed", async || realm.calls("token").await == calls + 2).await;
}

async fn eventually(what: &str, mut is: impl AsyncFnMut() -> bool) {
    for _ in 0..400 {
        if is().await {
            return;
        }
        Clock::system().sleep(Duration::from_millis(25)).await;
    }
    panic!("it never came: {what}");
}

/// A fault of the provider's, what it is called, and whether it is a refusal.
fn faults() -> Vec<(Value, Trouble, bool)> {
    let leg = |leg: &str, fault: Value| json!({ "legs": { leg: fault } });
    let html = json!({ "status": 200, "body": "<html>" });
    let error = |status: u16, error: &str| json!({ "status": status, "body": { "error": error } });
    vec![
        (leg("discovery", json!({ "down": true })), Trouble::OidcUnreachable, false),
        (leg("discovery", json!({ "status": 503 })), Trouble::OidcUnreachable, false),
        (leg("discovery", html.clone()), Trouble::OidcAnswer, false),
        (leg("discovery", json!({ "status": 404 })), Trouble::OidcAnswer, false),
        (
            leg("discovery", json!({ "status": 302, "location": "https://127.0.0.1:1/" })),
            Trouble::OidcAnswer,
            false,
        ),
        (
            json!({ "discovery": { "set": { "issuer": "https://evil.example" } } }),
            Trouble::OidcIssuer,
            true,
        ),
        (
            json!({ "discovery": { "set": { "token_endpoint": "http://127.0.0.1:1/token" } } }),
            Trouble::OidcAnswer,
            false,
        ),
        (json!({ "discovery": { "remove": ["token_endpoint"] } }), Trouble::OidcAnswer, false),
        (leg("token", json!({ "down": true })), Trouble::OidcUnreachable, false),
        (leg("token", html), Trouble::OidcAnswer, false),
        (
            leg("token", json!({ "status": 200, "body": { "not": "it" } })),
            Trouble::OidcAnswer,
            false,
        ),
        (
            leg("token", json!({ "status": 200, "body": { "id_token": "two\nlines" } })),
            Trouble::OidcAnswer,
            false,
        ),
        (leg("token", error(400, "invalid_grant")), Trouble::OidcGrant, true),
        (leg("token", error(401, "invalid_client")), Trouble::OidcClient, true),
        (leg("token", error(400, "unauthorized_client")), Trouble::OidcClient, true),
        (leg("token", error(400, "invalid_scope")), Trouble::OidcScope, true),
        (leg("token", error(400, "invalid_target")), Trouble::OidcScope, true),
        (leg("token", error(400, "something_else")), Trouble::Oidc, true),
        (leg("token", error(500, "server_error")), Trouble::OidcUnreachable, false),
    ]
}

#[tokio::test]
async fn each_failure_of_a_provider_has_its_own_word_and_a_way_out() {
    let kit = kit(Dialect::Sqlite, Clock::system()).await;
    for (at, (fault, wanted, refuses)) in faults().into_iter().enumerate() {
        let realm = realm(json!({ "faults": fault })).await;
        let token = realm.refresh_token("alice").await;
        let given = opens(&realm, Some(&token));
        let name = format!("faulty-{at}");
        let made = kit.post_json("/api/v1/clusters", cluster(&name, &given)).await;
        if refuses {
            assert_eq!(made.status, StatusCode::BAD_REQUEST, "{fault}: {}", made.text());
            assert_eq!(made.code(), "CREDENTIALS_INVALID");
            assert!(made.text().contains(wanted.says()), "{fault}: {}", made.text());
            continue;
        }
        // Waiting may help, so it is registered, and what is said of it is the same.
        assert_eq!(made.status, StatusCode::CREATED, "{fault}: {}", made.text());
        let id = made.json()["id"].as_str().expect("an id").to_owned();
        assert_eq!(made.json()["credential"]["validation"], wanted.as_str(), "{fault}");
        let path = format!("/api/v1/clusters/{id}/credentials/validate");
        let looked = kit.post_json(&path, "{}").await.json();
        assert_eq!((&looked["valid"], &looked["status"]), (&json!(false), &json!(wanted.as_str())));
        let message = looked["message"].as_str().unwrap_or_default();
        assert!(message.contains(wanted.way_out()), "{fault}: {message}");
        let checks = looked["checks"].as_array().expect("checks");
        let check = |key: &str| checks.iter().find(|check| check["key"] == key).expect("a check");
        assert_eq!(check("reached")["verdict"], "unknown", "the API server was not asked");
        assert_eq!(check("identity")["way_out"], wanted.way_out());
    }
}

#[tokio::test]
async fn a_provider_that_says_nothing_is_not_taken_for_a_slow_cluster() {
    let kit = kit(Dialect::Sqlite, Clock::system()).await;
    let slow = json!({ "legs": { "discovery": { "slow_ms": 8000 } } });
    let realm = realm(json!({ "faults": slow })).await;
    let made = kit.post_json("/api/v1/clusters", cluster("slow", &opens(&realm, None))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    assert_eq!(made.json()["credential"]["validation"], Trouble::OidcUnreachable.as_str());
}

#[tokio::test]
async fn a_refresh_token_that_is_spent_says_how_to_get_another() {
    let (kit, realm) = (kit(Dialect::Sqlite, Clock::system()).await, realm(json!({})).await);
    let token = realm.refresh_token("alice").await;
    register(&kit, "one", &opens(&realm, Some(&token))).await;
    // Somebody else shows what was used: the provider withdraws all that came of it.
    let again =
        kit.post_json("/api/v1/clusters", cluster("two", &opens(&realm, Some(&token)))).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST, "{}", again.text());
    assert!(again.text().contains("does not take the refresh token any more"), "{}", again.text());
    let list = kit.get("/api/v1/clusters").await.json();
    let id = Uuid::parse_str(list["items"][0]["id"].as_str().expect("an id")).expect("an id");
    assert_eq!(asked(&replica(&kit), id).await, Trouble::OidcGrant);
    // Another one opens it again, whichever way it is stored.
    let fresh = opens(&realm, Some(&realm.refresh_token("alice").await));
    let path = format!("/api/v1/clusters/{id}/credentials");
    let request = Request::put(&path).header("content-type", "application/json");
    let stored = kit.send(request, Body::from(fresh.to_string())).await;
    assert!(stored.status.is_success(), "{}", stored.text());
    assert_eq!(asked(&replica(&kit), id).await, Trouble::Unreachable);
    let path = format!("/clusters/{id}");
    assert!(kit.get(&path).await.text().contains(r#"name="refresh_token""#), "a form for it");
    let token = realm.refresh_token("alice").await;
    let form = [
        ("do", "rotate"),
        ("issuer_url", &realm.issuer),
        ("client_id", "quarterdeck"),
        ("client_secret", "rig-secret"),
        ("refresh_token", &token),
        ("scope", "openid offline_access"),
    ];
    let stored = post(&kit, &path, &form).await;
    assert_eq!(stored.status, StatusCode::SEE_OTHER, "{}", stored.text());
    let version = kit.get(&format!("/api/v1/clusters/{id}")).await.json();
    assert_eq!(version["credential"]["version"], 3, "{version}");
    assert_eq!(asked(&replica(&kit), id).await, Trouble::Unreachable);
}

#[tokio::test]
async fn a_provider_whose_certificate_nobody_trusts_is_not_talked_to() {
    let realm = realm(json!({})).await;
    let kit = Kit::on(Dialect::Sqlite, Who::Admin, Clock::system(), |_| {}, |routes| routes).await;
    let id = register(&kit, "untrusted", &opens(&realm, None)).await;
    assert_eq!(asked(&kit.console.fleet.clients, id).await, Trouble::OidcTls);
    assert_eq!(realm.calls("token").await, 0, "no secret went out");
    let page = kit.get(&format!("/clusters/{id}")).await;
    assert!(page.text().contains("egress_ca_files"), "{}", page.text());
}

#[tokio::test]
async fn a_clients_own_credentials_are_shown_in_the_way_that_was_agreed_upon() {
    let kit = kit(Dialect::Sqlite, Clock::system()).await;
    for method in ["client_secret_basic", "client_secret_post"] {
        let wishes = json!({ "client": { "token_endpoint_auth_method": method } });
        let realm = realm(wishes).await;
        let name = method.replace('_', "-");
        let id = register(&kit, &name, &opens(&realm, None)).await;
        assert_eq!(asked(&kit.console.fleet.clients, id).await, Trouble::Unreachable, "{method}");
    }
    // A provider that does not know the word `openid` for a client is asked again without it.
    let once = json!({ "status": 400, "times": 1, "body": { "error": "invalid_scope" } });
    let realm = realm(json!({ "faults": { "legs": { "token": once } } })).await;
    register(&kit, "without-scope", &opens(&realm, None)).await;
    assert_eq!(realm.calls("token").await, 2);
    let mut wrong = opens(&realm, None);
    wrong["client_secret"] = json!("another");
    let refused = kit.post_json("/api/v1/clusters", cluster("wrong-secret", &wrong)).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text());
    assert!(refused.text().contains(Trouble::OidcClient.says()), "{}", refused.text());
}

#[tokio::test]
async fn what_somebody_chose_is_asked_for_as_it_stands() {
    let (kit, realm) = (kit(Dialect::Sqlite, Clock::system()).await, realm(json!({})).await);
    let mut chosen = opens(&realm, None);
    chosen["scope"] = json!("openid offline_access");
    chosen["audience"] = json!("https://api.example/");
    register(&kit, "chosen", &chosen).await;
    register(&kit, "usual", &opens(&realm, None)).await;
    let asked = json!([
        { "scope": "openid offline_access", "audience": "https://api.example/" },
        { "scope": "openid" },
    ]);
    assert_eq!(realm.asked().await, asked);
    // It is not asked for something else when it is not given.
    let never = json!({ "status": 400, "body": { "error": "invalid_scope" } });
    realm.faults(json!({ "legs": { "token": never } })).await;
    let before = realm.calls("token").await;
    let refused = kit.post_json("/api/v1/clusters", cluster("not-given", &chosen)).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text());
    assert!(refused.text().contains(Trouble::OidcScope.says()), "{}", refused.text());
    assert_eq!(realm.calls("token").await, before + 1);
    // Neither belongs to what opens it otherwise.
    let other = json!({ "auth_type": "SERVICE_ACCOUNT", "token": "a.b.c", "scope": "openid" });
    let refused = kit.post_json("/api/v1/clusters", cluster("no-provider", &other)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text());
    assert!(refused.text().contains("scope"), "{}", refused.text());
}

//! A provider that is down, slow, or says something else than it should.

use app::error::SignInFailure;
use http::Method;
use serde_json::{Value, json};
use server::{
    clock::Clock,
    config::Authorities,
    identity::oidc::{Leg, OidcError, Standing},
};

use crate::{
    idp_kit::{Browser, Idp, query},
    kit::{self, Kit},
};

#[tokio::test]
async fn a_provider_that_is_down_is_asked_again_later() {
    let kit = Kit::new(json!({})).await;
    assert_eq!(kit.oidc.standing(), Standing::NotAsked);
    kit.realm.faults(json!({"legs": {"discovery": {"down": true}}})).await;
    let refused = kit.oidc.begin().await.expect_err("it is down");
    assert_eq!(refused.failure(), SignInFailure::ProviderUnreachable);
    assert!(matches!(kit.oidc.standing(), Standing::Fails(_)));
    kit.realm.faults(json!({})).await;
    let asked = kit.realm.calls("discovery").await;
    kit.oidc.begin().await.expect_err("it was asked a moment ago");
    assert_eq!(kit.realm.calls("discovery").await, asked, "and not again for every visitor");
    let later = kit::client(kit::config(&kit.realm.issuer), Clock::system());
    later.begin().await.expect("it is up again");
    assert_eq!(later.standing(), Standing::Answers);
}

#[tokio::test]
async fn a_provider_that_goes_down_later_is_still_known() {
    let kit = Kit::new(json!({})).await;
    let (flow, code) = kit.go("alice").await;
    kit.realm.faults(json!({"legs": {"discovery": {"down": true}, "jwks": {"down": true}}})).await;
    kit.oidc.finish(&flow, code).await.expect("its addresses and keys are at hand");
}

#[tokio::test]
async fn each_leg_may_fail_and_is_named() {
    let faults: [(Value, SignInFailure); 4] = [
        (json!({"down": true}), SignInFailure::ProviderUnreachable),
        (json!({"status": 500}), SignInFailure::ProviderUnreachable),
        (json!({"slow_ms": 4000}), SignInFailure::ProviderUnreachable),
        (json!({"status": 200, "body": {"not": "it"}}), SignInFailure::ProviderAnswer),
    ];
    for (fault, said) in &faults {
        for leg in ["discovery", "jwks"] {
            let kit = Kit::new(json!({"faults": {"legs": {leg: fault}}})).await;
            let refused = kit.oidc.begin().await.expect_err(leg);
            assert_eq!(refused.failure(), *said, "{leg} {fault}: {refused}");
        }
        for leg in ["token", "userinfo"] {
            let kit = Kit::new(json!({})).await;
            let (flow, code) = kit.go("alice").await;
            kit.realm
                .faults(json!({"legs": {leg: fault}, "id_token": {"remove": ["groups"]}}))
                .await;
            let refused = kit.oidc.finish(&flow, code).await.expect_err(leg);
            assert_eq!(refused.failure(), *said, "{leg} {fault}: {refused}");
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let to = json!({"status": 302, "location": "http://127.0.0.1:1/"});
    let kit = Kit::new(json!({"faults": {"legs": {"discovery": to}}})).await;
    let refused = kit.oidc.begin().await.expect_err("a redirect");
    assert!(matches!(refused, OidcError::Answer { leg: Leg::Discovery, .. }), "{refused}");
}

#[tokio::test]
async fn what_the_provider_says_of_itself_must_fit() {
    for set in [
        json!({"issuer": "https://evil.example"}),
        json!({"token_endpoint": "ftp://evil.example/token"}),
        json!({"jwks_uri": "gopher://evil.example/"}),
    ] {
        let kit = Kit::new(json!({"faults": {"discovery": {"set": set}}})).await;
        let refused = kit.oidc.begin().await.expect_err("it does not fit");
        let said = refused.to_string();
        assert!(said.contains("discovery document") && !said.contains("status"), "{set}: {said}");
    }
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_when_it_is_named() {
    let kit = Kit::new(json!({"tls": true})).await;
    assert!(kit.realm.issuer.starts_with("https://"));
    let refused = kit.oidc.begin().await.expect_err("this machine does not know the authority");
    assert_eq!(refused.failure(), SignInFailure::ProviderUnreachable);
    let pem = std::fs::read(&Idp::get().authority).expect("a file of the kit");
    let mut config = kit::config(&kit.realm.issuer);
    config.ca_file = Some(Authorities(server::egress::authorities(&pem).expect("one authority")));
    let (start, _) = kit::client(config.clone(), Clock::system()).begin().await.expect("trusted");
    assert!(start.as_str().starts_with(&kit.realm.issuer));
    // Over https once, over https always.
    kit.realm
        .faults(json!({"discovery": {"set": {"token_endpoint": "http://127.0.0.1:1/token"}}}))
        .await;
    let refused = kit::client(config, Clock::system()).begin().await.expect_err("plain http");
    assert_eq!(refused.failure(), SignInFailure::ProviderAnswer);
}

#[tokio::test]
async fn the_start_names_all_that_the_provider_needs_and_no_secret() {
    let kit = Kit::new(json!({})).await;
    let (start, flow) = kit.oidc.begin().await.expect("it answers");
    let (again, other) = kit.oidc.begin().await.expect("it answers");
    let told = |name: &str| query(&start, name).unwrap_or_default();
    assert_eq!(told("response_type"), "code");
    assert_eq!(told("code_challenge_method"), "S256");
    assert_eq!(told("redirect_uri"), kit::BACK);
    assert_eq!(told("scope"), "openid profile email");
    assert_eq!((told("state"), told("nonce")), (flow.state.clone(), flow.nonce.clone()));
    assert!(!start.as_str().contains(&flow.verifier) && !start.as_str().contains("rig-secret"));
    assert!(
        flow.state != other.state && flow.nonce != other.nonce && flow.verifier != other.verifier
    );
    assert_ne!(start, again);
}

#[tokio::test]
async fn signing_out_leads_to_the_provider_and_back() {
    let kit =
        Kit::new(json!({"client": {"post_logout_redirect_uris": ["http://console.example/"]}}))
            .await;
    let (start, flow) = kit.oidc.begin().await.expect("it answers");
    let mut browser = Browser::default();
    let back = browser.sign_in(&start, "alice").await;
    let code = query(&back, "code").expect("a code");
    let signed = kit.oidc.finish(&flow, code).await.expect("alice");
    let hint = signed.tokens.hint.as_deref();
    let out = kit.oidc.end_session(hint, "http://console.example/").await.expect("an address");
    assert_eq!(query(&out, "id_token_hint").as_deref(), hint);
    let page = browser.ask(Method::GET, &out, String::new()).await;
    let xsrf = page.text.split("name=\"xsrf\" value=\"").nth(1).expect("a form");
    let form = format!("logout=yes&xsrf={}", xsrf.split('"').next().unwrap_or_default());
    let confirm = kit::url(&format!("{}/session/end/confirm", kit.realm.issuer));
    let gone = browser.ask(Method::POST, &confirm, form).await;
    assert_eq!(gone.headers["location"], "http://console.example/");
}

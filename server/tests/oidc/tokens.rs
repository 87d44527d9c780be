//! What proves who somebody is, and every way in which it does not.

use serde_json::{Value, json};
use server::identity::oidc::{OidcError, TokenFault};

use crate::kit::Kit;

fn fault(error: OidcError) -> TokenFault {
    match error {
        OidcError::Token(fault) => fault,
        other => panic!("another error: {other}"),
    }
}

#[tokio::test]
async fn who_comes_back_from_the_provider_is_who_it_says() {
    let kit = Kit::new(json!({})).await;
    let signed = kit.sign_in("alice").await.expect("alice");
    assert_eq!(signed.person.name, "Alice Example");
    assert_eq!(signed.person.email.as_deref(), Some("alice@example.org"));
    assert_eq!(signed.person.key, format!("{} sub:alice", kit.realm.issuer));
    assert_eq!(signed.groups, ["everyone", "ops-admins"]);
    assert!(signed.tokens.refresh.is_some() && signed.tokens.hint.is_some());
    let shown = format!("{signed:?}");
    for token in kit.realm.tokens().await {
        assert!(!shown.contains(&token), "a token is shown");
    }
}

#[tokio::test]
async fn a_token_that_was_tampered_with_is_refused_for_what_is_wrong_with_it() {
    let kit = Kit::new(json!({})).await;
    let wrong: [(Value, TokenFault); 18] = [
        (json!({"set": {"aud": "somebody-else"}}), TokenFault::Audience),
        (json!({"set": {"aud": ["quarterdeck", "somebody-else"]}}), TokenFault::Audience),
        (json!({"set": {"azp": "somebody-else"}}), TokenFault::Audience),
        (json!({"set": {"iss": "https://evil.example"}}), TokenFault::Issuer),
        (json!({"shift": {"exp": -7200}}), TokenFault::Expired),
        (json!({"shift": {"iat": 600}}), TokenFault::Early),
        (json!({"shift": {"nbf": 600}}), TokenFault::Early),
        (json!({"set": {"nonce": "of another sign-in"}}), TokenFault::Nonce),
        (json!({"remove": ["nonce"]}), TokenFault::Nonce),
        (json!({"sign": "none"}), TokenFault::Algorithm),
        (json!({"sign": "hs256-public"}), TokenFault::Algorithm),
        (json!({"sign": "hs256-secret"}), TokenFault::Algorithm),
        (json!({"sign": "stranger"}), TokenFault::Signature),
        (json!({"sign": "cut"}), TokenFault::Signature),
        (json!({"sign": "unknown-kid"}), TokenFault::UnknownKey),
        (json!({"set": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}}), TokenFault::AccessToken),
        (json!({"set": {"nbf": "soon"}}), TokenFault::Claim("nbf")),
        (json!({"drop": true}), TokenFault::Missing),
    ];
    for (what, expected) in wrong {
        kit.realm.faults(json!({ "id_token": what })).await;
        let refused = kit.sign_in("alice").await.expect_err("it is wrong");
        assert_eq!(fault(refused), expected, "{what}");
    }
    kit.realm.faults(json!({})).await;
    kit.sign_in("alice").await.expect("and an honest one is believed again");
}

#[tokio::test]
async fn a_token_without_what_it_must_have_is_no_token() {
    let kit = Kit::new(json!({})).await;
    for missing in ["iss", "aud", "exp", "iat", "sub"] {
        kit.realm.faults(json!({"id_token": {"remove": [missing]}})).await;
        let refused = kit.sign_in("alice").await.expect_err(missing);
        assert!(
            matches!(refused, OidcError::Answer { .. } | OidcError::Token(_)),
            "{missing}: {refused}"
        );
    }
}

#[tokio::test]
async fn clocks_may_be_a_minute_apart_and_no_more() {
    let kit = Kit::new(json!({})).await;
    for (what, fine) in [
        (json!({"set": {}, "shift": {"exp": -3630}}), true),
        (json!({"shift": {"exp": -3670}}), false),
        (json!({"shift": {"iat": 45}}), true),
        (json!({"shift": {"iat": 90}}), false),
        (json!({"shift": {"nbf": 45}}), true),
        (json!({"shift": {"nbf": 90}}), false),
    ] {
        kit.realm.faults(json!({ "id_token": what })).await;
        assert_eq!(kit.sign_in("alice").await.is_ok(), fine, "{what}");
    }
}

#[tokio::test]
async fn every_asymmetric_signature_that_is_allowed_is_understood() {
    for alg in ["RS256", "PS256", "ES256", "EdDSA"] {
        let kit = Kit::new(json!({ "alg": alg })).await;
        kit.sign_in("alice").await.unwrap_or_else(|error| panic!("{alg}: {error}"));
        let strict = Kit::with(json!({ "alg": alg }), |config| {
            config.algorithms = vec!["RS384".to_owned()];
        });
        let refused = strict.await.sign_in("alice").await.expect_err(alg);
        assert_eq!(fault(refused), TokenFault::Algorithm, "{alg}");
    }
}

#[tokio::test]
async fn a_code_counts_once_and_with_its_verifier_alone() {
    let kit = Kit::new(json!({})).await;
    let (flow, code) = kit.go("alice").await;
    kit.oidc.finish(&flow, code.clone()).await.expect("the first time");
    let again = kit.oidc.finish(&flow, code).await.expect_err("the second time");
    assert!(matches!(again, OidcError::Refused(_)), "{again}");
    let (_, code) = kit.go("alice").await;
    let stolen = kit.oidc.finish(&flow, code).await.expect_err("another sign-in's verifier");
    assert!(matches!(stolen, OidcError::Refused(_)), "{stolen}");
}

#[tokio::test]
async fn an_email_counts_when_it_was_not_called_unverified() {
    let kit = Kit::new(json!({})).await;
    let strict = Kit::with(json!({}), |config| config.require_verified_email = true).await;
    for (kit, faults, there) in [
        (&kit, json!({"id_token": {"set": {"email_verified": false}}}), false),
        (&kit, json!({"id_token": {"set": {"email_verified": "false"}}}), false),
        (&kit, json!({"id_token": {"set": {"email_verified": "true"}}}), true),
        (&kit, json!({"id_token": {"remove": ["email_verified"]}}), true),
        (&strict, json!({"id_token": {"remove": ["email_verified"]}}), false),
        (&strict, json!({}), true),
    ] {
        kit.realm.faults(faults.clone()).await;
        let signed = kit.sign_in("alice").await.unwrap_or_else(|error| panic!("{faults}: {error}"));
        assert_eq!(signed.person.email.is_some(), there, "{faults}");
        assert_eq!(signed.person.name, "Alice Example");
    }
}

#[tokio::test]
async fn rotated_keys_are_fetched_once_and_invented_ones_not_without_end() {
    let kit = Kit::new(json!({})).await;
    kit.sign_in("alice").await.expect("with the first key");
    kit.realm.rotate_keys(false).await;
    kit.sign_in("alice").await.expect("with the second key");
    let asked = kit.realm.calls("jwks").await;
    kit.realm.faults(json!({"id_token": {"sign": "unknown-kid"}})).await;
    for _ in 0..5 {
        kit.sign_in("alice").await.expect_err("a key that nobody has");
    }
    assert!(
        kit.realm.calls("jwks").await <= asked + 1,
        "the key set is not asked for again and again"
    );
}

#[tokio::test]
async fn a_public_client_needs_no_secret() {
    let wishes = json!({"client": {"client_secret": ""}});
    let kit = Kit::with(wishes, |config| config.client_secret = None).await;
    kit.sign_in("alice").await.expect("by PKCE alone");
}

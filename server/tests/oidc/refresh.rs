//! Keeping a session fresh, and what the provider says when it may not be.

use serde_json::json;
use server::identity::oidc::{OidcError, TokenFault};

use crate::kit::{Kit, url};

#[tokio::test]
async fn each_refresh_token_is_used_once() {
    let kit = Kit::new(json!({})).await;
    let first = kit.sign_in("alice").await.expect("alice").tokens;
    let second = kit.oidc.refresh(&first).await.expect("fresh").tokens;
    assert_ne!(first.refresh, second.refresh);
    let third = kit.oidc.refresh(&second).await.expect("fresh").tokens;
    assert_ne!(second.refresh, third.refresh);
    let stolen = kit.oidc.refresh(&first).await.expect_err("it was used");
    assert!(stolen.is_final(), "{stolen}");
    let burnt = kit.oidc.refresh(&third).await.expect_err("the provider suspects theft");
    assert!(burnt.is_final(), "{burnt}");
}

#[tokio::test]
async fn a_provider_that_does_not_rotate_gives_the_old_one_on() {
    let kit = Kit::new(json!({"faults": {"rotation": "never"}})).await;
    let first = kit.sign_in("alice").await.expect("alice").tokens;
    for _ in 0..3 {
        let next = kit.oidc.refresh(&first).await.expect("fresh").tokens;
        assert_eq!(next.refresh, first.refresh);
    }
}

#[tokio::test]
async fn groups_are_read_again_wherever_they_stand() {
    let gone = json!({"people": {"alice": {"groups": ["everyone"]}}});
    for told in [
        json!({}),
        // Without an id token in the answer, userinfo has the word.
        json!({"id_token": {"drop": true}}),
    ] {
        let kit = Kit::new(json!({})).await;
        let tokens = kit.sign_in("alice").await.expect("alice").tokens;
        kit.realm.change(gone.clone()).await;
        kit.realm.faults(told.clone()).await;
        let again = kit.oidc.refresh(&tokens).await.expect("fresh");
        assert_eq!(again.groups.expect("told"), Some(vec!["everyone".to_owned()]), "{told}");
    }
}

#[tokio::test]
async fn silence_about_groups_counts_only_where_they_stood_before() {
    let kit = Kit::new(json!({})).await;
    let tokens = kit.sign_in("alice").await.expect("alice").tokens;
    kit.realm.faults(json!({"id_token": {"drop": true}, "userinfo": {"remove": ["groups"]}})).await;
    let again = kit.oidc.refresh(&tokens).await.expect("fresh");
    assert_eq!(
        again.groups.expect("no error"),
        None,
        "they stood in the id token, which did not come"
    );
    kit.realm
        .faults(json!({"id_token": {"remove": ["groups"]}, "userinfo": {"remove": ["groups"]}}))
        .await;
    let again = kit.oidc.refresh(&again.tokens).await.expect("fresh");
    assert_eq!(again.groups.expect("no error"), Some(Vec::new()), "a token without them has none");
}

#[tokio::test]
async fn tokens_are_kept_even_when_the_groups_cannot_be_had() {
    let people = json!({"people": {"alice": {"graph_groups": ["g1"]}}});
    let kit = Kit::with(people, |config| {
        config.graph_url = Some(url(&format!("{}/graph/v1.0", config.issuer)));
    });
    let kit = kit.await;
    let overage = json!({"remove": ["groups"], "set": {"hasgroups": true}});
    kit.realm.faults(json!({ "id_token": overage })).await;
    let first = kit.sign_in("alice").await.expect("alice").tokens;
    kit.realm.faults(json!({"id_token": overage, "legs": {"graph": {"down": true}}})).await;
    let second = kit.oidc.refresh(&first).await.expect("the tokens are there");
    assert!(second.groups.is_err());
    assert_ne!(second.tokens.refresh, first.refresh);
    kit.realm.faults(json!({ "id_token": overage })).await;
    let third = kit.oidc.refresh(&second.tokens).await.expect("the kept one is good");
    assert_eq!(third.groups.expect("told"), Some(vec!["g1".to_owned()]));
}

#[tokio::test]
async fn somebody_who_was_disabled_is_refused_for_good() {
    let kit = Kit::new(json!({})).await;
    let tokens = kit.sign_in("alice").await.expect("alice").tokens;
    kit.realm.change(json!({"people": {"alice": {"disabled": true}}})).await;
    let refused = kit.oidc.refresh(&tokens).await.expect_err("disabled");
    assert!(refused.is_final(), "{refused}");
}

#[tokio::test]
async fn what_passes_is_told_from_what_does_not() {
    let kit = Kit::new(json!({})).await;
    let tokens = kit.sign_in("alice").await.expect("alice").tokens;
    for passes in [json!({"down": true}), json!({"status": 503}), json!({"slow_ms": 4000})] {
        kit.realm.faults(json!({"legs": {"token": passes}})).await;
        let error = kit.oidc.refresh(&tokens).await.expect_err("not now");
        assert!(!error.is_final(), "{passes}: {error}");
        assert!(matches!(error, OidcError::Unreachable { .. }), "{passes}: {error}");
    }
    kit.realm
        .faults(json!({"legs": {"token": {"status": 401, "body": {"error": "invalid_client"}}}}))
        .await;
    let error = kit.oidc.refresh(&tokens).await.expect_err("our secret is wrong");
    assert!(!error.is_final(), "that is about us, not about the person: {error}");
    kit.realm.faults(json!({})).await;
    kit.oidc.refresh(&tokens).await.expect("nothing was spent");
}

#[tokio::test]
async fn an_answer_that_got_lost_leaves_a_spent_token() {
    let kit = Kit::new(json!({})).await;
    let tokens = kit.sign_in("alice").await.expect("alice").tokens;
    kit.realm.faults(json!({"legs": {"token": {"lose": true}}})).await;
    let lost = kit.oidc.refresh(&tokens).await.expect_err("it never came");
    assert!(!lost.is_final(), "{lost}");
    kit.realm.faults(json!({})).await;
    let spent = kit.oidc.refresh(&tokens).await.expect_err("the provider counts it as used");
    assert!(spent.is_final(), "{spent}");
}

#[tokio::test]
async fn a_refresh_that_is_about_somebody_else_changes_nothing() {
    let kit = Kit::new(json!({})).await;
    let tokens = kit.sign_in("alice").await.expect("alice").tokens;
    kit.realm
        .faults(json!({"id_token": {"set": {"sub": "mallory", "groups": ["ops-admins"]}}}))
        .await;
    let again = kit.oidc.refresh(&tokens).await.expect("tokens came");
    match again.groups {
        Err(OidcError::Token(TokenFault::Subject)) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_a_refresh_token_the_access_token_serves_while_it_lives() {
    let kit = Kit::new(json!({"refresh": "never"})).await;
    let tokens = kit.sign_in("alice").await.expect("alice").tokens;
    assert!(tokens.refresh.is_none());
    kit.realm.change(json!({"people": {"alice": {"groups": ["fewer"]}}})).await;
    let again = kit.oidc.refresh(&tokens).await.expect("by userinfo");
    assert_eq!(again.groups.expect("told"), Some(vec!["fewer".to_owned()]));
    kit.realm.change(json!({"people": {"alice": {"disabled": true}}})).await;
    let refused = kit.oidc.refresh(&tokens).await.expect_err("nobody is there any more");
    assert!(refused.is_final(), "{refused}");
}

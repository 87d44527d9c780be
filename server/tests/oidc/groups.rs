//! Where groups come from: the token, userinfo, Graph.

use serde_json::{Value, json};
use server::identity::oidc::OidcError;

use crate::kit::{Kit, url};

/// As Entra ID tells that there are more than fit.
fn overage() -> Vec<Value> {
    vec![
        json!({"remove": ["groups"], "set": {
            "_claim_names": {"groups": "src1"},
            "_claim_sources": {"src1": {"endpoint": "https://graph.windows.net/t/users/o/getMemberObjects"}},
        }}),
        json!({"remove": ["groups"], "set": {"hasgroups": true}}),
    ]
}

fn many() -> Value {
    json!({"people": {"alice": {"graph_groups": ["g1", "g2", "g3", "g4", "g5"]}}})
}

#[tokio::test]
async fn groups_that_did_not_fit_are_asked_for_page_by_page() {
    let kit = Kit::with(many(), |config| {
        config.graph_url = Some(url(&format!("{}/graph/v1.0", config.issuer)));
    });
    let kit = kit.await;
    for told in overage() {
        kit.realm.faults(json!({ "id_token": told })).await;
        let signed = kit.sign_in("alice").await.expect("with all groups");
        assert_eq!(signed.groups, ["g1", "g2", "g3", "g4", "g5"], "{told}");
    }
}

#[tokio::test]
async fn groups_that_cannot_be_asked_for_are_not_guessed() {
    let without = Kit::new(many()).await;
    let with = Kit::with(many(), |config| {
        config.graph_url = Some(url(&format!("{}/graph/v1.0/", config.issuer)));
    });
    let with = with.await;
    let told = &overage()[0];
    for (kit, faults) in [
        (&without, json!({ "id_token": told })),
        (&with, json!({ "id_token": told, "legs": {"graph": {"down": true}} })),
        (&with, json!({ "id_token": told, "legs": {"graph": {"status": 500}} })),
        (&with, json!({ "id_token": told, "legs": {"graph": {"status": 403}} })),
        (
            &with,
            json!({ "id_token": told, "legs": {"graph": {"status": 200, "body": {"value": 7}}} }),
        ),
        (&with, json!({ "id_token": told, "graph_next": "http://127.0.0.1:1/elsewhere" })),
        (&with, json!({ "id_token": told, "graph_endless": true })),
    ] {
        kit.realm.faults(faults.clone()).await;
        let refused = kit.sign_in("alice").await.expect_err("no groups, no sign-in");
        let said = refused.failure();
        assert_eq!(said, app::error::SignInFailure::GroupsUnknown, "{faults}: {refused}");
    }
}

#[tokio::test]
async fn groups_stand_where_the_configuration_says() {
    let people = json!({"people": {"alice": {
        "realm_access": {"roles": ["keycloak-admins"]}, "team": "one", "groups": null,
    }}});
    let at = |path: &'static str| {
        let people = people.clone();
        async move {
            let kit = Kit::with(people, |config| config.claims.groups = vec![path.to_owned()]);
            kit.await.sign_in("alice").await.expect("a person").groups
        }
    };
    assert_eq!(at("realm_access.roles").await, ["keycloak-admins"]);
    assert_eq!(at("team").await, ["one"]);
    assert_eq!(at("nowhere.at.all").await, Vec::<String>::new());
}

#[tokio::test]
async fn userinfo_is_asked_when_the_token_is_silent_and_believed_about_the_same_person_only() {
    let kit = Kit::new(json!({})).await;
    let silent = json!({"remove": ["groups", "name"]});
    kit.realm
        .faults(json!({"id_token": silent, "userinfo": {"set": {"groups": ["from-userinfo"]}}}))
        .await;
    let signed = kit.sign_in("alice").await.expect("alice");
    assert_eq!(signed.groups, ["from-userinfo"]);
    assert_eq!(signed.person.name, "Alice Example");
    kit.realm.faults(json!({"id_token": silent, "userinfo": {"set": {"sub": "mallory"}}})).await;
    let refused = kit.sign_in("alice").await.expect_err("an answer about somebody else");
    assert!(matches!(refused, OidcError::Token(_)), "{refused}");
}

#[tokio::test]
async fn the_signed_word_wins_over_userinfo() {
    let kit = Kit::new(json!({})).await;
    kit.realm
        .faults(json!({
            "id_token": {"remove": ["groups"], "set": {"email_verified": false}},
            "userinfo": {"set": {"groups": ["g"], "email_verified": true, "name": "Mallory"}},
        }))
        .await;
    let signed = kit.sign_in("alice").await.expect("alice");
    assert_eq!((signed.person.name.as_str(), signed.person.email), ("Alice Example", None));
}

#[tokio::test]
async fn oid_and_tid_tell_people_of_entra_apart() {
    let kit = Kit::new(json!({"people": {"alice": {"oid": "o-1", "tid": "t-1"}}})).await;
    let key = kit.sign_in("alice").await.expect("alice").person.key;
    assert_eq!(key, format!("{} oid:o-1@t-1", kit.realm.issuer));
    let kit = Kit::with(json!({"people": {"alice": {"upn": "a@x"}}}), |config| {
        config.claims.id = vec!["upn".to_owned()];
    });
    let kit = kit.await;
    assert!(kit.sign_in("alice").await.expect("alice").person.key.ends_with(" id:a@x"));
    kit.sign_in("oscar").await.expect_err("he has none, so he is nobody");
}

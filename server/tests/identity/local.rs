//! Name and password.

use app::identity::Role;
use serde_json::json;
use server::store::Sql;

use crate::{
    kit::{console, consoles},
    web_kit::people::{PASSWORD, Proof},
};

#[tokio::test]
async fn who_knows_the_password_is_let_in_and_nobody_else() {
    for (kit, _hand) in consoles().await {
        let ada = kit.person("ada").await;
        kit.grant("person", &ada, Role::Auditor, None).await;
        let right = kit.try_from("127.0.0.1", " Ada ", PASSWORD).await;
        assert_eq!(right.status.as_u16(), 201, "{}", right.text());
        let session = Proof::Session(right.session().expect("a session"));
        let me = kit.get_as(&session, "/api/v1/me").await.json();
        assert_eq!((&me["id"], &me["isAuthorized"]), (&json!("ada"), &json!(true)), "{me}");
        let audited = kit.audited().await;
        assert_eq!(audited, [("identity.session.begin".to_owned(), "allowed".to_owned())]);
    }
}

/// Neither the answer nor its code tells a wrong password from a name that is not there, nor from one that is disabled.
#[tokio::test]
async fn every_failure_is_the_same_answer() {
    for (kit, _hand) in consoles().await {
        kit.person("ada").await;
        kit.person("eve").await;
        kit.disable("eve").await;
        kit.stranger("oidc-only").await;
        let mut answers = Vec::new();
        for (name, password) in [
            ("ada", "wrong horse battery staple"),
            ("nobody", PASSWORD),
            ("eve", PASSWORD),
            ("eve", "wrong horse battery staple"),
            ("oidc-only", ""),
            ("", PASSWORD),
        ] {
            let answer = kit.try_from("127.0.0.1", name, password).await;
            assert_eq!(answer.session(), None, "{name}");
            let mut body = answer.json();
            for own in ["trace_id", "timestamp"] {
                body.as_object_mut().expect("an object").remove(own);
            }
            answers.push((answer.status.as_u16(), body));
        }
        assert_eq!(answers[0].0, 401);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
        let refused = kit.audited().await;
        assert!(refused.iter().all(|(action, _)| action == "identity.session.refuse"));
        assert_eq!(refused.len(), 5, "an empty name is nobody's");
    }
}

#[tokio::test]
async fn the_form_leads_on_and_a_refusal_keeps_the_name_alone() {
    let (kit, _hand) = console().await;
    let ada = kit.person("ada").await;
    kit.grant("person", &ada, Role::Admin, None).await;
    let to = "/system/ops/runs?status=running";
    let typed = [("name", "ada"), ("password", "not the password at all"), ("to", to)];
    let refused = kit.form(&Proof::Nothing, "/sign-in", &typed).await;
    assert_eq!(refused.status.as_u16(), 401);
    assert!(refused.text().contains("value=\"ada\""), "{}", refused.text());
    assert!(!refused.text().contains("not the password at all"), "{}", refused.text());
    let typed = [("name", "ada"), ("password", PASSWORD), ("to", to)];
    let entered = kit.form(&Proof::Nothing, "/sign-in", &typed).await;
    assert_eq!((entered.status.as_u16(), entered.header("location")), (303, to));
    let session = Proof::Session(entered.session().expect("a session"));
    assert_eq!(kit.get_as(&session, to).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_new_password_ends_every_other_session_and_link_but_not_this_session() {
    for (kit, _hand) in consoles().await {
        let ada = kit.person("ada").await;
        let (here, there, bystander) =
            (kit.enter(&ada).await, kit.enter(&ada).await, kit.signed_in("bob", None).await);
        let link = kit.link(&server::identity::local::links::For::Person(ada.clone())).await;
        let change = |old, new| [("password", old), ("new_password", new)];
        let wrong = change("not my password at all", "a new password of mine");
        assert_eq!(kit.form(&here, "/account/password", &wrong).await.status.as_u16(), 401);
        let short = change(PASSWORD, "short");
        assert_eq!(kit.form(&here, "/account/password", &short).await.status.as_u16(), 422);
        let right = change(PASSWORD, "a new password of mine");
        assert_eq!(kit.form(&here, "/account/password", &right).await.status.as_u16(), 303);
        for (session, status) in [(&here, 200), (&there, 401), (&bystander, 200)] {
            assert_eq!(kit.get_as(session, "/api/v1/me").await.status.as_u16(), status);
        }
        assert_eq!(kit.try_from("127.0.0.1", "ada", PASSWORD).await.status.as_u16(), 401);
        let anew = kit.try_from("127.0.0.1", "ada", "a new password of mine").await;
        assert_eq!(anew.status.as_u16(), 201);
        let late = [("link", link.as_str()), ("password", "the link's own password")];
        let answer = kit.form(&Proof::Nothing, "/welcome", &late).await;
        assert_eq!(answer.session(), None, "a link from before would undo the change");
        let ended = Sql::new("SELECT COUNT(*) AS n FROM sessions WHERE ended_why = 'password'");
        assert_eq!(kit.count(ended).await, 1);
    }
}

#[tokio::test]
async fn a_key_has_no_password_to_change() {
    let (kit, _hand) = console().await;
    let ada = kit.person("ada").await;
    let key = crate::web_kit::people::Key { owner: Some(&ada), ..Default::default() };
    let (_, key) = kit.key(key).await;
    let change = [("password", PASSWORD), ("new_password", "a new password of mine")];
    let answer = kit.form(&key, "/account/password", &change).await;
    assert_eq!(answer.status.as_u16(), 409);
    assert_eq!(kit.try_from("127.0.0.1", "ada", PASSWORD).await.status.as_u16(), 201);
}

#[tokio::test]
async fn nobody_signs_in_to_a_read_only_console() {
    let (kit, _hand) = crate::kit::configured(|config| config.read_only = true).await;
    kit.person("ada").await;
    assert_eq!(kit.try_from("127.0.0.1", "ada", PASSWORD).await.status.as_u16(), 409);
    let session = kit.enter("ada").await;
    assert_eq!(kit.get_as(&session, "/api/v1/me").await.status.as_u16(), 200, "who is in stays");
}

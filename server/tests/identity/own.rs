//! One's own things: who one is, and one's sessions.

use app::identity::Role;
use serde_json::json;
use server::store::Sql;

use crate::{
    kit::{console, consoles},
    web_kit::{
        Kit,
        people::{Key, Proof},
    },
};

/// Seed 000's User, with what one may do and where.
#[tokio::test]
async fn me_has_the_shape_of_a_user() {
    for (kit, _hand) in consoles().await {
        kit.workspace(7, "seven").await;
        let ada = kit.signed_in("ada", Some((Role::Auditor, Some(7)))).await;
        let me = kit.get_as(&ada, "/api/v1/me").await.json();
        let auditor: Vec<_> = Role::Auditor.capabilities().iter().map(|c| c.as_str()).collect();
        let expected = json!({
            "id": "ada",
            "email": null,
            "displayName": "ada the tried",
            "groups": [],
            "isAuthorized": true,
            "capabilities": auditor,
            "everything": false,
            "workspaces": [{ "id": 7, "name": "seven" }],
        });
        assert_eq!(me, expected);
        kit.change(Sql::new("UPDATE people SET email = 'ada@example.net'")).await;
        kit.change(Sql::new("INSERT INTO person_groups (person_id, name) VALUES ('ada', 'ops')"))
            .await;
        kit.grant("group", "ops", Role::Admin, None).await;
        let me = kit.get_as(&ada, "/api/v1/me").await.json();
        assert_eq!(me["email"], "ada@example.net");
        assert_eq!((&me["groups"], &me["everything"]), (&json!(["ops"]), &json!(true)));
        assert_eq!(me["workspaces"].as_array().map(Vec::len), Some(2));
    }
}

#[tokio::test]
async fn a_key_is_somebody_too_and_has_its_owners_groups() {
    let (kit, _hand) = console().await;
    kit.signed_in("ada", Some((Role::Admin, None))).await;
    kit.change(Sql::new("INSERT INTO person_groups (person_id, name) VALUES ('ada', 'ops')")).await;
    let (id, key) = kit.key(Key { owner: Some("ada"), ..Key::default() }).await;
    let me = kit.get_as(&key, "/api/v1/me").await.json();
    assert_eq!((&me["id"], &me["groups"]), (&json!(id), &json!(["ops"])));
    assert_eq!((&me["isAuthorized"], &me["capabilities"]), (&json!(false), &json!([])));
    let page = kit.get_as(&key, "/account").await;
    assert_eq!(page.status.as_u16(), 200);
}

#[tokio::test]
async fn nobody_is_told_so_in_the_way_that_the_address_asks_for() {
    let (kit, _hand) = console().await;
    let me = kit.get_as(&Proof::Nothing, "/api/v1/me").await;
    assert_eq!((me.status.as_u16(), me.code().as_str()), (401, "AUTH_FAILED"));
    let page = kit.get_as(&Proof::Nothing, "/account?x=1").await;
    assert_eq!(page.status.as_u16(), 303);
    assert_eq!(page.header("location"), "/sign-in?to=%2Faccount%3Fx%3D1");
    assert_eq!(page.header("cache-control"), "no-store");
}

async fn ids(kit: &Kit, person: &str) -> Vec<String> {
    let sql = Sql::new("SELECT id FROM sessions WHERE person_id = ").arg(person);
    let rows = kit.console.db.fetch_all(sql.push(" ORDER BY id")).await.expect("sessions");
    rows.iter().map(|row| row.text("id").expect("an id")).collect()
}

#[tokio::test]
async fn one_ends_ones_own_sessions_and_nobody_elses() {
    for (kit, _hand) in consoles().await {
        let here = kit.signed_in("ada", Some((Role::Admin, None))).await;
        let own = ids(&kit, "ada").await.remove(0);
        let there = kit.enter("ada").await;
        let bob = kit.signed_in("bob", None).await;
        let of_bob = ids(&kit, "bob").await.remove(0);
        let page = kit.get_as(&here, "/account").await;
        assert!(!page.text().contains(&of_bob));
        for other in [of_bob.as_str(), "no-such-session", ""] {
            let answer = kit.form(&here, "/account/sessions", &[("session", other)]).await;
            assert_eq!(answer.status.as_u16(), 404, "an admin, too: {other}");
        }
        assert_eq!(kit.get_as(&bob, "/api/v1/me").await.status.as_u16(), 200);
        let other = ids(&kit, "ada").await.into_iter().find(|id| *id != own).expect("another");
        let ended = kit.form(&here, "/account/sessions", &[("session", &other)]).await;
        assert_eq!((ended.status.as_u16(), ended.header("location")), (303, "/account"));
        assert_eq!(kit.get_as(&there, "/api/v1/me").await.status.as_u16(), 401);
        assert_eq!(kit.get_as(&here, "/api/v1/me").await.status.as_u16(), 200);
        let again = kit.form(&here, "/account/sessions", &[("session", &other)]).await;
        assert_eq!(again.status.as_u16(), 404);
        let (_, key) = kit.key(Key { owner: Some("ada"), ..Key::default() }).await;
        let by_key = kit.form(&key, "/account/sessions", &[("session", &own)]).await;
        assert_eq!(by_key.status.as_u16(), 404, "a key is not its owner");
    }
}

#[tokio::test]
async fn the_page_names_devices_and_marks_this_one() {
    let (kit, _hand) = console().await;
    let here = kit.signed_in("ada", None).await;
    kit.enter("ada").await;
    let page = kit.get_as(&here, "/account").await;
    assert_eq!(page.status.as_u16(), 200);
    assert_eq!(page.text().matches("this one").count(), 1, "{}", page.text());
    let Proof::Session(token) = &here else { panic!("a session") };
    assert!(!page.text().contains(token));
}

//! API keys: no more than they were made with, no more than their owner has now.

use std::time::Duration;

use app::identity::{Capability, Role};
use axum::body::Body;
use http::Request;
use serde_json::json;
use server::store::Sql;

use crate::{
    kit::{START, console, consoles},
    web_kit::{
        Kit,
        people::{Key, Proof},
    },
};

const VIEW: &[Capability] = &[Capability::AccessSystemPanel, Capability::OperationsView];
const RUNS: &str = "/api/v1/operations";

async fn runs(kit: &Kit, proof: &Proof) -> u16 {
    kit.get_as(proof, RUNS).await.status.as_u16()
}

#[tokio::test]
async fn a_key_is_taken_from_both_headers_and_never_from_two_that_differ() {
    let (kit, _hand) = console().await;
    kit.signed_in("ada", Some((Role::Admin, None))).await;
    let (id, proof) =
        kit.key(Key { owner: Some("ada"), capabilities: VIEW, ..Key::default() }).await;
    let Proof::Key(key) = &proof else { panic!("a key") };
    let session = kit.enter("ada").await;
    let ask = async |headers: &[(&str, &str)]| {
        let mut request = Request::get("/api/v1/me");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        kit.send(request, Body::empty()).await
    };
    let (key, bearer) = (key.as_str(), format!("Bearer {key}"));
    let bearer = bearer.as_str();
    for headers in [
        [("x-api-key", key)].as_slice(),
        &[("authorization", bearer)],
        &[("authorization", bearer), ("x-api-key", key)],
    ] {
        let me = ask(headers).await;
        assert_eq!(me.status.as_u16(), 200, "{headers:?}");
        assert_eq!(me.json()["id"], json!(id));
    }
    let Proof::Session(token) = &session else { panic!("a session") };
    let cookie = format!("qd_session={token}");
    assert_eq!(ask(&[("cookie", &cookie)]).await.status.as_u16(), 200);
    for wrong in [
        [("x-api-key", "qd_made-up-made-up-made-up")].as_slice(),
        &[("x-api-key", "short")],
        &[("authorization", "Bearer")],
        &[("authorization", "Bearer short")],
        &[("authorization", bearer), ("x-api-key", "qd_made-up-made-up-made-up")],
    ] {
        assert_eq!(ask(wrong).await.status.as_u16(), 401, "{wrong:?}");
        let with_session = [wrong, &[("cookie", cookie.as_str())]].concat();
        let answer = ask(&with_session).await.status.as_u16();
        assert_eq!(answer, 401, "a bad key never falls back to a session: {wrong:?}");
    }
    let basic = ask(&[("authorization", "Basic YTpi"), ("cookie", &cookie)]).await;
    assert_eq!(basic.status.as_u16(), 200, "a scheme that is not ours is a proxy's affair");
}

#[tokio::test]
async fn a_key_ends_with_its_time_its_revocation_and_its_owner() {
    for (kit, hand) in consoles().await {
        kit.signed_in("ada", Some((Role::Admin, None))).await;
        let expires_at = Some(START.plus(60 * 1_000_000));
        let of_ada = Key { owner: Some("ada"), capabilities: VIEW, ..Key::default() };
        let (_, short) = kit.key(Key { expires_at, ..of_ada.clone() }).await;
        let (id, revoked) = kit.key(of_ada.clone()).await;
        let (_, lasting) = kit.key(of_ada).await;
        for key in [&short, &revoked, &lasting] {
            assert_eq!(runs(&kit, key).await, 200);
        }
        hand.advance(Duration::from_mins(1));
        assert_eq!(runs(&kit, &short).await, 401);
        kit.change(Sql::new("UPDATE api_keys SET revoked_at = 1 WHERE id = ").arg(&id)).await;
        assert_eq!(runs(&kit, &revoked).await, 401);
        assert_eq!(runs(&kit, &lasting).await, 200);
        kit.disable("ada").await;
        assert_eq!(runs(&kit, &lasting).await, 401);
    }
}

#[tokio::test]
async fn a_key_has_the_smaller_of_its_own_rights_and_its_owners() {
    for (kit, _hand) in consoles().await {
        kit.signed_in("ada", Some((Role::Auditor, None))).await;
        let asked = [VIEW, &[Capability::OperationsManage, Capability::IdentityManage]].concat();
        let (_, key) =
            kit.key(Key { owner: Some("ada"), capabilities: &asked, ..Key::default() }).await;
        let me = kit.get_as(&key, "/api/v1/me").await.json();
        assert_eq!(
            me["capabilities"],
            json!(["platform.access_system_panel", "platform.operations.view"])
        );
        kit.grant("person", "ada", Role::Operator, None).await;
        let me = kit.get_as(&key, "/api/v1/me").await.json();
        assert_eq!(me["capabilities"].as_array().map(Vec::len), Some(3), "its owner's grew: {me}");
        let (_, narrow) =
            kit.key(Key { owner: Some("ada"), capabilities: &VIEW[..1], ..Key::default() }).await;
        assert_eq!(runs(&kit, &narrow).await, 403);
        kit.take_grants_of("ada").await;
        assert_eq!(runs(&kit, &key).await, 403);
        let me = kit.get_as(&key, "/api/v1/me").await.json();
        assert_eq!(me["isAuthorized"], json!(false));
    }
}

#[tokio::test]
async fn a_key_of_one_workspace_reaches_no_other() {
    for (kit, _hand) in consoles().await {
        kit.workspace(7, "seven").await;
        kit.signed_in("ada", Some((Role::Admin, None))).await;
        let of_ada =
            Key { owner: Some("ada"), capabilities: VIEW, workspace: Some(7), ..Key::default() };
        let (_, key) = kit.key(of_ada).await;
        let me = kit.get_as(&key, "/api/v1/me").await.json();
        assert_eq!(me["everything"], json!(false));
        assert_eq!(me["workspaces"], json!([{ "id": 7, "name": "seven" }]));
        kit.take_grants_of("ada").await;
        kit.grant("person", "ada", Role::Admin, Some(1)).await;
        assert_eq!(runs(&kit, &key).await, 403, "its owner has nothing there any more");
    }
}

#[tokio::test]
async fn a_key_without_an_owner_has_grants_of_its_own() {
    for (kit, _hand) in consoles().await {
        let (id, key) = kit.key(Key { capabilities: VIEW, ..Key::default() }).await;
        assert_eq!(runs(&kit, &key).await, 403);
        kit.grant("person", &id, Role::Admin, None).await;
        assert_eq!(
            runs(&kit, &key).await,
            403,
            "a person's grant is not a key's, whatever their ids"
        );
        kit.grant("api_key", &id, Role::Admin, None).await;
        assert_eq!(runs(&kit, &key).await, 200);
        assert_eq!(kit.get_as(&key, "/system/ops/runs").await.status.as_u16(), 200);
    }
}

#[tokio::test]
async fn use_of_a_key_is_written_once_a_minute_at_most() {
    for (kit, hand) in consoles().await {
        let (_, key) = kit.key(Key { capabilities: VIEW, ..Key::default() }).await;
        let used = async || {
            kit.get_as(&key, "/api/v1/me").await;
            kit.console.sessions.write_seen_now().await.expect("written");
            kit.count(Sql::new("SELECT used_at AS n FROM api_keys")).await
        };
        assert_eq!(used().await, START.0);
        hand.advance(Duration::from_secs(59));
        assert_eq!(used().await, START.0);
        hand.advance(Duration::from_secs(1));
        assert_eq!(used().await, START.0 + 60_000_000);
    }
}

#[tokio::test]
async fn refusals_of_a_key_name_it_and_its_owner() {
    let (kit, _hand) = console().await;
    kit.signed_in("ada", None).await;
    let (id, key) = kit.key(Key { owner: Some("ada"), capabilities: VIEW, ..Key::default() }).await;
    assert_eq!(runs(&kit, &key).await, 403);
    let sql = Sql::new("SELECT actor_kind, actor_id, on_behalf_of, decision FROM audit_log");
    let row = kit.console.db.fetch_one(sql).await.expect("one row");
    let text = |name| row.opt_text(name).expect("a text").unwrap_or_default();
    assert_eq!((text("actor_kind"), text("actor_id")), ("api_key".to_owned(), id));
    assert_eq!((text("on_behalf_of"), text("decision")), ("ada".to_owned(), "denied".to_owned()));
}

//! From signing in to the end: how long a session lasts, and what ends it.

use std::time::Duration;

use app::{identity::Role, time::Micros};
use http::Method;
use server::store::Sql;

use crate::{
    kit::{START, consoles},
    web_kit::{
        Kit,
        people::{PASSWORD, Proof},
    },
};

async fn status(kit: &Kit, proof: &Proof) -> u16 {
    kit.get_as(proof, "/api/v1/me").await.status.as_u16()
}

async fn seen_at(kit: &Kit) -> Micros {
    Micros(kit.count(Sql::new("SELECT MAX(seen_at) AS n FROM sessions")).await)
}

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn eight_hours_away_end_a_session() {
    for (kit, hand) in consoles().await {
        let (ada, bob) = (kit.signed_in("ada", None).await, kit.signed_in("bob", None).await);
        hand.advance(HOUR * 4);
        assert_eq!(status(&kit, &ada).await, 200);
        // Not written yet: being seen counts from the moment on.
        hand.advance(HOUR * 4);
        assert_eq!((status(&kit, &ada).await, status(&kit, &bob).await), (200, 401));
        kit.console.sessions.write_seen_now().await.expect("written");
        hand.advance(HOUR * 8);
        assert_eq!(status(&kit, &ada).await, 401);
        assert_eq!(kit.get_as(&ada, "/account").await.status.as_u16(), 303);
    }
}

#[tokio::test]
async fn after_a_day_one_proves_oneself_anew_however_busy() {
    for (kit, hand) in consoles().await {
        let ada = kit.signed_in("ada", None).await;
        for _ in 0..23 {
            hand.advance(HOUR);
            assert_eq!(status(&kit, &ada).await, 200);
        }
        hand.advance(Duration::from_secs(59 * 60 + 59));
        assert_eq!(status(&kit, &ada).await, 200);
        hand.advance(Duration::from_secs(1));
        assert_eq!(status(&kit, &ada).await, 401);
    }
}

#[tokio::test]
async fn being_seen_is_written_once_a_minute_at_most() {
    for (kit, hand) in consoles().await {
        let ada = kit.signed_in("ada", None).await;
        let sessions = &kit.console.sessions;
        for _ in 0..5 {
            hand.advance(Duration::from_secs(11));
            assert_eq!(status(&kit, &ada).await, 200);
            sessions.write_seen_now().await.expect("written");
            assert_eq!(seen_at(&kit).await, START, "55 s are no minute");
        }
        hand.advance(Duration::from_secs(5));
        assert_eq!(status(&kit, &ada).await, 200);
        assert_eq!(seen_at(&kit).await, START, "a request itself writes nothing");
        sessions.write_seen_now().await.expect("written");
        let minute = START.plus(60 * Micros::SECOND);
        assert_eq!(seen_at(&kit).await, minute);
        hand.advance(Duration::from_secs(59));
        assert_eq!(status(&kit, &ada).await, 200);
        sessions.write_seen_now().await.expect("written");
        assert_eq!(seen_at(&kit).await, minute);
    }
}

#[tokio::test]
async fn signing_out_ends_this_session_alone_and_clears_the_cookie() {
    for (kit, _hand) in consoles().await {
        kit.stranger("ada").await;
        let (here, there) = (kit.enter("ada").await, kit.enter("ada").await);
        let out = kit.form(&here, "/sign-out", &[]).await;
        assert_eq!((out.status.as_u16(), out.header("location")), (303, "/sign-in"));
        assert_eq!(out.session().as_deref(), Some(""));
        assert!(out.header("set-cookie").contains("Max-Age=0"), "{}", out.header("set-cookie"));
        assert_eq!((status(&kit, &here).await, status(&kit, &there).await), (401, 200));
        let delete =
            there.on(http::Request::builder().method(Method::DELETE).uri("/api/v1/session"));
        let out = kit.send(delete, "").await;
        assert_eq!((out.status.as_u16(), out.session().as_deref()), (204, Some("")));
        assert_eq!(status(&kit, &there).await, 401);
        let ended = kit.audited().await;
        assert_eq!(ended.len(), 2);
        assert!(ended.iter().all(|(action, _)| action == "identity.session.end"));
    }
}

#[tokio::test]
async fn a_disabled_person_is_out_at_once() {
    for (kit, _hand) in consoles().await {
        let ada = kit.signed_in("ada", Some((Role::Admin, None))).await;
        assert_eq!(kit.get_as(&ada, "/system/ops/runs").await.status.as_u16(), 200);
        kit.disable("ada").await;
        assert_eq!(status(&kit, &ada).await, 401);
        assert_eq!(kit.get_as(&ada, "/system/ops/runs").await.status.as_u16(), 303);
    }
}

#[tokio::test]
async fn a_grant_counts_from_the_next_request_on() {
    for (kit, _hand) in consoles().await {
        let ada = kit.signed_in("ada", None).await;
        let runs = async || kit.get_as(&ada, "/api/v1/operations").await.status.as_u16();
        assert_eq!(runs().await, 403);
        kit.grant("person", "ada", Role::Auditor, None).await;
        assert_eq!(runs().await, 200);
        kit.take_grants_of("ada").await;
        assert_eq!(runs().await, 403);
        kit.change(Sql::new("INSERT INTO person_groups (person_id, name) VALUES ('ada', 'ops')"))
            .await;
        kit.grant("group", "ops", Role::Operator, None).await;
        assert_eq!(runs().await, 200, "by a group of theirs");
        kit.change(Sql::new("DELETE FROM person_groups")).await;
        assert_eq!(runs().await, 403);
    }
}

/// A token that a browser had before signing in is worth nothing after it.
#[tokio::test]
async fn signing_in_always_gives_a_new_session() {
    for (kit, _hand) in consoles().await {
        kit.person("ada").await;
        let planted = Proof::Session("A".repeat(43));
        let typed = [("name", "ada"), ("password", PASSWORD)];
        let entered = kit.form(&planted, "/sign-in", &typed).await;
        assert_eq!(entered.status.as_u16(), 303);
        let given = entered.session().expect("a session");
        assert_eq!(given.len(), 43, "256 bits");
        assert_ne!(given, "A".repeat(43));
        assert_eq!(status(&kit, &planted).await, 401, "the planted one opens nothing");
        let first = Proof::Session(given.clone());
        let again = kit.form(&first, "/sign-in", &typed).await.session().expect("a session");
        assert_ne!(again, given);
    }
}

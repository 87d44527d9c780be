//! Sessions through a provider, in the store of both engines: how they begin, stay in step, and end.

use std::{sync::Arc, time::Duration};

use app::{
    error::{ApiError, SignInFailure},
    identity::{Caller, Capability, Gate},
};
use async_trait::async_trait;
use serde_json::{Value, json};
use server::{
    clock::{Clock, ManualClock, Rng},
    config::OidcConfig,
    identity::{
        oidc::{Arrived, Fate, Parts, Return, SignIn, SignInError},
        sessions::{Limits, Sessions},
    },
    store::{
        Db, Sql,
        testing::{Engine, engines_at},
    },
    vault::Vault,
};

use crate::{
    idp_kit::{Browser, Realm, query},
    kit::{self, BACK},
};

struct Quiet;

#[async_trait]
impl Gate for Quiet {
    async fn refused(&self, _: &Caller, _: Capability) {}
}

/// One replica of a console, with a provider of its own.
struct Stage {
    realm: Realm,
    engine: Engine,
    hand: ManualClock,
    console: SignIn,
    config: OidcConfig,
}

fn replica(db: &Db, config: &OidcConfig, seed: u64) -> SignIn {
    let clock = db.clock().clone();
    let rng = Rng::seeded(seed);
    let limits = Limits { idle: Duration::from_hours(8), lifetime: Duration::from_hours(24) };
    SignIn::new(Parts {
        oidc: kit::client(config.clone(), clock),
        db: db.clone(),
        vault: Vault::for_tests(),
        rng: rng.clone(),
        sessions: Arc::new(Sessions::new(db.clone(), rng, limits)),
        granted_groups: vec!["ops-admins".to_owned(), "ops-operators".to_owned()],
        home: "http://console.example/".to_owned(),
        base: String::new(),
        gate: Arc::new(Quiet),
    })
}

async fn stages(wishes: Value) -> Vec<Stage> {
    let mut stages = Vec::new();
    for (engine, hand) in engines_at(Clock::system().now()).await {
        let realm = Realm::new(BACK, wishes.clone()).await;
        let config = kit::config(&realm.issuer);
        let console = replica(&engine.db, &config, 3);
        stages.push(Stage { realm, engine, hand, console, config });
    }
    stages
}

fn coming<'a>(state: &'a str, code: &'a str, browser: Option<&'a str>) -> Return<'a> {
    Return {
        state,
        code,
        browser,
        address: "192.0.2.7".parse().ok(),
        device: Some("a browser"),
        request_id: "r-1",
    }
}

impl Stage {
    async fn arrive(&self, person: &str) -> Result<Arrived, SignInError> {
        let gone = self.console.depart(Some("/system/ops/runs"), None).await.expect("it answers");
        let back = Browser::default().sign_in(&gone.url, person).await;
        let (state, code) =
            (query(&back, "state").expect("one"), query(&back, "code").expect("one"));
        self.console.arrive(coming(&state, &code, Some(&gone.browser))).await
    }

    async fn one(&self, sql: &'static str) -> Option<String> {
        let row = self.engine.db.fetch_optional(Sql::new(sql)).await.expect("a statement");
        row.and_then(|row| row.opt_text("it").expect("text"))
    }

    async fn groups(&self) -> Vec<String> {
        let sql = Sql::new("SELECT name FROM person_groups ORDER BY name");
        let rows = self.engine.db.fetch_all(sql).await.expect("a statement");
        rows.iter().map(|row| row.text("name").expect("text")).collect()
    }

    /// Why the session ended, when it did.
    async fn ended(&self) -> Option<String> {
        self.one("SELECT ended_why AS it FROM sessions").await
    }

    async fn renew(&self) -> Vec<Fate> {
        self.console.renew_due().await.expect("a round")
    }
}

#[tokio::test]
async fn whoever_a_role_is_given_to_gets_a_session() {
    for stage in stages(json!({})).await {
        let arrived = stage.arrive("alice").await.expect("an admin");
        assert_eq!(arrived.to.as_deref(), Some("/system/ops/runs"));
        assert_eq!(stage.groups().await, ["everyone", "ops-admins"]);
        let name = stage.one("SELECT display_name AS it FROM people").await;
        assert_eq!(name.as_deref(), Some("Alice Example"));
        let action = "SELECT action AS it FROM audit_log ORDER BY seq DESC LIMIT 1";
        assert_eq!(stage.one(action).await.as_deref(), Some("identity.session.begin"));
        stage.arrive("alice").await.expect("again");
        let people = stage.one("SELECT CAST(COUNT(*) AS TEXT) AS it FROM people").await;
        assert_eq!(people.as_deref(), Some("1"), "the same person");
        // Nothing of the provider's lies about in the clear.
        let sql = Sql::new("SELECT tokens FROM sessions");
        for row in stage.engine.db.fetch_all(sql).await.expect("a statement") {
            let sealed = row.bytes("tokens").expect("sealed");
            for token in stage.realm.tokens().await {
                let bytes = token.as_bytes();
                assert!(!sealed.windows(bytes.len()).any(|part| part == bytes));
            }
        }
    }
}

#[tokio::test]
async fn whoever_nothing_is_granted_to_is_known_and_not_let_in() {
    for stage in stages(json!({})).await {
        let refused = stage.arrive("nobody").await.expect_err("nothing is granted");
        let said = ApiError::from(refused);
        assert_eq!(said, ApiError::SignInFailed(SignInFailure::NotAuthorized));
        assert_eq!(said.status(), 403);
        assert_eq!(stage.one("SELECT id AS it FROM sessions").await, None);
        let name = stage.one("SELECT display_name AS it FROM people").await;
        assert_eq!(name.as_deref(), Some("Nora Nobody"));
        let action = "SELECT action AS it FROM audit_log ORDER BY seq DESC LIMIT 1";
        assert_eq!(stage.one(action).await.as_deref(), Some("identity.session.refuse"));
        let mut tx = stage.engine.db.begin().await.expect("a transaction");
        let grant = Sql::new(
            "INSERT INTO grants (id, subject_kind, subject_id, role, created_at, created_by_id, created_by_name) \
             VALUES ('g', 'group', 'everyone', 'auditor', 1, 'x', 'x')",
        );
        tx.execute(grant).await.expect("a grant");
        tx.commit(Vec::new()).await.expect("committed");
        stage.arrive("nobody").await.expect("a group of theirs is granted something now");
        let mut tx = stage.engine.db.begin().await.expect("a transaction");
        tx.execute(Sql::new("UPDATE people SET disabled_at = 1")).await.expect("disabled");
        tx.commit(Vec::new()).await.expect("committed");
        stage.arrive("nobody").await.expect_err("disabled here");
    }
}

#[tokio::test]
async fn a_return_counts_once_in_the_browser_that_left_and_for_ten_minutes() {
    for stage in stages(json!({})).await {
        let console = &stage.console;
        let gone = console.depart(None, None).await.expect("it answers");
        let back = Browser::default().sign_in(&gone.url, "alice").await;
        let (state, code) =
            (query(&back, "state").expect("one"), query(&back, "code").expect("one"));
        let lost = |result: Result<Arrived, SignInError>, why: &str| match result {
            Err(SignInError::FlowLost) => {}
            other => panic!("{why}: {other:?}"),
        };
        let mine = Some(gone.browser.as_str());
        lost(console.arrive(coming("invented", &code, mine)).await, "a state that nobody has");
        console.arrive(coming(&state, &code, mine)).await.expect("the first time");
        lost(console.arrive(coming(&state, &code, mine)).await, "the second time");
        for other in [None, Some("another browser's cookie")] {
            let gone = console.depart(None, None).await.expect("it answers");
            let state = query(&gone.url, "state").expect("one");
            lost(console.arrive(coming(&state, &code, other)).await, "another browser");
            lost(
                console.arrive(coming(&state, &code, Some(&gone.browser))).await,
                "then it is spent",
            );
        }
        let gone = console.depart(None, None).await.expect("it answers");
        stage.hand.advance(Duration::from_secs(601));
        let state = query(&gone.url, "state").expect("one");
        lost(console.arrive(coming(&state, &code, Some(&gone.browser))).await, "after ten minutes");
    }
}

#[tokio::test]
async fn two_tabs_may_be_on_their_way_at_once() {
    for stage in stages(json!({})).await {
        let one = stage.console.depart(Some("/a"), None).await.expect("it answers");
        let two = stage.console.depart(Some("/b"), Some(&one.browser)).await.expect("it answers");
        assert_eq!(one.browser, two.browser);
        for (gone, to) in [(&two, "/b"), (&one, "/a")] {
            let back = Browser::default().sign_in(&gone.url, "alice").await;
            let (state, code) =
                (query(&back, "state").expect("one"), query(&back, "code").expect("one"));
            let arrived = stage.console.arrive(coming(&state, &code, Some(&one.browser))).await;
            assert_eq!(arrived.expect("each tab").to.as_deref(), Some(to));
        }
    }
}

#[tokio::test]
async fn short_tokens_are_renewed_again_and_again() {
    for stage in stages(json!({"ttl": {"access": 120, "id": 120}})).await {
        stage.arrive("alice").await.expect("alice");
        assert_eq!(stage.renew().await, [], "nothing is due yet");
        for _ in 0..5 {
            stage.hand.advance(Duration::from_secs(70));
            // The provider's clock is the machine's; a token of two minutes would be in our past.
            stage.realm.change(json!({"ttl": {"access": 120, "id": 7200}})).await;
            assert_eq!(stage.renew().await, [Fate::Renewed]);
            assert_eq!(stage.renew().await, [], "and then not at once again");
        }
        assert_eq!(stage.ended().await, None);
    }
}

#[tokio::test]
async fn other_groups_at_the_provider_are_other_groups_here() {
    for stage in stages(json!({})).await {
        stage.arrive("alice").await.expect("alice");
        let epoch = "SELECT CAST(epoch AS TEXT) AS it FROM identity_epoch";
        let before = stage.one(epoch).await;
        stage.realm.change(json!({"people": {"alice": {"groups": ["ops-operators"]}}})).await;
        stage.hand.advance(Duration::from_mins(14));
        assert_eq!(stage.renew().await, [], "a quarter of an hour is not over");
        stage.hand.advance(Duration::from_secs(61));
        assert_eq!(stage.renew().await, [Fate::Renewed]);
        assert_eq!(stage.groups().await, ["ops-operators"]);
        assert_ne!(stage.one(epoch).await, before, "open streams look again");
        stage.realm.change(json!({"people": {"alice": {"groups": ["everyone"]}}})).await;
        stage.hand.advance(Duration::from_secs(901));
        assert_eq!(stage.renew().await, [Fate::Ended]);
        assert_eq!(stage.ended().await.as_deref(), Some("not_authorized"));
    }
}

#[tokio::test]
async fn whoever_was_disabled_at_the_provider_loses_the_session_with_a_reason() {
    for stage in stages(json!({})).await {
        stage.arrive("alice").await.expect("alice");
        stage.realm.change(json!({"people": {"alice": {"disabled": true}}})).await;
        stage.hand.advance(Duration::from_secs(901));
        assert_eq!(stage.renew().await, [Fate::Ended]);
        assert_eq!(stage.ended().await.as_deref(), Some("provider_refused"));
        let reason = "SELECT reason AS it FROM audit_log WHERE action = 'identity.session.end'";
        assert_eq!(stage.one(reason).await.as_deref(), Some("provider_refused"));
        let tokens = Sql::new("SELECT tokens FROM sessions");
        let row = stage.engine.db.fetch_one(tokens).await.expect("a session");
        assert_eq!(row.opt_bytes("tokens").expect("bytes"), None, "nothing is kept of it");
    }
}

#[tokio::test]
async fn a_provider_that_is_down_costs_nobody_the_session_for_an_hour() {
    for stage in stages(json!({})).await {
        stage.arrive("alice").await.expect("alice");
        stage.realm.faults(json!({"legs": {"token": {"down": true}}})).await;
        stage.hand.advance(Duration::from_secs(901));
        assert_eq!(stage.renew().await, [Fate::PutOff]);
        assert_eq!(stage.renew().await, [], "it is left in peace for a while");
        stage.hand.advance(Duration::from_mins(40));
        assert_eq!(stage.renew().await, [Fate::PutOff]);
        assert_eq!(stage.ended().await, None);
        stage.realm.faults(json!({})).await;
        stage.realm.change(json!({"ttl": {"id": 7200}})).await;
        stage.hand.advance(Duration::from_mins(1));
        assert_eq!(stage.renew().await, [Fate::Renewed], "it is up again");
        stage.realm.faults(json!({"legs": {"token": {"down": true}}})).await;
        stage.hand.advance(Duration::from_secs(3601));
        assert_eq!(stage.renew().await, [Fate::Ended]);
        assert_eq!(stage.ended().await.as_deref(), Some("provider_unreachable"));
    }
}

#[tokio::test]
async fn a_lost_answer_ends_one_session_and_says_why() {
    for stage in stages(json!({})).await {
        stage.arrive("alice").await.expect("alice");
        stage.realm.faults(json!({"legs": {"token": {"lose": true}}})).await;
        stage.hand.advance(Duration::from_secs(901));
        assert_eq!(stage.renew().await, [Fate::PutOff], "it may have been nothing");
        stage.realm.faults(json!({})).await;
        stage.hand.advance(Duration::from_mins(1));
        assert_eq!(stage.renew().await, [Fate::Ended]);
        assert_eq!(stage.ended().await.as_deref(), Some("provider_refused"));
        stage.arrive("alice").await.expect("and may come in again");
    }
}

#[tokio::test]
async fn replicas_never_use_a_refresh_token_twice() {
    for stage in stages(json!({})).await {
        stage.arrive("alice").await.expect("alice");
        let second = replica(&stage.engine.again().await, &stage.config, 4);
        second.depart(None, None).await.expect("both know the provider");
        for _ in 0..3 {
            stage.hand.advance(Duration::from_secs(901));
            let (one, two) = tokio::join!(stage.console.renew_due(), second.renew_due());
            let mut fates = one.expect("a round");
            fates.extend(two.expect("a round"));
            let renewed = fates.iter().filter(|fate| **fate == Fate::Renewed).count();
            assert_eq!(renewed, 1, "{fates:?}");
            assert_eq!(stage.ended().await, None);
        }
    }
}

#[tokio::test]
async fn who_is_away_too_long_is_not_kept_alive() {
    for stage in stages(json!({})).await {
        stage.arrive("alice").await.expect("alice");
        let asked = stage.realm.calls("token").await;
        stage.hand.advance(Duration::from_hours(8));
        assert_eq!(stage.renew().await, []);
        assert_eq!(stage.realm.calls("token").await, asked);
    }
}

#[tokio::test]
async fn a_logout_at_the_provider_ends_what_it_is_about_once() {
    let client = json!({"client": {"backchannel_logout_session_required": true,
        "backchannel_logout_uri": "http://127.0.0.1:1/"}});
    for stage in stages(client).await {
        stage.arrive("alice").await.expect("alice");
        stage.arrive("alice").await.expect("alice in another browser");
        stage.arrive("oscar").await.expect("oscar");
        let live = "SELECT CAST(COUNT(*) AS TEXT) AS it FROM sessions WHERE ended_at IS NULL";
        let sid = "SELECT provider_session AS it FROM sessions s JOIN people p ON p.id = s.person_id \
                   WHERE p.display_name LIKE 'Alice%' LIMIT 1";
        let sid = stage.one(sid).await.expect("the provider names its sessions");
        let token = stage.realm.logout_token(json!({ "sid": sid })).await;
        assert_eq!(stage.console.log_out(&token).await.expect("a logout"), 1);
        assert_eq!(stage.one(live).await.as_deref(), Some("2"));
        stage.console.log_out(&token).await.expect_err("it was heard");
        let token = stage.realm.logout_token(json!({"sub": "alice"})).await;
        let all = stage.console.log_out(&token).await.expect("a logout");
        assert_eq!(all, 1, "her other session");
        assert_eq!(stage.one(live).await.as_deref(), Some("1"), "oscar stays");
        let token = stage.realm.logout_token(json!({"sub": "somebody-else"})).await;
        assert_eq!(stage.console.log_out(&token).await.expect("a logout"), 0);
    }
}

#[tokio::test]
async fn a_logout_token_that_proves_nothing_ends_nothing() {
    for stage in stages(json!({})).await {
        stage.arrive("alice").await.expect("alice");
        for wrong in [
            json!({"sub": "alice", "set": {"aud": "somebody-else"}}),
            json!({"sub": "alice", "set": {"iss": "https://evil.example"}}),
            json!({"sub": "alice", "set": {"nonce": "n"}}),
            json!({"sub": "alice", "remove": ["events"]}),
            json!({"sub": "alice", "set": {"events": {"http://else.example": {}}}}),
            json!({"sub": "alice", "remove": ["iat"]}),
            json!({"sub": "alice", "remove": ["jti"]}),
            json!({"sub": "alice", "remove": ["aud"]}),
            json!({"sub": "alice", "shift": {"iat": -3600}}),
            json!({"sub": "alice", "shift": {"exp": -3600}}),
            json!({"sub": "alice", "shift": {"iat": 600}}),
            json!({"sub": "alice", "sign": "none"}),
            json!({"sub": "alice", "sign": "hs256-public"}),
            json!({"sub": "alice", "sign": "hs256-secret"}),
            json!({"sub": "alice", "sign": "stranger"}),
            json!({"sub": "alice", "sign": "unknown-kid"}),
            json!({"sub": "alice", "sign": "cut"}),
            json!({"sub": "alice", "typ": "at+jwt"}),
            json!({}),
        ] {
            let token = stage.realm.logout_token(wrong.clone()).await;
            match stage.console.log_out(&token).await {
                Err(SignInError::Provider(_)) => {}
                other => panic!("{wrong}: {other:?}"),
            }
        }
        for garbage in ["", ".", "..", "a.b.c", "é.é.é", &"x".repeat(100_000)] {
            stage.console.log_out(garbage).await.expect_err("garbage");
        }
        assert_eq!(stage.ended().await, None);
        let token = stage.realm.logout_token(json!({"sub": "alice"})).await;
        assert_eq!(stage.console.log_out(&token).await.expect("an honest one"), 1);
    }
}

#[tokio::test]
async fn the_id_token_is_the_hint_at_the_providers_own_sign_out() {
    for stage in stages(json!({})).await {
        stage.arrive("alice").await.expect("alice");
        let id = stage.one("SELECT id AS it FROM sessions").await.expect("a session");
        let out = stage.console.end_session_url(&id).await.expect("an address");
        assert_eq!(
            query(&out, "post_logout_redirect_uri").as_deref(),
            Some("http://console.example/")
        );
        let asked = stage.realm.calls("discovery").await;
        stage.realm.faults(json!({"legs": {"discovery": {"down": true}}})).await;
        stage.hand.advance(Duration::from_hours(2));
        stage.console.end_session_url(&id).await.expect("its address is known");
        assert_eq!(stage.realm.calls("discovery").await, asked, "nobody waits for it");
        assert_eq!(stage.console.end_session_url("nobody's").await, None);
        let hint = query(&out, "id_token_hint").expect("a hint");
        assert!(stage.realm.tokens().await.contains(&hint));
    }
}

//! Streams that stay open: whoever lost a right does not go on listening.

use std::time::Duration;

use app::{
    identity::{Capability, Role},
    time::Micros,
};
use axum::body::{Body, BodyDataStream};
use futures::StreamExt as _;
use http::Request;
use server::{
    journal::events::{News, publish},
    store::Sql,
};

use tokio::task::JoinSet;

use crate::{
    kit::{START, console, consoles},
    web_kit::{
        Kit,
        people::{Key, Proof},
    },
};

async fn listen(kit: &Kit, proof: &Proof) -> BodyDataStream {
    let request = proof.on(Request::get("/events/stream"));
    let response = kit.open("127.0.0.1", request, Body::empty()).await;
    assert_eq!(response.status().as_u16(), 200);
    let mut stream = response.into_body().into_data_stream();
    let greeting = next(&mut stream).await.expect("a greeting");
    assert!(greeting.contains("retry"), "{greeting}");
    stream
}

/// What comes next; none when the stream has ended. A minute is the end of all patience.
async fn next(stream: &mut BodyDataStream) -> Option<String> {
    let next = tokio::time::timeout(Duration::from_mins(1), stream.next()).await;
    let bytes = next.expect("the stream goes on or ends")?.expect("a body");
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

async fn tell(kit: &Kit, id: &str, workspace_id: i64) {
    let news = News {
        topic: "operations",
        kind: "OPERATION_UPDATED",
        id: id.to_owned(),
        capability: Capability::OperationsView,
        workspace_id,
    };
    let mut tx = kit.console.db.begin().await.expect("a transaction");
    publish(&mut tx, news).await.expect("published");
    tx.commit(Vec::new()).await.expect("committed");
    kit.console.feed.turn().await.expect("numbered");
}

/// As the console does every two seconds.
async fn look(kit: &Kit) {
    kit.console.epochs.look().await.expect("the store answers");
}

#[tokio::test]
async fn a_stream_ends_with_what_it_was_opened_with() {
    for (kit, _hand) in consoles().await {
        kit.signed_in("ada", Some((Role::Admin, None))).await;
        let of_ada = || Key { owner: Some("ada"), capabilities: Capability::ALL, ..Key::default() };
        let session = kit.enter("ada").await;
        let mut stream = listen(&kit, &session).await;
        assert_eq!(kit.form(&session, "/sign-out", &[]).await.status.as_u16(), 303);
        look(&kit).await;
        assert_eq!(next(&mut stream).await, None, "signed out");

        let (id, key) = kit.key(of_ada()).await;
        let mut stream = listen(&kit, &key).await;
        kit.change(Sql::new("UPDATE api_keys SET revoked_at = 1 WHERE id = ").arg(&id)).await;
        look(&kit).await;
        assert_eq!(next(&mut stream).await, None, "the key was revoked");

        let session = kit.enter("ada").await;
        let (_, key) = kit.key(of_ada()).await;
        let mut streams = [listen(&kit, &session).await, listen(&kit, &key).await];
        kit.disable("ada").await;
        look(&kit).await;
        for stream in &mut streams {
            assert_eq!(next(stream).await, None, "disabled");
        }
    }
}

#[tokio::test]
async fn without_the_grant_the_stream_says_nothing_more() {
    for (kit, _hand) in consoles().await {
        kit.workspace(7, "seven").await;
        let ada = kit.signed_in("ada", Some((Role::Auditor, None))).await;
        let mut stream = listen(&kit, &ada).await;
        tell(&kit, "first", 1).await;
        assert!(next(&mut stream).await.expect("news").contains("\"first\""));
        kit.take_grants_of("ada").await;
        look(&kit).await;
        tell(&kit, "second", 1).await;
        kit.grant("person", "ada", Role::Auditor, Some(7)).await;
        look(&kit).await;
        tell(&kit, "third", 1).await;
        tell(&kit, "fourth", 7).await;
        let heard = next(&mut stream).await.expect("news");
        assert!(heard.contains("\"fourth\""), "{heard}");
    }
}

/// Sessions end by themselves, too, and no epoch tells of it.
#[tokio::test]
async fn a_stream_does_not_outlive_its_session_nor_keep_it_alive() {
    let (kit, hand) = console().await;
    let ada = kit.signed_in("ada", Some((Role::Auditor, None))).await;
    let mut stream = listen(&kit, &ada).await;
    let clock = kit.console.clock.clone();
    let mut listener = JoinSet::new();
    listener.spawn(async move {
        while next(&mut stream).await.is_some() {}
        clock.now()
    });
    let over = START.plus(9 * 3600 * Micros::SECOND);
    let ended = tokio::time::timeout(Duration::from_mins(1), async {
        loop {
            tokio::select! {
                biased;
                ended = listener.join_next() => break ended,
                () = tokio::task::yield_now() => if kit.console.clock.now().since(over) < 0 {
                    hand.advance(Duration::from_secs(15));
                }
            }
        }
    });
    let ended = ended.await.expect("it ends").expect("one listener").expect("no panic");
    assert!(ended.since(START) >= 8 * 3600 * Micros::SECOND, "it went on while the session did");
    assert_eq!(kit.get_as(&ada, "/api/v1/me").await.status.as_u16(), 401);
}

/// The sign-out falls between the moment the listener is known and the moment it listens.
#[tokio::test]
async fn a_change_while_a_stream_opens_is_not_missed() {
    let (kit, _hand) = console().await;
    let ada = kit.signed_in("ada", Some((Role::Auditor, None))).await;
    let request = ada.on(Request::get("/events/stream"));
    let response = kit.open("127.0.0.1", request, Body::empty()).await;
    kit.form(&ada, "/sign-out", &[]).await;
    // Nobody looks at the epoch: the stream itself asks once more when it begins.
    let mut stream = response.into_body().into_data_stream();
    assert!(next(&mut stream).await.expect("a greeting").contains("retry"));
    assert_eq!(next(&mut stream).await, None);
}

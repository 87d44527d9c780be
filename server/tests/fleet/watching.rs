//! An open page's line to the news keeps going what the page shows, in the process that has the line: of clusters that
//! its reader may see, and of those alone.

use app::{
    fleet::watched::{Kind, WatchState, topic},
    identity::Role,
};
use axum::body::Body;
use http::Request;
use serde_json::json;
use server::store::testing::eventually;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    id, nowhere, token,
    web_kit::{Kit, Who, people::Proof},
};

/// What the line answers at first; the line is let go.
async fn listen(kit: &Kit, proof: &Proof, query: &str) -> u16 {
    let request = proof.on(Request::get(format!("/events/stream?{query}")));
    kit.open("127.0.0.1", request, Body::empty()).await.status().as_u16()
}

fn is_watched(kit: &Kit, cluster: &str, kind: Kind) -> bool {
    let uuid = Uuid::parse_str(cluster).expect("an id");
    kit.console.watches.of(uuid, 1).status(kind).state != WatchState::Stopped
}

#[tokio::test]
async fn a_line_has_watched_what_its_page_shows() {
    let kit = Kit::new(Who::Real).await;
    kit.workspace(7, "seven").await;
    let admin = kit.signed_in("admin", Some((Role::Admin, None))).await;
    let theirs = kit.signed_in("theirs", Some((Role::Auditor, Some(7)))).await;
    let mut made = Vec::new();
    for name in ["ours", "hidden"] {
        let new = json!({ "name": name, "api_server_url": nowhere(), "credentials": token() });
        made.push(id(&kit.json_as(&admin, "/api/v1/clusters", new).await.json()));
    }
    let (ours, hidden) = (&made[0], &made[1]);
    let stop = CancellationToken::new();
    let watches = kit.console.watches.clone();
    let mut beside = JoinSet::new();
    beside.spawn({
        let stop = stop.clone();
        async move { watches.run(stop).await }
    });
    // Not there, and not yours, are one answer: a line, and nothing else.
    let nobody = Uuid::nil().to_string();
    for cluster in [hidden, &nobody] {
        let query = format!("watch={}", topic(cluster, Kind::Pods));
        assert_eq!(listen(&kit, &theirs, &query).await, 200);
    }
    let (pods, nodes) = (topic(ours, Kind::Pods), topic(ours, Kind::Nodes));
    assert_eq!(listen(&kit, &admin, &format!("watch={pods}&watch={nodes}&after=0")).await, 200);
    for kind in [Kind::Pods, Kind::Nodes] {
        eventually("it is watched", async || {
            tokio::task::yield_now().await;
            Ok(is_watched(&kit, ours, kind).then_some(()))
        })
        .await;
    }
    // What was asked for is begun in turn, so these would have been before.
    assert!(!is_watched(&kit, hidden, Kind::Pods), "whoever may not see it has nothing watched");
    assert!(!is_watched(&kit, ours, Kind::Events), "nobody asked for these");
    let many = vec![format!("watch={pods}"); 2 * Kind::ALL.len() + 1].join("&");
    for bad in ["watch=", "watch=pods", "watch=cluster:x:secrets", "colour=red", &many] {
        assert_eq!(listen(&kit, &admin, bad).await, 422, "{bad}");
    }
    stop.cancel();
    let ended = beside.join_next().await.expect("a task").expect("no panic");
    ended.expect("it ends in peace");
}

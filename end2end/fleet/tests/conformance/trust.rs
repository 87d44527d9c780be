//! `expired-token` and `rotate-ca`: a credential that is refused, and a server that is not trusted.

use futures::StreamExt;
use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, Client,
    api::{ListParams, WatchParams},
};

use crate::{
    practice::{LAGOON, LIMIT, admin, client, eventually_in, fleet, viewer},
    scenes::{LINK, scene},
};

async fn nodes(client: Client) -> kube::Result<usize> {
    Ok(Api::<Node>::all(client).list(&ListParams::default()).await?.items.len())
}

#[tokio::test]
async fn expired_token_refuses_the_viewer_alone_and_undo_takes_the_same_token_again() {
    let _link = LINK.lock().await;
    assert_eq!(nodes(viewer(LAGOON).await).await.expect("before"), 3);

    scene("expired-token", LAGOON, false);
    let refused = nodes(viewer(LAGOON).await).await.expect_err("refused");
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 401), "{refused:?}");
    assert_eq!(nodes(admin(LAGOON).await).await.expect("the admin is not touched"), 3);
    // Played twice is played once.
    scene("expired-token", LAGOON, false);

    scene("expired-token", LAGOON, true);
    assert_eq!(nodes(viewer(LAGOON).await).await.expect("the token of before"), 3);
}

#[tokio::test]
async fn rotate_ca_is_trusted_by_nobody_outside_until_its_authority_is_known() {
    let _link = LINK.lock().await;
    let open = viewer(LAGOON).await;
    assert_eq!(nodes(open.clone()).await.expect("before"), 3);

    scene("rotate-ca", LAGOON, false);
    // By a new client, and by one that could resume an older session.
    for client in [viewer(LAGOON).await, open.clone()] {
        let untrusted = nodes(client).await.expect_err("another authority");
        assert!(format!("{untrusted:?}").contains("UnknownIssuer"), "{untrusted:?}");
    }
    let repaired = fleet().clusters[LAGOON].folder().join("rotated.kubeconfig");
    assert_eq!(nodes(client(&repaired).await).await.expect("the new authority is known"), 3);

    scene("rotate-ca", LAGOON, true);
    assert_eq!(nodes(viewer(LAGOON).await).await.expect("as before"), 3);
    assert!(!repaired.exists());
    eventually_in("the open client to find its way back", async || {
        nodes(open.clone()).await.map(Some)
    })
    .await;
}

#[tokio::test]
async fn api_restart_ends_every_watch_and_the_server_is_back_with_all_it_knew() {
    let _link = LINK.lock().await;
    let client = admin(LAGOON).await;
    let all = Api::<Node>::all(client.clone());
    let from = all.list(&ListParams::default()).await.expect("a list").metadata.resource_version;
    let watch = WatchParams::default().fields("metadata.name=nobody").timeout(280);
    let mut events = all.watch(&watch, &from.expect("a version")).await.expect("a watch").boxed();
    scene("api-restart", LAGOON, false);
    let end = tokio::time::timeout(LIMIT, events.next()).await.expect("the watch ends");
    assert!(!matches!(end, Some(Ok(_))), "{end:?}");
    assert_eq!(nodes(client).await.expect("it answers again"), 3);
}

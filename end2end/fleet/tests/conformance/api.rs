//! Lists, pages, watches, patches: the API as every client of Kubernetes uses it.

use std::collections::BTreeSet;

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, Node, Pod};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
};
use serde_json::json;

use crate::practice::{HARBOUR, LIMIT, admin, eventually_in};

/// A config map that no other test knows.
async fn own_config_map(client: &Client, name: &str) -> Api<ConfigMap> {
    let maps = Api::<ConfigMap>::namespaced(client.clone(), "sandbox");
    let map = json!({ "metadata": { "name": name }, "data": { "turn": "0" } });
    let map: ConfigMap = serde_json::from_value(map).expect("a config map");
    maps.create(&PostParams::default(), &map).await.expect("created");
    maps
}

/// The next event of a watch, or nothing when the server has closed it.
pub async fn next<K>(
    events: &mut (impl Stream<Item = kube::Result<WatchEvent<K>>> + Unpin),
) -> Option<kube::Result<WatchEvent<K>>> {
    tokio::time::timeout(LIMIT, events.next()).await.expect("the watch says something in time")
}

#[tokio::test]
async fn a_list_names_the_teams() {
    let namespaces = Api::<Namespace>::all(admin(HARBOUR).await);
    let all = namespaces.list(&ListParams::default()).await.expect("a list");
    let names: BTreeSet<_> = all.iter().map(ResourceExt::name_any).collect();
    for team in ["payments", "search", "platform", "agents", "ml"] {
        assert!(names.contains(team), "{team} is missing in {names:?}");
    }
    assert!(all.metadata.resource_version.is_some());
}

#[tokio::test]
async fn pages_add_up_to_the_list() {
    let namespaces = Api::<Namespace>::all(admin(HARBOUR).await);
    let whole: Vec<_> = namespaces.list(&ListParams::default()).await.expect("a list").items;
    let (mut names, mut params, mut pages) = (Vec::new(), ListParams::default().limit(4), 0);
    loop {
        let page = namespaces.list(&params).await.expect("a page");
        assert!(page.items.len() <= 4);
        names.extend(page.iter().map(ResourceExt::name_any));
        pages += 1;
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => break,
        }
    }
    assert!(pages >= 3, "{pages} pages of 4");
    assert_eq!(names, whole.iter().map(ResourceExt::name_any).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_watch_tells_changes_and_bookmarks() {
    let client = admin(HARBOUR).await;
    let maps = own_config_map(&client, "watched").await;
    let from =
        maps.get("watched").await.expect("it is there").resource_version().expect("a version");
    // The server sends a bookmark two seconds before the end that the client asks for.
    let params = WatchParams::default().fields("metadata.name=watched").timeout(6);
    let mut events = maps.watch(&params, &from).await.expect("a watch").boxed();
    patch_turn(&maps, "watched", "1").await;

    let (mut told, mut bookmark) = (None, None);
    while let Some(event) = next(&mut events).await {
        match event.expect("an event") {
            WatchEvent::Modified(map) => told = map.resource_version(),
            WatchEvent::Bookmark(mark) => bookmark = Some(mark.metadata.resource_version),
            other => panic!("{other:?}"),
        }
    }
    let told: u64 = told.expect("the change is told").parse().expect("a number");
    let marked: u64 = bookmark.expect("a bookmark before the end").parse().expect("a number");
    assert!(marked >= told, "the bookmark {marked} is behind the change {told}");
}

#[tokio::test]
async fn a_streaming_list_ends_with_its_mark() {
    let nodes = Api::<Node>::all(admin(HARBOUR).await);
    let params = WatchParams::default().initial_events();
    let mut events = nodes.watch(&params, "").await.expect("a watch").boxed();
    let mut count = 0;
    loop {
        match next(&mut events).await.expect("the watch goes on").expect("an event") {
            WatchEvent::Added(_) => count += 1,
            WatchEvent::Modified(_) => {}
            WatchEvent::Bookmark(mark) => {
                assert_eq!(
                    mark.metadata.annotations.get("k8s.io/initial-events-end"),
                    Some(&"true".to_owned())
                );
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(count, 3);
}

async fn patch_turn(maps: &Api<ConfigMap>, name: &str, turn: &str) {
    let patch = Patch::Merge(json!({ "data": { "turn": turn } }));
    maps.patch(name, &PatchParams::default(), &patch).await.expect("patched");
}

#[tokio::test]
async fn a_patch_with_an_old_version_is_a_conflict() {
    let client = admin(HARBOUR).await;
    let maps = own_config_map(&client, "patched").await;
    let old = maps.get("patched").await.expect("it is there").resource_version();
    patch_turn(&maps, "patched", "1").await;

    let late =
        Patch::Merge(json!({ "metadata": { "resourceVersion": old }, "data": { "turn": "2" } }));
    let error =
        maps.patch("patched", &PatchParams::default(), &late).await.expect_err("it is too late");
    assert!(matches!(error, kube::Error::Api(status) if status.code == 409));
    assert_eq!(maps.get("patched").await.expect("it is there").data.expect("data")["turn"], "1");
}

#[tokio::test]
async fn two_appliers_of_one_field_are_told_of_each_other() {
    let client = admin(HARBOUR).await;
    let maps = Api::<ConfigMap>::namespaced(client, "sandbox");
    let wish = |value: &str| {
        Patch::Apply(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "applied" }, "data": { "owner": value },
        }))
    };
    maps.patch("applied", &PatchParams::apply("first"), &wish("first")).await.expect("applied");
    let error = maps.patch("applied", &PatchParams::apply("second"), &wish("second")).await;
    let kube::Error::Api(status) = error.expect_err("the field has an owner") else {
        panic!("not the API server's word")
    };
    assert_eq!(status.code, 409);
    assert!(status.message.contains("first"), "{}", status.message);
}

#[tokio::test]
async fn a_field_selector_finds_warnings() {
    let events = Api::<Event>::all(admin(HARBOUR).await);
    let warnings = ListParams::default().fields("type=Warning");
    let found = eventually_in("warning events", async || {
        let found = events.list(&warnings).await?;
        Ok((!found.items.is_empty()).then_some(found))
    });
    assert!(found.await.iter().all(|event| event.type_.as_deref() == Some("Warning")));
}

#[tokio::test]
async fn metadata_alone_can_be_listed() {
    let pods = Api::<Pod>::all(admin(HARBOUR).await);
    let all = pods.list_metadata(&ListParams::default().limit(5)).await.expect("a list");
    assert_eq!(all.items.len(), 5);
}

//! What the API server has forgotten: a page and a watch from before a compaction are 410, and a new list resumes both.
//!
//! Events serve, because the API server has no watch cache for them: what etcd has forgotten is gone at once, as it is for
//! every kind some minutes later.

use futures::StreamExt;
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, PostParams, WatchEvent, WatchParams},
};
use serde_json::json;

use crate::{
    api::next,
    practice::{HARBOUR, admin, eventually_in, fleet},
};

/// Something to tell in the namespace that only these tests use.
async fn note(client: &Client, name: &str) -> String {
    let event: Event = serde_json::from_value(json!({
        "metadata": { "name": name },
        "involvedObject": { "apiVersion": "v1", "kind": "Namespace", "name": "default", "namespace": "default" },
        "type": "Normal", "reason": "Noted", "message": name,
    }))
    .expect("an event");
    let events = Api::<Event>::namespaced(client.clone(), "default");
    events
        .create(&PostParams::default(), &event)
        .await
        .expect("created")
        .resource_version()
        .expect("a version")
}

/// Makes etcd forget all that was before a version, as the API server asks of it every five minutes.
async fn forget_before(version: &str) {
    let url = format!("{}/v3/kv/compaction", fleet().etcd);
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    eventually_in("etcd to compact", async || {
        let answer =
            http.post(&url).json(&json!({ "revision": version, "physical": true })).send().await;
        let answer = answer.expect("etcd answers");
        let done = answer.status().is_success();
        let text = answer.text().await.unwrap_or_default();
        // Another test may have made it forget more.
        Ok((done || text.contains("compacted")).then_some(()))
    })
    .await;
}

#[tokio::test]
async fn a_page_of_a_forgotten_list_is_gone() {
    let client = admin(HARBOUR).await;
    note(&client, "page-1").await;
    note(&client, "page-2").await;
    let events = Api::<Event>::namespaced(client.clone(), "default");
    let page = events.list(&ListParams::default().limit(1)).await.expect("a page");
    let rest = page.metadata.continue_.expect("there is more");
    forget_before(&note(&client, "page-3").await).await;

    let error = events
        .list(&ListParams::default().limit(1).continue_token(&rest))
        .await
        .expect_err("it is gone");
    let kube::Error::Api(status) = error else { panic!("not the API server's word: {error}") };
    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
}

#[tokio::test]
async fn a_forgotten_watch_is_gone_and_a_new_list_resumes_it() {
    let client = admin(HARBOUR).await;
    let old = note(&client, "watch-1").await;
    let events = Api::<Event>::namespaced(client.clone(), "default");
    // Two more: a watch from just before the compaction is still served.
    note(&client, "watch-2").await;
    forget_before(&note(&client, "watch-2-too").await).await;

    let params = WatchParams::default();
    let gone = match events.watch(&params, &old).await {
        Ok(stream) => next(&mut stream.boxed()).await.expect("an answer"),
        Err(error) => Err(error),
    };
    let (Ok(WatchEvent::Error(status)) | Err(kube::Error::Api(status))) = gone else {
        panic!("410 was due, not {gone:?}")
    };
    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));

    // Another test, or the API server itself, may make etcd forget between the list and the watch: then it is listed again,
    // as any client does.
    let mut tries = 0;
    eventually_in("a watch from a new list to tell the change in between", async || {
        tries += 1;
        let name = format!("watch-3-{tries}");
        let anew = events.list(&ListParams::default()).await.expect("a list").metadata;
        note(&client, &name).await;
        let params = WatchParams::default().fields(&format!("metadata.name={name}"));
        let told = match events.watch(&params, &anew.resource_version.expect("a version")).await {
            Ok(stream) => next(&mut stream.boxed()).await.expect("an answer"),
            Err(error) => Err(error),
        };
        match told {
            Ok(WatchEvent::Added(event)) => {
                assert_eq!(event.message.as_deref(), Some(name.as_str()));
                Ok(Some(()))
            }
            Ok(WatchEvent::Error(status)) | Err(kube::Error::Api(status)) if status.code == 410 => {
                Ok(None)
            }
            other => panic!("the change in between was due, not {other:?}"),
        }
    })
    .await;
}

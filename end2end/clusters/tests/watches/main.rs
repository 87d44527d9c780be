//! The watches against a real API server: that what they know is what it has, and what they say when it is not.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use app::{
    fleet::watched::{Reason, WatchState},
    time::Micros,
};
use cluster_proof::{Fault, Practice, Tampered, eventually, start};
use fleet::link::Links;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::{Value, json};
use server::{
    clock::{Clock, Rng},
    fleet::watch::{ClusterView, IDLE, Kind, LAST_CALL, Notices, Until, Watches},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const ID: Uuid = Uuid::from_u128(7);
const SOON: Duration = Duration::from_mins(1);

/// Counts what it is told.
#[derive(Default)]
struct Told(Mutex<BTreeMap<Kind, usize>>, AtomicUsize);

impl Notices for Told {
    fn changed(&self, _: Uuid, _: i64, kinds: &[Kind]) {
        self.1.fetch_add(1, Ordering::SeqCst);
        for kind in kinds {
            *self.0.lock().expect("nobody failed").entry(*kind).or_default() += 1;
        }
    }
}

impl Told {
    fn of(&self, kind: Kind) -> usize {
        self.0.lock().expect("nobody failed").get(&kind).copied().unwrap_or(0)
    }
}

/// Watches over one cluster, with the task that runs them.
struct Stand {
    watches: Watches,
    source: Tampered,
    told: Arc<Told>,
    stop: CancellationToken,
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn stand(client: kube::Client, clock: Clock) -> Stand {
    let (source, told) = (Tampered::new(client), Arc::new(Told::default()));
    let watches =
        Watches::new(Arc::new(source.clone()), Arc::clone(&told) as _, clock, Rng::seeded(1));
    let stop = CancellationToken::new();
    let (running, stopped) = (watches.clone(), stop.clone());
    tokio::spawn(async move { running.run(stopped).await });
    while !watches.runs() {
        std::thread::yield_now();
    }
    Stand { watches, source, told, stop }
}

impl Stand {
    fn view(&self) -> ClusterView {
        self.watches.of(ID, 1)
    }

    async fn whole(&self, kinds: &[Kind]) -> ClusterView {
        let view = self.view();
        view.ask(kinds, Until::Whole, SOON).await;
        view
    }
}

async fn state(view: &ClusterView, kind: Kind, wanted: WatchState) {
    eventually(&format!("{kind:?} {wanted:?}"), async || {
        (view.status(kind).state == wanted).then_some(())
    })
    .await;
}

fn pods(view: &ClusterView) -> Vec<String> {
    let table = view.cluster().pods.table();
    table.iter().map(|pod| format!("{}/{}", pod.meta.namespace, pod.meta.name)).collect()
}

async fn really(client: &kube::Client) -> Vec<String> {
    let all = Api::<Pod>::all(client.clone()).list(&ListParams::default()).await.expect("pods");
    let name = |pod: Pod| {
        let meta = pod.metadata;
        format!("{}/{}", meta.namespace.unwrap_or_default(), meta.name.unwrap_or_default())
    };
    let mut names: Vec<String> = all.items.into_iter().map(name).collect();
    names.sort_unstable();
    names
}

/// What the watch knows becomes what the API server has.
async fn agrees(view: &ClusterView, client: &kube::Client) {
    eventually("the watch knows what there is", async || {
        view.ask(&[Kind::Pods], Until::Whole, SOON).await;
        let real = really(client).await;
        let mut known = pods(view);
        known.sort_unstable();
        (known == real && !real.is_empty()).then_some(())
    })
    .await;
}

/// A deployment whose pods KWOK runs.
fn many(namespace: &str, replicas: u32) -> Vec<Value> {
    let labels = json!({ "app": "many" });
    vec![
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "many", "namespace": namespace },
            "spec": {
                "replicas": replicas,
                "selector": { "matchLabels": labels },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": {
                        "terminationGracePeriodSeconds": 1,
                        "containers": [{ "name": "main", "image": "registry.practice.test/many:1" }]
                    }
                }
            }
        }),
    ]
}

/// One fleet for all, since it is what takes long; each part leaves the cluster as it found it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watches_know_what_the_api_server_has() {
    let practice = start(1, 12);
    every_kind_is_read(&practice).await;
    two_viewers_share_one_watch(&practice).await;
    a_refusal_is_a_state_of_its_own(&practice).await;
    what_the_server_forgot_is_listed_again(&practice).await;
    a_server_that_does_not_stream_is_read_in_pages(&practice).await;
    a_lost_server_is_found_again(&practice).await;
    nobody_asks_so_it_stops(&practice).await;
    a_thousand_pods_churn(&practice).await;
}

async fn every_kind_is_read(practice: &Practice) {
    let stand = stand(practice.viewer(0).await, Clock::system());
    let view = stand.whole(Kind::ALL).await;
    for kind in Kind::ALL {
        assert_eq!(view.status(*kind).state, WatchState::Live, "{kind:?}");
        // Its teams may only just have begun.
        let may_be_none =
            matches!(kind, Kind::Claims | Kind::NetworkPolicies | Kind::Jobs | Kind::CronJobs);
        eventually(&format!("{kind:?}"), async || {
            (view.status(*kind).objects > 0 || may_be_none).then_some(())
        })
        .await;
    }
    let node = view.cluster().nodes.table().iter().next().cloned().expect("a node");
    assert!(node.is_ready() && node.version.starts_with('v'), "{node:?}");
    assert!(node.allocatable("cpu").is_some(), "{node:?}");
    let checkout = view.cluster().deployments.table().find("payments", "checkout").cloned();
    let checkout = checkout.expect("the fleet has it");
    assert!(checkout.desired >= 1 && checkout.images[0].contains("checkout"), "{checkout:?}");
    agrees(&view, &practice.admin(0).await).await;
}

async fn two_viewers_share_one_watch(practice: &Practice) {
    let stand = stand(practice.viewer(0).await, Clock::system());
    let (one, other) = (stand.view(), stand.view());
    tokio::join!(
        one.ask(&[Kind::Pods], Until::Whole, SOON),
        other.ask(&[Kind::Pods], Until::Whole, SOON)
    );
    assert!(!pods(&one).is_empty() && !pods(&other).is_empty());
    eventually("it follows", async || (stand.source.sent("pods?watch=1") > 0).then_some(())).await;
    assert_eq!((stand.source.sent("pods?limit"), stand.source.sent("pods?watch=1")), (1, 1));
}

async fn a_refusal_is_a_state_of_its_own(practice: &Practice) {
    let admin = practice.admin(0).await;
    let limited = limited(practice, &admin).await;
    let stand = stand(limited, Clock::system());
    let view = stand.whole(&[Kind::Pods, Kind::Events]).await;
    assert_eq!(view.status(Kind::Pods).state, WatchState::Live);
    let events = view.status(Kind::Events);
    assert_eq!((events.state, events.reason), (WatchState::Refused, Some(Reason::Forbidden)));
    assert_eq!(stand.source.sent("events"), 1, "a refusal is not asked again and again");
}

/// Somebody who may list pods and nothing else.
async fn limited(practice: &Practice, admin: &kube::Client) -> kube::Client {
    use k8s_openapi::api::{
        authentication::v1::{TokenRequest, TokenRequestSpec},
        core::v1::ServiceAccount,
    };
    let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "pods-only" });
    practice
        .apply(
            0,
            vec![
                json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "limited", "namespace": "default" } }),
                json!({
                    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                    "metadata": { "name": "pods-only" },
                    "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"] }],
                }),
                json!({
                    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                    "metadata": { "name": "pods-only" }, "roleRef": role,
                    "subjects": [{ "kind": "ServiceAccount", "name": "limited", "namespace": "default" }],
                }),
            ],
        )
        .await;
    let spec = TokenRequestSpec { expiration_seconds: Some(3_600), ..Default::default() };
    let request = TokenRequest { spec: Some(spec), ..Default::default() };
    let accounts = Api::<ServiceAccount>::namespaced(admin.clone(), "default");
    let answer = accounts.create_token_request("limited", &PostParams::default(), &request).await;
    let token = answer.expect("a token").status.and_then(|s| s.token).expect("a token");
    let cluster = practice.cluster(0);
    let identity = fleet::kubeconfig::Identity::Token(&token);
    let text =
        fleet::kubeconfig::render(&cluster.name, &cluster.proxied_url, &cluster.ca, &identity);
    fleet::kubeconfig::client(&text.expect("it renders")).await.expect("a client")
}

async fn what_the_server_forgot_is_listed_again(practice: &Practice) {
    let admin = practice.admin(0).await;
    // Whatever was kept, the first version is older than that.
    let stand = stand(practice.viewer(0).await, Clock::system());
    stand.source.fault(Fault::Forgotten("/api/v1/pods?watch=1"));
    let view = stand.whole(&[Kind::Pods]).await;
    eventually("it came back", async || {
        (stand.source.sent("pods?limit") == 2 && stand.source.sent("pods?watch=1") == 2)
            .then_some(())
    })
    .await;
    state(&view, Kind::Pods, WatchState::Live).await;
    agrees(&view, &admin).await;
}

async fn a_server_that_does_not_stream_is_read_in_pages(practice: &Practice) {
    practice.apply(0, many("paged", 300)).await;
    let admin = practice.admin(0).await;
    let in_paged =
        async || really(&admin).await.iter().filter(|name| name.starts_with("paged/")).count();
    eventually("300 pods", async || (in_paged().await == 300).then_some(())).await;

    let streaming = stand(practice.viewer(0).await, Clock::system());
    agrees(&streaming.whole(&[Kind::Pods]).await, &admin).await;
    assert!(streaming.source.sent("sendInitialEvents=true") >= 1, "this server streams lists");
    assert_eq!(streaming.source.sent("continue="), 0);

    let paging = stand(practice.viewer(0).await, Clock::system());
    paging
        .source
        .fault(Fault::Garbled("resourceVersionMatch=NotOlderThan", "resourceVersionMatch=Perhaps"));
    let view = paging.whole(&[Kind::Pods]).await;
    assert_eq!(view.status(Kind::Pods).state, WatchState::Live);
    agrees(&view, &admin).await;
    assert!(paging.source.sent("continue=") >= 1, "the rest came in pages");
    assert_eq!(paging.source.sent("sendInitialEvents=true"), 1, "it fell back once");
    practice.apply(0, many("paged", 0)).await;
    eventually("none of them", async || (in_paged().await == 0).then_some(())).await;
}

async fn a_lost_server_is_found_again(practice: &Practice) {
    let admin = practice.admin(0).await;
    let stand = stand(practice.viewer(0).await, Clock::system());
    let view = stand.whole(&[Kind::Pods]).await;
    let before = pods(&view).len();
    let links = Links::at(&practice.fleet.toxiproxy).expect("toxiproxy");
    let name = &practice.cluster(0).name;
    links.cut(name).await.expect("it is cut");
    state(&view, Kind::Pods, WatchState::Stale).await;
    let status = view.status(Kind::Pods);
    assert_eq!(status.reason, Some(Reason::Unreachable));
    assert!(status.heard_at.is_some() && pods(&view).len().abs_diff(before) < 50);
    links.mend(name).await.expect("it is mended");
    state(&view, Kind::Pods, WatchState::Live).await;
    agrees(&view, &admin).await;
    assert_eq!(stand.source.sent("pods?limit"), 1, "it went on from where it was");
}

async fn nobody_asks_so_it_stops(practice: &Practice) {
    let (clock, hand) = Clock::manual(Micros(1_790_000_000_000_000));
    let stand = stand(practice.viewer(0).await, clock);
    let view = stand.whole(&[Kind::Namespaces]).await;
    assert_eq!(view.status(Kind::Namespaces).state, WatchState::Live);
    let told = |at_least: usize| {
        let (told, hand) = (Arc::clone(&stand.told), &hand);
        async move {
            eventually("open pages are told", async || {
                hand.advance(Duration::from_millis(500));
                (told.of(Kind::Namespaces) >= at_least).then_some(())
            })
            .await;
        }
    };
    let before = stand.told.of(Kind::Namespaces);
    hand.advance(IDLE);
    told(before + 1).await;
    // Somebody is still there.
    view.ask(&[Kind::Namespaces], Until::Whole, SOON).await;
    hand.advance(LAST_CALL);
    state_moving(&view, Kind::Namespaces, WatchState::Live, &hand).await;
    // Nobody is.
    hand.advance(IDLE);
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        hand.advance(LAST_CALL);
    }
    state_moving(&view, Kind::Namespaces, WatchState::Stopped, &hand).await;
    assert!(view.cluster().namespaces.table().is_empty(), "what it knew is let go");
    let whole = view.ask(&[Kind::Namespaces], Until::Whole, SOON);
    whole.await;
    assert_eq!(view.status(Kind::Namespaces).state, WatchState::Live, "it starts again");
}

/// Lets waits of a second or so end while it looks.
async fn state_moving(
    view: &ClusterView,
    kind: Kind,
    wanted: WatchState,
    hand: &server::clock::ManualClock,
) {
    eventually(&format!("{kind:?} {wanted:?}"), async || {
        hand.advance(Duration::from_millis(200));
        (view.status(kind).state == wanted).then_some(())
    })
    .await;
}

/// Of a large type the rest follows a moment later, or when somebody waits for it.
async fn the_first_rows_come_alone(practice: &Practice) {
    for waits in [true, false] {
        let (clock, hand) = Clock::manual(Micros(1_790_000_000_000_000));
        let stand = stand(practice.viewer(0).await, clock);
        let view = stand.view();
        view.ask(&[Kind::Pods], Until::FirstRows, SOON).await;
        let first = view.status(Kind::Pods);
        assert_eq!((first.state, first.objects), (WatchState::Starting, 250));
        assert!(first.expected.is_some_and(|all| all >= 1_000), "{first:?}");
        if waits {
            view.ask(&[Kind::Pods], Until::Whole, SOON).await;
        } else {
            state_moving(&view, Kind::Pods, WatchState::Live, &hand).await;
        }
        let all = view.status(Kind::Pods);
        assert!(all.state == WatchState::Live && all.objects >= 1_000, "{all:?}");
    }
}

async fn a_thousand_pods_churn(practice: &Practice) {
    let admin = practice.admin(0).await;
    let stand = stand(practice.viewer(0).await, Clock::system());
    let view = stand.whole(&[Kind::Pods]).await;
    practice.apply(0, many("crowd", 1_000)).await;
    eventually("a thousand pods", async || {
        view.ask(&[Kind::Pods], Until::FirstRows, SOON).await;
        (view.cluster().pods.table().of("crowd").count() >= 1_000).then_some(())
    })
    .await;
    the_first_rows_come_alone(practice).await;
    let crowd = Api::<Pod>::namespaced(admin.clone(), "crowd");
    let now = DeleteParams::default().grace_period(0);
    for _ in 0..3 {
        let some: Vec<String> = {
            let table = view.cluster().pods.table();
            table.of("crowd").step_by(10).map(|pod| pod.meta.name.to_string()).collect()
        };
        for name in some {
            // One that is gone already is gone.
            let _ = crowd.delete(&name, &now).await;
        }
    }
    agrees(&view, &admin).await;
    assert_eq!(stand.source.sent("pods?limit"), 1, "all of it was followed, nothing listed again");
    practice.apply(0, many("crowd", 0)).await;
}

//! The pages of a cluster while it changes: a thousand pods come and go, readers turn over the list of them without a
//! pause, and every answer is a whole one. When it has become quiet, the page says what the API server says.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use app::{
    error::ApiError,
    identity::{Caller, CallerKind, Capability, Gate, Reach},
};
use async_trait::async_trait;
use axum::{
    body::{Body, to_bytes},
    extract::Request,
};
use cluster_proof::{Practice, eventually, start};
use fleet::{
    life::churn,
    scenes::{Rate, Scene, Stage},
};
use http::{HeaderMap, StatusCode};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{
    Api,
    api::{DeleteParams, ListParams},
};
use serde_json::{Value, json};
use server::{
    clock::{Clock, Rng},
    config::Config,
    console::{Console, Parts},
    identity::{AuditedGate, Callers},
    routes,
    store::{Dialect, testing::Engine},
    vault::Vault,
    web::{arrival::Arrival, stack::Stack},
};

const RATE: Rate = Rate { pods: 1_000, per_second: 50 };
const READERS: usize = 4;
/// Each reader turns over the whole list this often, at least.
const TURNS: usize = 5;
/// Pods seen by somebody, at least: the thousand, and half as many again that came for others.
const SEEN: usize = 1_500;

/// Every request comes from the same person, who may do everything.
struct Always(Caller);

#[async_trait]
impl Callers for Always {
    async fn find(&self, _: &Arrival, _: &HeaderMap) -> Result<Option<Caller>, ApiError> {
        Ok(Some(self.0.clone()))
    }
}

/// A fleet of one cluster, and a whole console that has it in its registry.
struct Stand {
    practice: Practice,
    stack: Stack,
    /// The console's id of the cluster.
    id: String,
    _engine: Engine,
}

impl Stand {
    async fn new() -> Self {
        let practice = start(1, 3);
        let clock = Clock::system();
        let engine = Engine::fresh(Dialect::Sqlite, clock.clone()).await;
        let db = engine.db.clone();
        let gate: Arc<dyn Gate> = Arc::new(AuditedGate::new(db.clone()));
        let everything =
            Capability::ALL.iter().map(|capability| (*capability, Reach::Everything)).collect();
        let caller = Caller::new(CallerKind::User, "u-1", "Test", everything, gate);
        let callers: Option<Arc<dyn Callers>> = Some(Arc::new(Always(caller)));
        let (rng, vault) = (Rng::system(), Vault::for_tests());
        let parts = Parts { config: Config::defaults(), clock, rng, db, vault, callers };
        let console = Console::open(parts).await.expect("a fresh database opens");
        console.start();
        let stack = Stack::new(console, routes::all()).expect("the table fits");
        let mut stand = Self { practice, stack, id: String::new(), _engine: engine };
        stand.id = stand.register().await;
        stand
    }

    async fn register(&self) -> String {
        let cluster = self.practice.cluster(0);
        let kubeconfig = std::fs::read_to_string(&cluster.viewer_kubeconfig).expect("a kubeconfig");
        let new = json!({
            "name": cluster.name, "api_server_url": cluster.proxied_url, "cluster_type": "HUB",
            "credentials": { "auth_type": "KUBECONFIG", "kubeconfig": kubeconfig },
        });
        let request = Request::post("/api/v1/clusters").header("content-type", "application/json");
        let (status, text) = self.send(request, Body::from(new.to_string())).await;
        assert_eq!(status, StatusCode::CREATED, "{text}");
        let made: Value = serde_json::from_str(&text).expect("JSON");
        made["id"].as_str().expect("an id").to_owned()
    }

    async fn send(&self, request: http::request::Builder, body: Body) -> (StatusCode, String) {
        let request = request.header("host", "localhost:7080").body(body).expect("a request");
        let peer = SocketAddr::from(([127, 0, 0, 1], 50_000));
        let answer = self.stack.answer(Some(peer), request).await;
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), usize::MAX).await.expect("the body ends");
        (status, String::from_utf8(bytes.to_vec()).expect("text"))
    }

    /// One page of the list of pods. `query` as it stands in a link of the page before.
    async fn page(&self, query: &str) -> Sheet {
        let path = format!("/clusters/{}/pods{query}", self.id);
        let (status, html) = self.send(Request::get(&path), Body::empty()).await;
        assert_eq!(status, StatusCode::OK, "{path}: {html}");
        Sheet::read(&path, &html)
    }

    /// The whole list, page by page as a person turns them: the names, as they stand there.
    async fn turn_over(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut next = Some(format!("?namespace={}&page_size=100", churn::NAMESPACE));
        while let Some(query) = next {
            let sheet = self.page(&query).await;
            names.extend(sheet.names);
            next = sheet.older;
        }
        names
    }
}

/// What a page of the list shows.
struct Sheet {
    names: Vec<String>,
    /// The query of the page after this one.
    older: Option<String>,
}

impl Sheet {
    /// Fails when it is no whole page, or its rows are not what a list is made of.
    fn read(path: &str, html: &str) -> Self {
        assert!(html.contains("</html>"), "{path} is cut off: {html}");
        for trouble in ["role=\"alert\"", "Something went wrong", "may not be how things are"] {
            assert!(!html.contains(trouble), "{path} says {trouble}: {html}");
        }
        let rows = between(html, "<tbody>", "</tbody>").unwrap_or_default();
        let rows: Vec<&str> = rows.split("<tr>").skip(1).collect();
        let names: Vec<String> = rows.iter().map(|row| name(path, row)).collect();
        assert!(
            names.is_sorted_by(|one, next| one < next),
            "{path}: each once, in order: {names:?}"
        );
        let older = between(html, "rel=\"next\" href=\"", "\"").or_else(|| {
            // Attributes have no order of their own.
            let link = html.split("<a ").find(|link| {
                link.split('>').next().is_some_and(|tag| tag.contains("rel=\"next\""))
            })?;
            between(link, "href=\"", "\"")
        });
        let place = place(html);
        if let Some((shown, of)) = place {
            assert_eq!(shown, names.len(), "{path}: as many rows as it says");
            assert!(shown <= of, "{path}: {shown} of {of}");
        }
        Self { names, older: older.map(|link| link.replace("&amp;", "&")) }
    }
}

/// The pod of a row, whose cells agree with each other.
fn name(path: &str, row: &str) -> String {
    let name = between(row, "object=", "\"").expect("a row leads to what was said of its pod");
    let name = name.split('&').next().unwrap_or_default();
    let text = text_of(row);
    assert!(text.contains(&format!("{} / {name}", churn::NAMESPACE)), "{path}: {text}");
    let known =
        ["Running", "Pending", "Terminating", "ContainerCreating", "Completed", "Succeeded"];
    let status = known.into_iter().find(|status| text.contains(status));
    assert!(status.is_some(), "{path}: {text}");
    assert!(text.contains("0/1") || text.contains("1/1"), "{path}: {text}");
    assert!(text.contains("churn-0"), "it is bound to a node from the start: {text}");
    name.to_owned()
}

/// How many of how many, where the page has others beside it: "1–100 of 1,000", "100 of 1,000".
fn place(html: &str) -> Option<(usize, usize)> {
    let pages = between(html, "aria-label=\"Pages\"", "</nav>")?;
    let text = text_of(&format!("<nav {pages}"));
    let (shown, of) = text.trim().split_once(" of ")?;
    let number = |text: &str| -> Option<usize> {
        let digits: String =
            text.chars().filter(|c| *c != ',').take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    let shown = match shown.split_once('–') {
        Some((first, last)) => number(last)? + 1 - number(first)?,
        None => number(shown)?,
    };
    Some((shown, number(of)?))
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let rest = text.split_once(from)?.1;
    rest.split_once(to).map(|(inside, _)| inside)
}

/// What a reader sees of it.
fn text_of(html: &str) -> String {
    html.split('<').filter_map(|part| part.split_once('>').map(|(_, text)| text)).collect()
}

/// What the readers have seen.
#[derive(Default)]
struct Seen {
    names: Mutex<BTreeSet<String>>,
    turns: [AtomicUsize; READERS],
    enough: AtomicBool,
}

impl Seen {
    fn note(&self, reader: usize, names: Vec<String>) {
        self.names.lock().expect("nobody failed").extend(names);
        self.turns[reader].fetch_add(1, Ordering::SeqCst);
    }

    fn is_enough(&self) -> bool {
        let turned = self.turns.iter().all(|turns| turns.load(Ordering::SeqCst) >= TURNS);
        turned && self.names.lock().expect("nobody failed").len() >= SEEN
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pages_are_read_while_a_thousand_pods_come_and_go() {
    let stand = Arc::new(Stand::new().await);
    let practice = &stand.practice;
    let stage = Stage::new(&practice.fleet, practice.cluster(0)).expect("a stage");
    let stage = Stage { rate: RATE, ..stage };
    Scene::Churn.play(&stage).await.expect("it churns");
    eventually("a thousand pods are on the pages", async || {
        (stand.turn_over().await.len() >= 1_000).then_some(())
    })
    .await;

    let seen = Arc::new(Seen::default());
    let readers: Vec<_> = (0..READERS)
        .map(|reader| {
            let (stand, seen) = (Arc::clone(&stand), Arc::clone(&seen));
            tokio::spawn(async move {
                while !seen.enough.load(Ordering::SeqCst) {
                    let names = stand.turn_over().await;
                    seen.note(reader, names);
                }
            })
        })
        .collect();
    eventually("enough has come and gone", async || {
        let failed = readers.iter().any(tokio::task::JoinHandle::is_finished);
        (failed || seen.is_enough()).then_some(())
    })
    .await;
    seen.enough.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.expect("every answer was a whole one");
    }

    becomes_what_there_is(&stand).await;
}

/// The churn ends and leaves its pods; the pages come to show exactly these.
async fn becomes_what_there_is(stand: &Stand) {
    let admin = stand.practice.admin(0).await;
    let maps = Api::<ConfigMap>::namespaced(admin.clone(), churn::NAMESPACE);
    maps.delete(churn::NAME, &DeleteParams::default()).await.expect("it is told to end");
    let pods = Api::<Pod>::namespaced(admin, churn::NAMESPACE);
    let really = async || {
        let all = pods.list(&ListParams::default()).await.expect("pods");
        let mut names: Vec<String> =
            all.items.into_iter().filter_map(|pod| pod.metadata.name).collect();
        names.sort_unstable();
        names
    };
    let shown = eventually("the pages show what there is", async || {
        let before = really().await;
        let shown = stand.turn_over().await;
        // The same before and after: nothing came or went while the pages were turned.
        (before == really().await && shown == before).then_some(shown)
    })
    .await;
    assert!(shown.len() >= 900, "the pods stayed: {}", shown.len());
}

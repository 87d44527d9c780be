//! The whole table of addresses, asked by everyone there is: who may not, does not get in, and is told so
//! before anything of the request is read. An address that the table does not know does not exist.

mod web_kit;

use std::collections::BTreeSet;

use app::identity::{Capability, Role};
use axum::{body::Body, extract::Request};
use server::{
    routes,
    store::Sql,
    web::{
        Access,
        pages::paths_of_application,
        routes::{Kind, Mismatch, Row},
    },
};
use web_kit::{
    Answer, Kit, Who,
    people::{Key, Proof},
};

const VIEW_ONLY: &[Capability] = &[Capability::AccessSystemPanel, Capability::OperationsView];

/// What of a path stands for anything.
fn example(path: &str) -> String {
    let of = |part: &'_ str| match part {
        "{file}" => "Nothing.json".to_owned(),
        part if part.starts_with('{') => "1".to_owned(),
        part => part.to_owned(),
    };
    path.split('/').map(of).collect::<Vec<_>>().join("/")
}

/// Nonsense that no handler takes: whoever is let in fails over it, whoever is not never gets that far.
async fn ask(kit: &Kit, row: &Row, proof: &Proof) -> Answer {
    let request = Request::builder().method(row.method.clone()).uri(example(row.path));
    let request = proof.on(request).header("content-type", "text/nonsense");
    if row.path == app::paths::route::EVENTS_STREAM {
        // It would never end where it begins; its first words are enough.
        let (parts, _) = kit.open("127.0.0.1", request, Body::empty()).await.into_parts();
        return Answer { status: parts.status, headers: parts.headers, bytes: Vec::new() };
    }
    kit.send(request, Body::from("\u{1}{")).await
}

/// Somebody who asks for every address, with all that they may do anywhere; none for nobody.
struct Asker {
    name: &'static str,
    may: Option<Vec<Capability>>,
    /// By a person's id a new session, since some addresses end it; or always the same key.
    as_person: Option<&'static str>,
    key: Proof,
}

impl Asker {
    async fn proof(&self, kit: &Kit) -> Proof {
        match self.as_person {
            Some(person) => kit.enter(person).await,
            None => self.key.clone(),
        }
    }
}

const SUBSET: &[Capability] =
    &[Capability::AccessSystemPanel, Capability::OperationsView, Capability::AuditView];

/// Everyone there is: each added here is asked for by every address.
async fn everyone(kit: &Kit) -> Vec<Asker> {
    kit.workspace(7, "seven").await;
    let person = async |name: &'static str, role: Option<(Role, Option<i64>)>| {
        kit.signed_in(name, role).await;
        let may = role.map(|(role, _)| role.capabilities()).unwrap_or_default();
        Asker { name, may: Some(may), as_person: Some(name), key: Proof::Nothing }
    };
    let mut all = vec![
        Asker { name: "anonymous", may: None, as_person: None, key: Proof::Nothing },
        person("without grants", None).await,
        person("auditor", Some((Role::Auditor, None))).await,
        person("operator", Some((Role::Operator, None))).await,
        person("admin", Some((Role::Admin, None))).await,
        person("operator of another workspace", Some((Role::Operator, Some(7)))).await,
    ];
    let key = Key { owner: Some("admin"), capabilities: SUBSET, ..Key::default() };
    let (_, key) = kit.key(key).await;
    let may = Some(SUBSET.to_vec());
    all.push(Asker { name: "key with a subset", may, as_person: None, key });
    all
}

fn lets_in(access: Access, may: Option<&[Capability]>) -> bool {
    match (access, may) {
        (Access::Public, _) | (Access::SignedIn, Some(_)) => true,
        (_, None) => false,
        (Access::Needs(needed), Some(held)) => needed.iter().all(|n| held.contains(n)),
    }
}

#[tokio::test]
async fn every_address_refuses_whoever_it_must() {
    let kit = Kit::new(Who::Real).await;
    let (mut let_in, mut kept_out) = (0, 0);
    for asker in everyone(&kit).await {
        for row in routes::all().table() {
            let proof = asker.proof(&kit).await;
            let answer = ask(&kit, &row, &proof).await;
            let status = answer.status.as_u16();
            let place = format!("{} {} for {} gave {status}", row.method, row.path, asker.name);
            assert!(status < 500, "{place}");
            let machine = ["/api/", "/events/"].iter().any(|prefix| row.path.starts_with(prefix));
            let led_to_sign_in = answer.header("location").starts_with("/sign-in?to=");
            match (lets_in(row.access, asker.may.as_deref()), asker.may.is_some()) {
                (true, _) => {
                    let_in += 1;
                    assert!(!led_to_sign_in, "{place}");
                    // Public ones answer who is not known in their own words.
                    let refused = matches!(status, 401 | 403) && row.access != Access::Public;
                    assert!(!refused, "{place}: {}", String::from_utf8_lossy(&answer.bytes));
                }
                (false, false) => {
                    kept_out += 1;
                    assert_eq!(status, if machine { 401 } else { 303 }, "{place}");
                    assert!(
                        machine || answer.header("location").starts_with("/sign-in"),
                        "{place}"
                    );
                    assert_eq!(
                        led_to_sign_in,
                        !machine && row.method == "GET" && row.path != "/",
                        "{place}"
                    );
                }
                (false, true) => {
                    kept_out += 1;
                    assert_eq!(status, 403, "{place}");
                    let Access::Needs(needed) = row.access else { panic!("{place}") };
                    let named = needed.iter().any(|c| answer.text().contains(c.as_str()));
                    assert!(named || row.kind == Kind::ServerFn, "{place}: {}", answer.text());
                }
            }
        }
    }
    assert!(let_in > 100 && kept_out > 20, "{let_in} and {kept_out} are too few to prove anything");
}

/// What is in a workspace that one has no grant in does not exist.
#[tokio::test]
async fn what_belongs_to_another_workspace_is_not_there() {
    let kit = Kit::new(Who::Real).await;
    kit.workspace(7, "seven").await;
    let admin = kit.signed_in("admin", Some((Role::Admin, None))).await;
    let foreign = kit.signed_in("foreign", Some((Role::Operator, Some(7)))).await;
    let run = serde_json::json!({ "type": "system.self_check" });
    let started = kit.json_as(&admin, "/api/v1/operations", run.clone()).await;
    assert!(started.status.is_success(), "{}", started.text());
    let id = started.json()["id"].as_i64().expect("an id");
    // Each address of one thing, and what it is called by: fit for whatever comes with other domains.
    let paths = [
        format!("/api/v1/operations/{id}"),
        format!("/api/v1/operations/{id}/steps"),
        format!("/api/v1/operations/{id}/log"),
        format!("/system/ops/runs/{id}"),
        format!("/system/ops/runs/{id}/log"),
    ];
    for path in paths {
        assert_eq!(kit.get_as(&admin, &path).await.status.as_u16(), 200, "{path}");
        assert_eq!(kit.get_as(&foreign, &path).await.status.as_u16(), 404, "{path}");
    }
    let list = kit.get_as(&foreign, "/api/v1/operations").await.json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(0), "{list}");
    assert_eq!(list["total"], 0, "{list}");
    let refused = kit.json_as(&foreign, "/api/v1/operations", run).await;
    assert!(matches!(refused.status.as_u16(), 403 | 404 | 422), "{}", refused.text());
    assert_eq!(kit.get_as(&admin, "/api/v1/operations").await.json()["total"], 1);
}

#[tokio::test]
async fn a_refusal_is_in_the_audit_log() {
    let kit = Kit::new(Who::Holding(&[Capability::AccessSystemPanel])).await;
    assert_eq!(kit.get("/system/ops/runs").await.status.as_u16(), 403);
    let sql = Sql::new("SELECT action, decision, capability FROM audit_log");
    let rows = kit.console.db.fetch_all(sql).await.expect("the log is there");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].text("decision").expect("a decision"), "denied");
    assert_eq!(rows[0].text("capability").expect("a capability"), "platform.operations.view");
}

/// DECIDED 2 names what may answer strangers.
const PUBLIC: &[&str] = &[
    "GET /healthz",
    "GET /readyz",
    "GET /version",
    "GET /assets/{file}",
    "GET /sign-in",
    "POST /sign-in",
    "GET /welcome",
    "POST /welcome",
    "POST /api/v1/session",
    "GET /sign-in/oidc",
    "GET /sign-in/oidc/callback",
    "POST /sign-in/oidc/logout",
];

/// One's own, or what concerns nobody.
const SIGNED_IN: &[&str] = &[
    "GET /",
    "GET /api/v1/open-work",
    "GET /events/stream",
    "GET /api/openapi.json",
    "GET /api/schemas/{file}",
    "GET /api/v1/me",
    "DELETE /api/v1/session",
    "POST /sign-out",
    "GET /account",
    "POST /account/password",
    "POST /account/sessions",
    "GET /account/keys",
    "POST /account/keys",
    "GET /api/v1/me/keys",
    "POST /api/v1/me/keys",
    "DELETE /api/v1/me/keys/{id}",
];

/// Below these, everything needs at least these.
const NEEDED_BELOW: &[(&str, &[Capability])] = &[
    ("/system/", VIEW_ONLY),
    ("/api/v1/operations", VIEW_ONLY),
    ("/api/v1/saved-views", VIEW_ONLY),
    ("/api/ui/operations/", VIEW_ONLY),
    ("/api/v1/runbooks", VIEW_ONLY),
    ("/clusters", &[Capability::FleetView]),
    ("/api/v1/clusters", &[Capability::FleetView]),
    ("/api/v1/fleet", &[Capability::FleetView]),
    ("/audit", &[Capability::AuditView]),
    ("/api/v1/audit", &[Capability::AuditView]),
    ("/clusters", &[Capability::FleetView]),
    ("/api/v1/clusters", &[Capability::FleetView]),
];

#[test]
fn only_these_may_be_public() {
    let table = routes::all().table();
    let of = |access: Access| -> BTreeSet<String> {
        let rows = table.iter().filter(|row| row.access == access);
        rows.map(|row| format!("{} {}", row.method, row.path)).collect()
    };
    let set =
        |list: &[&str]| -> BTreeSet<String> { list.iter().map(|s| (*s).to_owned()).collect() };
    assert_eq!(of(Access::Public), set(PUBLIC));
    assert_eq!(of(Access::SignedIn), set(SIGNED_IN));
    for row in &table {
        if let Access::Needs(needed) = row.access {
            assert!(!needed.is_empty(), "{} {} declares no capability", row.method, row.path);
        }
        for (below, least) in NEEDED_BELOW.iter().filter(|(b, _)| row.path.starts_with(b)) {
            let Access::Needs(needed) = row.access else { panic!("{} below {below}", row.path) };
            assert!(least.iter().all(|c| needed.contains(c)), "{} {}", row.method, row.path);
        }
    }
}

#[tokio::test]
async fn start_up_knows_when_table_and_application_differ() {
    let pages = paths_of_application();
    assert_eq!(routes::all().check(pages), Ok(()));
    let mut more = pages.to_vec();
    more.push("/forgotten".to_owned());
    let refused = routes::all().check(&more);
    assert_eq!(refused, Err(Mismatch::Undeclared("the page GET /forgotten".to_owned())));
    let made_up = routes::all().page("/made/up", Access::Public).check(pages);
    assert_eq!(made_up, Err(Mismatch::Unknown("the page GET /made/up".to_owned())));
    let made_up = routes::all().server_fn("/api/ui/made/up", Access::Public).check(pages);
    assert_eq!(
        made_up,
        Err(Mismatch::Unknown("the server function POST /api/ui/made/up".to_owned()))
    );
    let twice = routes::all().page("/", Access::Public).check(pages);
    assert_eq!(twice, Err(Mismatch::Twice("GET /".to_owned())));
}

//! The whole table of addresses, asked by everyone there is: who may not, does not get in, and is told so
//! before anything of the request is read. An address that the table does not know does not exist.

mod web_kit;

use std::collections::BTreeSet;

use app::identity::Capability;
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
use web_kit::{Answer, Kit, Who};

const VIEW_ONLY: &[Capability] = &[Capability::AccessSystemPanel, Capability::OperationsView];

/// Nonsense that no handler takes: whoever is let in fails over it, whoever is not never gets that far.
async fn ask(kit: &Kit, row: &Row) -> Answer {
    let path =
        row.path.replace("{id}", "1").replace("{seq}", "1").replace("{file}", "Nothing.json");
    let request = Request::builder().method(row.method.clone()).uri(path);
    kit.send(request.header("content-type", "text/nonsense"), Body::from("\u{1}{")).await
}

fn lets_in(access: Access, who: Who) -> bool {
    match (access, who) {
        (Access::Public, _) | (_, Who::Admin) | (Access::SignedIn, Who::Holding(_)) => true,
        (_, Who::Nobody) => false,
        (Access::Needs(needed), Who::Holding(held)) => needed.iter().all(|n| held.contains(n)),
    }
}

#[tokio::test]
async fn every_address_refuses_whoever_it_must() {
    for who in [Who::Nobody, Who::Holding(&[]), Who::Holding(VIEW_ONLY), Who::Admin] {
        let kit = Kit::new(who).await;
        for row in routes::all().table() {
            if row.path == app::paths::route::EVENTS_STREAM && lets_in(row.access, who) {
                // It would never end; `events` has its own tests.
                continue;
            }
            let answer = ask(&kit, &row).await;
            let status = answer.status.as_u16();
            let place = format!("{} {} for {who:?} gave {status}", row.method, row.path);
            match (lets_in(row.access, who), who) {
                (true, _) => assert!(!matches!(status, 401 | 403), "{place}"),
                (false, Who::Nobody) => assert_eq!(status, 401, "{place}"),
                (false, _) => assert_eq!(status, 403, "{place}"),
            }
            assert!(status < 500 || row.kind == Kind::Page, "{place}");
        }
    }
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

#[test]
fn only_these_may_be_public() {
    let table = routes::all().table();
    let public: BTreeSet<&str> =
        table.iter().filter(|row| row.access == Access::Public).map(|row| row.path).collect();
    let decided = BTreeSet::from(["/healthz", "/readyz", "/version", "/assets/{file}"]);
    assert_eq!(public, decided, "DECIDED 2 names what may answer strangers");
    let signed_in: BTreeSet<&str> =
        table.iter().filter(|row| row.access == Access::SignedIn).map(|row| row.path).collect();
    let decided = BTreeSet::from([
        "/",
        "/events/stream",
        "/api/openapi.json",
        "/api/schemas/{file}",
        "/account/keys",
        "/api/v1/me/keys",
        "/api/v1/me/keys/{id}",
    ]);
    assert_eq!(signed_in, decided);
    for row in table.iter().filter(|row| row.path.starts_with("/system/")) {
        assert_eq!(row.access, Access::Needs(VIEW_ONLY), "{}", row.path);
    }
    for row in table.iter().filter(|row| row.path.starts_with("/api/v1/operations")) {
        assert_eq!(row.access, Access::Needs(VIEW_ONLY), "{}", row.path);
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

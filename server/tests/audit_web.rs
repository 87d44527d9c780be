//! The audit log over HTTP: pages, the JSON API, the export, and strangers, through every layer of a real console.

mod web_kit;

use app::identity::Capability;
use axum::{body::Body, extract::Request};
use server::{
    audit::{BundleVerdict, verify_bundle},
    clock::Clock,
    journal::AuditRow,
    store::{Sql, testing},
    vault::ChainKeys,
};
use web_kit::{Kit, Who};

const API: &str = "/api/v1/audit";
const AUDITOR: Who = Who::Holding(&[Capability::AuditView]);

async fn append(kit: &Kit, rows: Vec<AuditRow>) {
    let tx = kit.console.db.begin().await.expect("a transaction");
    tx.commit(rows).await.expect("appended");
}

fn row(action: &'static str) -> AuditRow {
    AuditRow::allowed(&testing::admin(), action).target("person", "p-1", "Ada").workspace(1)
}

#[tokio::test]
async fn the_log_is_read_over_json() {
    let kit = Kit::new(AUDITOR).await;
    append(&kit, vec![row("identity.grant.add"), row("platform.test")]).await;
    let list = kit.get(&format!("{API}?action=identity.&target=person%3Ap-1")).await;
    assert_eq!(list.status.as_u16(), 200, "{}", list.text());
    let list = list.json();
    assert_eq!((&list["total"], &list["items"][0]["seq"]), (&1.into(), &1.into()));
    assert_eq!(list["items"][0]["decision"], "allowed");
    let one = kit.get(&format!("{API}/1")).await.json();
    assert_eq!(one["action"], "identity.grant.add");
    assert_eq!(one["prev_hash"], "00".repeat(32));
    assert_eq!(one["hash"].as_str().map(str::len), Some(64));
    let missing = kit.get(&format!("{API}/99")).await;
    assert_eq!((missing.status.as_u16(), missing.code().as_str()), (404, "AUDIT_ENTRY_NOT_FOUND"));
    for (query, field, rule) in [
        ("colour=red", "colour", "unknown_field"),
        ("decision=maybe", "decision", "one_of"),
        ("since=yesterday", "since", "malformed"),
    ] {
        let answer = kit.get(&format!("{API}?{query}")).await;
        assert_eq!(answer.status.as_u16(), 422, "{query}");
        assert_eq!(answer.violations(), [(field.to_owned(), rule.to_owned())].into());
    }
}

#[tokio::test]
async fn the_pages_need_the_one_capability_and_no_other() {
    let kit = Kit::new(AUDITOR).await;
    append(&kit, vec![row("identity.grant.add")]).await;
    for (page, said) in [
        ("/audit", "identity.grant.add"),
        ("/audit?actor=admin&decision=allowed", "identity.grant.add"),
        ("/audit/1", "Entry #1"),
    ] {
        let answer = kit.get(page).await;
        assert_eq!(answer.status.as_u16(), 200, "{page}: {}", answer.text());
        assert!(answer.text().contains(said), "{page}");
    }
    assert_eq!(kit.get("/audit/99").await.status.as_u16(), 404);
    let other = Kit::new(Who::Holding(&[Capability::AccessSystemPanel])).await;
    for page in
        ["/audit", "/audit/1", "/audit/export?format=csv", "/api/v1/audit/export?format=csv"]
    {
        assert_eq!(other.get(page).await.status.as_u16(), 403, "{page}");
    }
}

#[tokio::test]
async fn an_export_is_written_down_first_and_verifies() {
    for address in ["/audit/export", "/api/v1/audit/export"] {
        let kit = Kit::new(AUDITOR).await;
        append(&kit, vec![row("identity.grant.add")]).await;
        let answer = kit.get(&format!("{address}?format=ndjson")).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        let disposition = answer.header("content-disposition");
        assert!(
            disposition.starts_with("attachment; filename=\"quarterdeck-audit-"),
            "{disposition}"
        );
        let looked = verify_bundle(answer.bytes.as_slice(), &ChainKeys::for_tests(), None);
        match looked.expect("it is read") {
            BundleVerdict::Whole(whole) => assert_eq!(whole.rows, 2),
            BundleVerdict::Broken(broken) => panic!("{broken}"),
        }
        let row = Sql::new(
            "SELECT actor_id, details, capability FROM audit_log WHERE action = 'audit.export'",
        );
        let row = kit.console.db.fetch_one(row).await.expect("it was written down");
        assert_eq!(row.text("actor_id").expect("text"), "u-1");
        assert_eq!(row.text("details").expect("text"), r#"{"format":"ndjson","query":""}"#);

        let again = kit.get(&format!("{address}?format=csv")).await;
        assert_eq!(again.status.as_u16(), 429, "one in a second");
        assert!(!again.header("retry-after").is_empty());
    }
}

#[tokio::test]
async fn an_export_refuses_what_it_does_not_understand() {
    let kit = Kit::new(AUDITOR).await;
    for (query, field, rule) in [
        ("", "format", "required"),
        ("format=pdf", "format", "one_of"),
        ("format=csv&format=csv", "format", "repeated"),
        ("format=csv&cursor=o.1", "cursor", "unknown_field"),
        ("format=csv&decision=maybe", "decision", "one_of"),
    ] {
        let answer = kit.get(&format!("/api/v1/audit/export?{query}")).await;
        assert_eq!(answer.status.as_u16(), 422, "{query}");
        assert_eq!(answer.violations(), [(field.to_owned(), rule.to_owned())].into(), "{query}");
        let page = kit.get(&format!("/audit/export?{query}")).await;
        assert!(page.header("content-type").starts_with("text/html"), "{query}");
    }
    let rows = kit.console.db.fetch_all(Sql::new("SELECT seq FROM audit_log")).await;
    assert!(rows.expect("the log").is_empty(), "nothing was exported");
    let read_only =
        Kit::with(AUDITOR, Clock::system(), |config| config.read_only = true, |r| r).await;
    let refused = read_only.get("/api/v1/audit/export?format=csv").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "READ_ONLY"));
}

#[tokio::test]
async fn strangers_are_one_row_for_each_address_route_and_minute() {
    let start = app::time::Micros(1_700_000_040_000_000);
    let (clock, hand) = Clock::manual(start);
    let kit = Kit::with(Who::Nobody, clock, |_| {}, |routes| routes).await;
    let minute = start.0 / 60_000_000;
    for _ in 0..3 {
        assert_eq!(kit.get("/api/v1/audit").await.status.as_u16(), 401);
    }
    // Another address of the same route, with what a stranger made up.
    for id in ["1", "2", "%3Cscript%3E"] {
        kit.get(&format!("/api/v1/audit/{id}")).await;
    }
    kit.send(
        Request::post("/system/ops/runbooks").header("origin", "http://localhost:7080"),
        Body::empty(),
    )
    .await;
    kit.get("/no/such/page").await;
    let rows = async || {
        let sql =
            "SELECT actor_kind, target_id, decision, address, details FROM audit_log ORDER BY seq";
        kit.console.db.fetch_all(Sql::new(sql)).await.expect("the log")
    };
    kit.console.strangers.write(&kit.console.db, minute).await.expect("written");
    assert!(rows().await.is_empty(), "the minute is not over");
    hand.advance(std::time::Duration::from_mins(1));
    kit.get("/api/v1/audit").await;
    kit.console.strangers.write(&kit.console.db, minute + 1).await.expect("written");
    let written = rows().await;
    let mut seen: Vec<(String, i64)> = written
        .iter()
        .map(|row| {
            assert_eq!(row.text("actor_kind").expect("text"), "stranger");
            assert_eq!(row.text("decision").expect("text"), "denied");
            assert_eq!(row.text("address").expect("text"), "127.0.0.1");
            let details: serde_json::Value =
                serde_json::from_str(&row.text("details").expect("text")).expect("JSON");
            (row.text("target_id").expect("text"), details["count"].as_i64().expect("a count"))
        })
        .collect();
    seen.sort();
    let expected = [("/api/v1/audit", 3), ("/api/v1/audit/{seq}", 3), ("/system/ops/runbooks", 1)];
    assert_eq!(seen, expected.map(|(route, count)| (route.to_owned(), count)));
    kit.console.strangers.write(&kit.console.db, i64::MAX).await.expect("written");
    assert_eq!(rows().await.len(), 4, "the next minute is a row of its own");
}

#[tokio::test]
async fn many_strangers_fill_neither_memory_nor_the_log() {
    let kit = Kit::new(Who::Nobody).await;
    let strangers = &kit.console.strangers;
    // One network, however many addresses.
    for n in 0..100_u16 {
        let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, 1, 1, 0, 0, 0, n);
        strangers.refused(app::time::Micros(1), Some(address.into()), "/audit");
    }
    for n in 0..10_000_u32 {
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + n);
        strangers.refused(app::time::Micros(1), Some(address.into()), "/audit");
    }
    strangers.write(&kit.console.db, i64::MAX).await.expect("written");
    let rows = kit.console.db.fetch_all(Sql::new("SELECT details FROM audit_log")).await;
    let rows = rows.expect("the log");
    assert_eq!(rows.len(), 257, "256 addresses, and one row for all the others");
    let count = |row: &server::store::Row| {
        let details: serde_json::Value =
            serde_json::from_str(&row.text("details").expect("text")).expect("JSON");
        details["count"].as_i64().expect("a count")
    };
    assert_eq!(rows.iter().map(count).sum::<i64>(), 10_100, "each is counted");
}

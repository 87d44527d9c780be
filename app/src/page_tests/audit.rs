//! The audit pages and the panel: complete, for those who may, and nothing typed becomes markup.

use super::kit::{caller, detail, draw, entry, page, request, run, world};
use crate::{
    audit::model::Decision,
    error::{ApiError, Dependency},
    identity::Capability,
};

#[tokio::test]
async fn the_list_says_who_did_what_and_whether_they_might() {
    let mut world = world(vec![]);
    let mut denied = entry(41, "identity.refuse", Decision::Denied);
    denied.reason = Some("</title><script>alert(1)</script>".to_owned());
    let mut entries = page(vec![denied, entry(40, "identity.grant.add", Decision::Allowed)]);
    entries.next_cursor = Some("o.40".to_owned());
    world.entries = Ok(entries);
    let drawn = draw(&world, request("/audit?action=identity.&decision=denied")).await;
    assert_eq!(drawn.status, 200);
    for said in [
        "<title>Audit log · Quarterdeck</title>",
        "href=\"/audit/41\"",
        "identity.grant.add",
        "Ada",
        "denied",
        "data-after=\"41\"",
        "identity.…",
        "href=\"/audit?action=identity.&amp;decision=denied&amp;cursor=o.40\"",
        "href=\"/audit/export?format=ndjson&amp;action=identity.&amp;decision=denied\"",
        "data-topics=\"audit\"",
    ] {
        assert!(drawn.html.contains(said), "{said} is missing:\n{}", drawn.html);
    }
    assert!(!drawn.html.contains("<script>alert"), "what was typed became markup");
}

#[tokio::test]
async fn an_empty_a_refused_and_a_broken_list_say_so() {
    let mut world = world(vec![]);
    assert!(draw(&world, request("/audit")).await.html.contains("Nothing recorded yet"));
    let filtered = draw(&world, request("/audit?decision=failed")).await;
    assert!(filtered.html.contains("No entry matches"));
    let refused = draw(&world, request("/audit?decision=maybe")).await;
    assert_eq!(refused.status, 422);
    assert!(refused.html.contains("<code>decision</code> must be one of"));
    world.entries = Err(ApiError::Unavailable(Dependency::Database));
    let broken = draw(&world, request("/audit")).await;
    assert_eq!(broken.status, 503);
    assert!(broken.html.contains("Try again"));
}

#[tokio::test]
async fn an_entry_has_all_its_fields_and_the_ways_on() {
    let mut world = world(vec![]);
    world.entries = Ok(page(vec![entry(41, "identity.grant.add", Decision::Allowed)]));
    let drawn = draw(&world, request("/audit/41")).await;
    assert_eq!(drawn.status, 200);
    for said in [
        "Entry #41",
        "identity.manage",
        &"bb".repeat(32),
        "href=\"/audit?actor_id=u-1\"",
        "href=\"/audit?session=s-1\"",
        "href=\"/audit?request=r-1\"",
        "href=\"/audit?target=operation%3A7\"",
        "quarterdeck audit verify --from 40 --to 41",
    ] {
        assert!(drawn.html.contains(said), "{said} is missing:\n{}", drawn.html);
    }
    for nothing in ["/audit/42", "/audit/first"] {
        let missing = draw(&world, request(nothing)).await;
        assert_eq!(missing.status, 404);
        assert!(missing.html.contains("Audit entry not found"));
    }
}

#[tokio::test]
async fn only_who_may_see_the_log_sees_it_anywhere() {
    const OPERATOR: &[Capability] = &[Capability::AccessSystemPanel, Capability::OperationsView];
    let mut world = world(vec![]);
    world.detail = Some(detail(run(7, "Self-check", None), vec![]));
    world.entries = Ok(page(vec![entry(41, "system.self_check.start", Decision::Allowed)]));
    let drawn = draw(&world, request("/system/ops/runs/7")).await;
    for said in ["<h2>Audit</h2>", "href=\"/audit/41\"", "href=\"/audit?target=operation%3A7\""] {
        assert!(drawn.html.contains(said), "{said} is missing:\n{}", drawn.html);
    }
    let mut asked = request("/system/ops/runs/7");
    asked.caller = Some(caller(OPERATOR));
    let drawn = draw(&world, asked).await;
    assert_eq!(drawn.status, 200);
    assert!(!drawn.html.contains("<h2>Audit</h2>") && !drawn.html.contains("/audit"));
    for page in ["/audit", "/audit/41"] {
        let mut asked = request(page);
        asked.caller = Some(caller(OPERATOR));
        let drawn = draw(&world, asked).await;
        assert_eq!(drawn.status, 403);
        assert!(drawn.html.contains("audit.view"));
    }
}

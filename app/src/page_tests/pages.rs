//! What each page must say, to whom, with which status; and that nothing that anyone typed becomes markup.

use std::collections::BTreeSet;

use super::kit::{caller, detail, draw, page, request, routes, run, step, world};
use crate::{
    error::{ApiError, Dependency},
    identity::Capability,
    list::Searched,
    operations::model::{Outcome, Status, StepStatus},
    paths::route,
};

pub const HOSTILE: &[&str] = &[
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "\u{202e}gnp.exe",
];

#[test]
fn the_router_knows_the_paths_and_no_other() {
    let known: BTreeSet<&str> = routes().iter().map(String::as_str).collect();
    let named = [
        route::HOME,
        route::RUNS,
        route::RUN,
        route::FAILURES,
        route::STUCK,
        route::RUNBOOKS,
        route::RUNBOOK,
        route::AUDIT,
        route::AUDIT_ENTRY,
        route::TASKS,
        route::PEOPLE,
        route::PERSON,
        route::GRANTS,
        route::KEYS,
        route::OWN_KEYS,
        route::WORKSPACES,
        route::CLUSTERS,
        route::CLUSTER_NEW,
        route::CLUSTER,
        route::CLUSTER_NODES,
        route::CLUSTER_PODS,
        route::CLUSTER_WORKLOADS,
        route::CLUSTER_EVENTS,
        route::SIGN_IN,
        route::WELCOME,
        route::ACCOUNT,
    ];
    assert_eq!(known, named.into_iter().collect());
}

#[tokio::test]
async fn the_list_is_complete_and_names_things_as_agreed() {
    let mut failed = run(48_199, "Token refresh", Some("agents-prod / claude-agent"));
    failed.outcome = Outcome::Failed;
    failed.error_summary = Some("image pull refused".to_owned());
    let mut world = world(vec![failed, run(48_196, "Self-check", None)]);
    if let Ok(page) = &mut world.page {
        (page.total, page.total_capped) = (10_000, true);
        page.next_cursor = Some("o.48196".to_owned());
    }
    let drawn = draw(&world, request("/system/ops/runs?status=completed")).await;
    assert_eq!(drawn.status, 200);
    for said in [
        "<title>Operations · Quarterdeck</title>",
        "<h1>Operations</h1>",
        "Go to runbooks",
        "Operation #48199",
        "href=\"/system/ops/runs/48199\"",
        "image pull refused",
        "1–2 of 10,000+",
        "href=\"/system/ops/runs?status=completed&amp;cursor=o.48196\"",
        "Clear filters",
        "data-after=\"48199\"",
    ] {
        assert!(drawn.html.contains(said), "{said} is missing:\n{}", drawn.html);
    }
    let main = &drawn.html[drawn.html.find("<main").expect("a page has a main part")..];
    assert_eq!(main.matches("Go to runbooks").count(), 1, "one way out of the header");
    assert!(!drawn.html.contains("style="), "the CSP refuses styles in attributes");
    assert!(drawn.html.contains("__RESOLVED_RESOURCES={};"), "pages leave no data behind");
}

#[tokio::test]
async fn an_empty_list_has_one_next_step() {
    let none = draw(&world(vec![]), request("/system/ops/runs")).await;
    assert!(none.html.contains("No operations yet"));
    let filtered = draw(&world(vec![]), request("/system/ops/runs?outcome=failed")).await;
    assert!(filtered.html.contains("No operation matches"));

    let mut cut = world(vec![]);
    if let Ok(page) = &mut cut.page {
        page.searched = Some(Searched { down_to_id: 1234, rows: 50_000 });
    }
    let cut = draw(&cut, request("/system/ops/runs?q=xyz")).await;
    assert!(cut.html.contains("Searched the newest 50,000 operations so far, down to #1234."));
    assert!(cut.html.contains("q=xyz&amp;cursor=o.1234"), "and offers to go on");
}

#[tokio::test]
async fn a_refused_filter_is_named_and_kept() {
    let address = "/system/ops/runs?status=stuck&created_after=yesterday";
    let drawn = draw(&world(vec![]), request(address)).await;
    assert_eq!(drawn.status, 422);
    for said in ["<code>status</code> must be one of", "value=\"yesterday\"", "Show all operations"]
    {
        assert!(drawn.html.contains(said), "{said} is missing");
    }
}

#[tokio::test]
async fn a_sent_form_is_led_to_the_lists_own_address() {
    let address = "/system/ops/runs?q=&type=&status=queued&created_after=2026-11-21T09:30";
    let drawn = draw(&world(vec![]), request(address)).await;
    assert_eq!(drawn.status, 303);
    assert_eq!(
        drawn.location.as_deref(),
        Some("/system/ops/runs?status=queued&created_after=2026-11-21T09%3A30%3A00Z")
    );
}

#[tokio::test]
async fn the_detail_tells_what_happened_and_what_is_not_there() {
    let mut failed = run(7, "Token refresh", Some("claude-agent"));
    failed.outcome = Outcome::Failed;
    failed.error_summary = Some("image pull refused".to_owned());
    failed.input = serde_json::json!({"agent": "claude-agent", "depth": {"a": [1, null]}});
    let steps = vec![
        step(1, "Write the secret", StepStatus::Succeeded, None),
        step(2, "Restart", StepStatus::Failed, Some("0 of 1 ready")),
        step(3, "Check", StepStatus::Skipped, None),
    ];
    let mut world = world(vec![]);
    world.detail = Some(detail(failed, steps));
    let drawn = draw(&world, request("/system/ops/runs/7")).await;
    assert_eq!(drawn.status, 200);
    for said in [
        "<title>Operation #7 · Quarterdeck</title>",
        "Operation #7 · Token refresh",
        "Show all operations",
        "Go to runbooks",
        "Why it stopped",
        "0 of 1 ready",
        "not run",
        "data-ended",
    ] {
        assert!(drawn.html.contains(said), "{said} is missing:\n{}", drawn.html);
    }
    for address in ["/system/ops/runs/8", "/system/ops/runs/eight", "/nowhere"] {
        assert_eq!(draw(&world, request(address)).await.status, 404, "{address}");
    }
}

#[tokio::test]
async fn an_error_has_its_status_its_sentence_and_a_way_out() {
    let errors = [
        (ApiError::Forbidden(Capability::OperationsView), "platform.operations.view"),
        (ApiError::MethodNotAllowed, "does not answer that method"),
        (ApiError::TooLarge, "larger than"),
        (ApiError::Internal("0b7e91c4".to_owned()), "0b7e91c4"),
        (ApiError::Unavailable(Dependency::Database), "Try again"),
    ];
    for (error, said) in errors {
        let mut asked = request("/system/ops/runs");
        asked.failed = Some(error.clone());
        let drawn = draw(&world(vec![]), asked).await;
        assert_eq!(drawn.status, error.status());
        assert!(drawn.html.contains(said), "{said}");
        assert!(drawn.html.contains("Go to the start page"));
    }
}

#[tokio::test]
async fn one_who_may_not_see_operations_sees_neither_them_nor_their_links() {
    let mut asked = request("/system/ops/runs");
    asked.caller = Some(caller(&[Capability::AccessSystemPanel]));
    let drawn = draw(&world(vec![run(7, "Secret name", None)]), asked).await;
    assert_eq!(drawn.status, 403);
    assert!(!drawn.html.contains("Secret name"));
    assert!(!drawn.html.contains("href=\"/system/") && !drawn.html.contains("href=\"/settings/"));
}

#[tokio::test]
async fn nothing_that_was_typed_becomes_markup() {
    for hostile in HOSTILE {
        let mut evil = run(7, hostile, Some(hostile));
        evil.status = Status::Running;
        evil.outcome = Outcome::Failed;
        evil.initiator_name = Some((*hostile).to_owned());
        evil.workspace.name = (*hostile).to_owned();
        evil.error_summary = Some((*hostile).to_owned());
        evil.input = serde_json::json!({ *hostile: [hostile] });
        let mut world = world(vec![evil.clone()]);
        let steps = vec![step(1, hostile, StepStatus::Running, Some(hostile))];
        world.detail = Some(detail(evil, steps));
        world.catalog[0].label = (*hostile).to_owned();
        world.catalog[0].kind = (*hostile).to_owned();
        world.tasks[0].last_error = Some((*hostile).to_owned());
        let query = serde_html_form::to_string([("q", hostile), ("type", hostile)]);
        let list = format!("/system/ops/runs?{}", query.expect("pairs have a spelling"));
        for address in [&list, "/system/ops/runs/7", "/system/ops/runbooks", "/settings/tasks"] {
            let drawn = draw(&world, request(address)).await;
            assert_eq!(drawn.status, 200, "{address}");
            assert!(!drawn.html.contains("<script>alert"), "{address}");
            assert!(!drawn.html.contains("<img"), "{address}");
        }
    }
}

#[tokio::test]
async fn very_long_words_are_cut_or_wrapped_but_drawn() {
    let long = "x".repeat(10_000);
    let mut wide = run(7, &long, Some(&long));
    wide.input = serde_json::json!({ "text": long });
    let mut world = world(vec![]);
    world.page = Ok(page(vec![wide.clone()]));
    world.detail = Some(detail(wide, vec![]));
    assert_eq!(draw(&world, request("/system/ops/runs")).await.status, 200);
    let detail = draw(&world, request("/system/ops/runs/7")).await;
    assert!(detail.html.contains("4000 of 10000 characters"));
}

#[tokio::test]
async fn who_works_on_operations_stands_beside_the_tasks() {
    let mut world = world(vec![]);
    let drawn = draw(&world, request("/settings/tasks")).await;
    assert_eq!(drawn.status, 200);
    for told in ["ops-1:4711", "system, upkeep", "1 alive", "7 s ago"] {
        assert!(drawn.main().contains(told), "{told} is missing in {}", drawn.main());
    }
    world.workers[0].alive = false;
    let drawn = draw(&world, request("/settings/tasks")).await;
    assert!(drawn.main().contains("0 alive") && drawn.main().contains("gone"), "{}", drawn.main());
    world.workers.clear();
    let drawn = draw(&world, request("/settings/tasks")).await;
    assert!(drawn.main().contains("operations wait until a console runs with workers"));
}

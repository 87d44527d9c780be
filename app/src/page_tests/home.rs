//! Home: rows that lead somewhere, a calm empty page, and a page for those who may see nothing of it.

use super::{
    kit::{NOW, World, caller, draw, request, world},
    pages::HOSTILE,
};
use crate::{
    home::model::{Closed, FailedAgain, FailedToday, LeftBy, OpenRow, Severity, WayOn},
    identity::{Capability, model::WorkspaceName},
    time::Micros,
};

const HOUR: i64 = 3_600 * Micros::SECOND;

fn way(label: &str, href: &str) -> WayOn {
    WayOn { label: label.to_owned(), href: href.to_owned() }
}

fn row(key: &str, what: &str) -> OpenRow {
    OpenRow {
        source: "operations",
        key: key.to_owned(),
        what: what.to_owned(),
        why: Some("image pull refused".to_owned()),
        severity: Severity::Bad,
        state: "failed".to_owned(),
        subject: Some("agents-prod".to_owned()),
        workspace: WorkspaceName { id: 1, name: "platform".to_owned() },
        since: NOW.plus(-2 * HOUR),
        count: 12,
        href: "/system/ops/runs/7".to_owned(),
        next: way("Read the runbook", "/system/ops/runbooks/a.b?workspace_id=1"),
        all: Some(way("All of this cause", "/system/ops/failures?fingerprint=f")),
        capability: Capability::OperationsView,
        again: Some(FailedAgain {
            investigated_by: Some("Ada".to_owned()),
            investigated_at: NOW.plus(-5 * HOUR),
            before: way("#3", "/system/ops/runs/3"),
        }),
        expires_at: Some(NOW.plus(160 * HOUR)),
    }
}

fn busy() -> World {
    let mut world = world(vec![]);
    world.work.rows = vec![row("a", "Token refresh stopped at “restart”")];
    world.work.today = Some(FailedToday {
        failed: 37,
        closed_by_success: 31,
        investigated: 4,
        open: 2,
        retried: 0,
        expired: 0,
        cancelled: 3,
        capped: false,
    });
    world.work.closed = vec![Closed {
        what: "#5 Self-check".to_owned(),
        subject: None,
        href: "/system/ops/runs/5".to_owned(),
        left_by: LeftBy::Superseded,
        who: None,
        through: Some(way("#6", "/system/ops/runs/6")),
        at: NOW.plus(-HOUR),
    }];
    world
}

#[tokio::test]
async fn each_row_says_what_why_and_where_to_go() {
    let drawn = draw(&busy(), request("/")).await;
    assert_eq!(drawn.status, 200);
    for said in [
        "<title>Needs a human · Quarterdeck</title>",
        "<h1>1 thing needs a human</h1>",
        "37 failed today",
        ", 31 closed by a later success, 4 investigated, 2 open. 3 cancelled on request.",
        "Since midnight, UTC.",
        "stopped at “restart”",
        "12 times",
        "image pull refused",
        "href=\"/system/ops/runs/7\"",
        "href=\"/system/ops/failures?fingerprint=f\"",
        "Read the runbook",
        "Failed again after ",
        "href=\"/system/ops/runs/3\"",
        "7 days old",
        "superseded by ",
        "href=\"/system/ops/runs/6\"",
        "data-topics=\"operations\"",
    ] {
        assert!(drawn.html.contains(said), "{said} is missing:\n{}", drawn.html);
    }
    assert!(!drawn.main().contains("<form"), "triage stands nowhere but on the detail page");
    assert!(!drawn.html.contains("style="), "the CSP refuses styles in attributes");
    assert!(drawn.html.contains("__RESOLVED_RESOURCES={};"), "pages leave no data behind");
}

#[tokio::test]
async fn nothing_to_do_is_calm_and_says_when_it_looked() {
    let drawn = draw(&world(vec![]), request("/")).await;
    assert!(drawn.html.contains("<h1>Nothing needs a human</h1>"));
    assert!(drawn.html.contains("Looked at") && drawn.html.contains("Nothing failed today."));
    let mut deaf = world(vec![]);
    deaf.work.sources[0].unavailable = Some("The database is not available.".to_owned());
    let drawn = draw(&deaf, request("/")).await;
    assert!(drawn.html.contains("not known right now"), "{}", drawn.html);
    assert!(drawn.html.contains("Open work of operations is unavailable"));
    assert!(!drawn.html.contains("Nothing needs a human"));
}

#[tokio::test]
async fn who_may_see_nothing_is_told_what_they_may() {
    let mut asked = request("/");
    asked.caller = Some(caller(&[]));
    let drawn = draw(&busy(), asked).await;
    assert_eq!(drawn.status, 200);
    for said in ["nothing is granted to you yet", "platform.operations.view", "href=\"/account\""] {
        assert!(drawn.main().contains(said), "{said} is missing:\n{}", drawn.main());
    }
    assert!(!drawn.html.contains("Token refresh"));
    let mut asked = request("/");
    asked.caller = Some(caller(&[Capability::AuditView]));
    let drawn = draw(&busy(), asked).await;
    assert!(drawn.main().contains("href=\"/audit\"") && drawn.main().contains("audit.view"));
    assert!(!drawn.main().contains("href=\"/system/"));
}

#[tokio::test]
async fn nothing_that_was_typed_becomes_markup() {
    for hostile in HOSTILE {
        let mut world = busy();
        let mut evil = row(hostile, hostile);
        evil.why = Some((*hostile).to_owned());
        evil.subject = Some((*hostile).to_owned());
        evil.workspace.name = (*hostile).to_owned();
        evil.again.as_mut().expect("one").investigated_by = Some((*hostile).to_owned());
        world.work.rows = vec![evil];
        world.work.closed[0].who = Some((*hostile).to_owned());
        let drawn = draw(&world, request("/")).await;
        assert_eq!(drawn.status, 200);
        assert!(!drawn.html.contains("<script>alert") && !drawn.html.contains("<img"));
    }
}

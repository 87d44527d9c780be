//! Failures and stuck operations, causes, filters of several values and saved views, as they are drawn.

use super::kit::{NOW, caller, draw, page, request, run, world};
use crate::{
    error::{ApiError, Conflict, Dependency, Rule, Violation},
    identity::Capability,
    operations::{
        filters::List,
        lists::{ClassCount, Count, Counts, FailureGroup},
        model::{Named, Outcome, Status},
        saved_views::SavedView,
        stuck::StuckClass,
    },
    request::RefusedForm,
    time::Micros,
};

const VIEWER: &[Capability] = &[Capability::AccessSystemPanel, Capability::OperationsView];

fn says(html: &str, all: &[&str]) {
    for said in all {
        assert!(html.contains(said), "{said} is missing:\n{html}");
    }
}

fn some(total: i64) -> Count {
    Count { total, total_capped: false }
}

fn view(id: &str, name: &str, shared: bool) -> SavedView {
    SavedView {
        id: id.to_owned(),
        workspace: Named { id: 1, name: "platform".to_owned() },
        list: List::Runs,
        name: name.to_owned(),
        query: "status=running".to_owned(),
        outdated: Vec::new(),
        shared,
        owner_id: "ada".to_owned(),
        owner_name: "Ada".to_owned(),
        changeable: !shared,
        created_at: NOW,
        updated_at: NOW,
    }
}

#[tokio::test]
async fn failures_and_stuck_ones_say_what_they_are_and_lead_back() {
    let mut failed = run(7, "Token refresh", None);
    failed.outcome = Outcome::Failed;
    failed.cancelled = true;
    failed.error_summary = Some("stopped on request".to_owned());
    let mut stuck = run(8, "Token refresh", None);
    (stuck.status, stuck.outcome) = (Status::Queued, Outcome::Pending);
    stuck.stuck_class = Some(StuckClass::NoWorker);
    let mut world = world(vec![failed]);
    world.counts = Counts {
        queued: some(3),
        succeeded: Count { total: 10_000, total_capped: true },
        failed: some(37),
        stuck: some(1),
        stuck_classes: vec![ClassCount { class: StuckClass::NoWorker, count: some(1) }],
        ..Counts::default()
    };
    let failures = draw(&world, request("/system/ops/failures?type=a&type=b")).await;
    assert_eq!(failures.status, 200);
    says(
        &failures.html,
        &[
            "<title>Failed operations · Quarterdeck</title>",
            "Operation #7",
            "cancelled",
            "stopped on request",
            "href=\"/system/ops/runs?type=a&amp;type=b\"",
            "href=\"/system/ops/stuck?type=a&amp;type=b\"",
            "href=\"/system/ops/failures?group=cause&amp;type=a&amp;type=b\"",
            "10,000+",
            "href=\"/system/ops/failures?type=b\"",
        ],
    );
    world.page = Ok(page(vec![stuck]));
    let stuck = draw(&world, request("/system/ops/stuck")).await;
    says(
        &stuck.html,
        &[
            "<h1>Stuck operations</h1>",
            "no worker for 2 min 5 s; late after 30 s",
            "href=\"/system/ops/stuck?stuck_class=no_worker\"",
            "id=\"stuck\"",
        ],
    );
    for drawn in [failures, stuck] {
        let head = drawn.main().split_once("class=\"actions\"").expect("a way out").1;
        let head = head.split_once("</div>").expect("it ends").0;
        assert_eq!(head.matches("<a ").count(), 1, "one way out");
        assert!(drawn.main().contains("Show all operations"));
        assert!(!drawn.html.contains("style="), "the CSP refuses styles in attributes");
        let rows = drawn.main().split_once("<tbody>").expect("rows").1;
        let rows = rows.split_once("</tbody>").expect("they end").0;
        assert_eq!(rows.matches("<a ").count(), 1, "a row is one link");
        assert!(!rows.contains("<button") && !rows.contains("<input"));
    }
}

#[tokio::test]
async fn an_empty_list_leads_to_all_operations_and_a_broken_one_says_so() {
    let mut world = world(vec![]);
    for (path, said) in [
        ("/system/ops/failures", "No failed operations"),
        ("/system/ops/stuck", "No stuck operations"),
        ("/system/ops/failures?group=cause", "No failed operations"),
    ] {
        let drawn = draw(&world, request(path)).await;
        says(&drawn.html, &[said, "Show all operations"]);
    }
    let refused = draw(&world, request("/system/ops/stuck?status=completed&type=x")).await;
    assert_eq!(refused.status, 422);
    says(&refused.html, &["<code>status</code> must be one of", "value=\"x\""]);
    world.page = Err(ApiError::Unavailable(Dependency::Database));
    for path in ["/system/ops/failures", "/system/ops/stuck"] {
        assert_eq!(draw(&world, request(path)).await.status, 503);
        let mut asked = request(path);
        asked.caller = Some(caller(&[Capability::AccessSystemPanel]));
        assert_eq!(draw(&world, asked).await.status, 403);
    }
}

#[tokio::test]
async fn a_filter_takes_several_values_without_a_script() {
    let address = "/system/ops/runs?type=system.self_check&type=gone.type&status=queued&status=running&initiator=Ada";
    let drawn = draw(&world(vec![]), request(address)).await;
    assert_eq!(drawn.status, 200, "{:?}", drawn.location);
    says(
        &drawn.html,
        &[
            "type=\"checkbox\" name=\"status\" value=\"queued\" checked",
            "type=\"checkbox\" name=\"status\" value=\"running\" checked",
            "type=\"checkbox\" name=\"status\" value=\"completed\">",
            "type=\"checkbox\" name=\"type\" value=\"gone.type\" checked",
            "Type: 2 chosen",
            "aria-label=\"Another initiator\"",
        ],
    );
}

#[tokio::test]
async fn causes_are_counted_and_each_leads_to_its_failures() {
    let mut world = world(vec![]);
    world.groups = vec![FailureGroup {
        fingerprint: "f-1".to_owned(),
        kind: "system.self_check".to_owned(),
        type_label: "Self-check".to_owned(),
        code: "timed_out".to_owned(),
        summary: "</td><script>alert(1)</script>".to_owned(),
        failures: 1_234,
        first_seen: NOW.plus(-86_400 * Micros::SECOND),
        last_seen: NOW,
        last_run_id: 48_211,
        workspaces: 2,
    }];
    let drawn = draw(&world, request("/system/ops/failures?group=cause&workspace_id=1")).await;
    assert_eq!(drawn.status, 200);
    says(
        &drawn.html,
        &[
            "1,234",
            "timed_out",
            "in 2 workspaces",
            "href=\"/system/ops/failures?workspace_id=1&amp;fingerprint=f-1\"",
            "href=\"/system/ops/runs/48211\"",
            "<input type=\"hidden\" name=\"group\" value=\"cause\"",
            "href=\"/system/ops/failures?workspace_id=1\"",
        ],
    );
    assert!(!drawn.html.contains("<script>alert"));
}

#[tokio::test]
async fn views_stand_in_the_filter_bar_for_whoever_may_what() {
    let mut world = world(vec![]);
    let mut old = view("v-3", "Old", false);
    old.outdated = vec![Violation::new("colour", Rule::UnknownField)];
    world.views = vec![view("v-1", "Ours <b>", true), view("v-2", "Mine", false), old];
    let drawn = draw(&world, request("/system/ops/runs?status=running")).await;
    says(
        &drawn.html,
        &[
            "Saved views (3)",
            "Ours &lt;b&gt;",
            "platform, by Ada",
            "href=\"/system/ops/runs?status=running\" aria-current=\"true\"",
            "Cannot be shown any more",
            "Everybody in the workspace",
            "name=\"query\" value=\"status=running\"",
        ],
    );
    let changes = drawn.main().matches("value=\"rename_view\"").count();
    assert_eq!(changes, 2, "the shared one is not hers to change");

    let mut asked = request("/system/ops/runs");
    asked.caller = Some(caller(VIEWER));
    let drawn = draw(&world, asked).await;
    assert!(!drawn.html.contains("Everybody in the workspace"));
    assert!(drawn.html.contains("<code>platform.operations.manage</code>"));

    let mut asked = request("/system/ops/runs?status=running");
    asked.refused = Some(RefusedForm {
        form: "save_view",
        values: vec![("name".to_owned(), "\"><script>".to_owned())],
        error: ApiError::Conflict(Conflict::NameTaken),
    });
    let drawn = draw(&world, asked).await;
    says(&drawn.html, &["value=\"&quot;&gt;&lt;script&gt;\"", "Not done"]);
}

//! The detail page beyond its steps: log, progress, lineage, the difference from the last success, the runbook.

use serde_json::json;

use super::kit::{NOW, World, detail, draw, request, run, step, world};
use crate::{
    operations::{
        lineage::{Lineage, LineageRun},
        log::{Level, LogLine},
        model::{OperationRun, Outcome, Status, StepStatus},
        since::{Found, Side, SinceLastSuccess},
    },
    time::Micros,
};

fn line(seq: i64, level: Level, text: &str) -> LogLine {
    LogLine { seq, at: NOW.plus(seq * 1_000), level, line: text.to_owned() }
}

fn shows(run: OperationRun) -> World {
    let mut world = world(vec![]);
    world.detail = Some(detail(run, vec![]));
    world
}

async fn page(world: &World, address: &str) -> String {
    let drawn = draw(world, request(address)).await;
    assert_eq!(drawn.status, 200);
    drawn.main().to_owned()
}

fn has(html: &str, wanted: &[&str]) {
    for said in wanted {
        assert!(html.contains(said), "{said} is missing:\n{html}");
    }
}

#[tokio::test]
async fn the_last_lines_are_there_without_script_and_lead_to_the_rest() {
    let mut world = shows(run(7, "Self-check", None));
    world.lines = (1..=450).map(|n| line(n, Level::Info, &format!("line {n} of it"))).collect();
    let html = page(&world, "/system/ops/runs/7").await;
    has(
        &html,
        &[
            "lines 251 to 450",
            "href=\"/system/ops/runs/7/log\"",
            "href=\"/system/ops/runs/7?log_before=251#log\"",
            "line 450 of it",
            "data-seq=\"251\"",
        ],
    );
    assert!(!html.contains("line 250 of it") && !html.contains("Newest lines"));
    let older = page(&world, "/system/ops/runs/7?log_before=251").await;
    has(&older, &["lines 51 to 250", "log_before=51#log", "href=\"/system/ops/runs/7#log\""]);
    let first = page(&world, "/system/ops/runs/7?log_before=51").await;
    assert!(!first.contains("Older lines"));
    has(&page(&world, "/system/ops/runs/7?log_before=x").await, &["lines 251 to 450"]);
    has(&page(&world, "/system/ops/runs/7?log_before=1").await, &["There are no older lines."]);
}

#[tokio::test]
async fn an_empty_log_says_why() {
    for (status, said) in [
        (Status::Queued, "it has not begun"),
        (Status::Running, "Nothing yet."),
        (Status::Completed, "kept long enough and pruned"),
    ] {
        let mut run = run(7, "Self-check", None);
        run.status = status;
        has(&page(&shows(run), "/system/ops/runs/7").await, &[said]);
    }
}

#[tokio::test]
async fn hostile_lines_are_text_and_are_seen() {
    let mut world = shows(run(7, "Self-check", None));
    world.lines = vec![
        line(1, Level::Error, "<script>alert(1)</script></li></ol><img src=x onerror=alert(1)>"),
        line(2, Level::Warn, "\u{1b}[31mred\u{1b}[0m \u{1b}[2J \u{7}"),
        line(3, Level::Info, "invoice\u{202e}fdp.exe"),
        line(4, Level::Info, &"x".repeat(4_000)),
        line(5, Level::Info, "one\n2026-11-21T09:29:51Z info forged"),
    ];
    let html = page(&world, "/system/ops/runs/7").await;
    has(
        &html,
        &[
            "&lt;script&gt;alert(1)",
            "red ␛[2J ␇",
            "invoice‹U+202E›fdp.exe",
            "<b>error</b>",
            "<b>warn</b>",
            "class=\"error\"",
        ],
    );
    assert!(!html.contains("<script>alert") && !html.contains("<img src=x"));
    assert!(!html.contains('\u{1b}') && !html.contains('\u{202e}') && !html.contains('\u{7}'));
    assert_eq!(html.matches("<li data-seq").count(), 5);
    assert_eq!(
        world.lines[4].in_file().lines().nth(1),
        Some("    2026-11-21T09:29:51Z info forged")
    );
}

#[tokio::test]
async fn a_running_one_shows_how_far_it_is_and_what_was_interrupted() {
    let mut running = run(7, "Prune", None);
    running.status = Status::Running;
    running.outcome = Outcome::Pending;
    running.completed_at = None;
    running.progress = Some(40);
    running.attempt = 2;
    let mut late = step(2, "Second", StepStatus::Running, None);
    late.started_at = Some(NOW.plus(120 * Micros::SECOND));
    late.completed_at = None;
    let mut first = step(1, "First", StepStatus::Succeeded, Some("done"));
    first.completed_at = Some(NOW.plus(2 * Micros::SECOND));
    let mut world = world(vec![]);
    world.detail = Some(detail(running.clone(), vec![first.clone(), late.clone()]));
    let html = page(&world, "/system/ops/runs/7").await;
    has(
        &html,
        &[
            "<progress max=\"100\" value=\"40\"",
            "40 % done",
            "interrupted once and taken up again",
            "Began after a pause of 1 min 58 s",
        ],
    );
    running.status = Status::Queued;
    running.attempt = 1;
    world.detail = Some(detail(running, vec![first, late]));
    let html = page(&world, "/system/ops/runs/7").await;
    has(&html, &["interrupted</span>"]);
    assert!(!html.contains("% done") && !html.contains("so far"));
}

fn tried(id: i64, parent: Option<i64>, outcome: Outcome) -> LineageRun {
    LineageRun {
        id,
        status: Status::Completed,
        outcome,
        cancelled: false,
        initiator_kind: "user".to_owned(),
        initiator_name: Some("<b>Ann</b>".to_owned()),
        retry_of_run_id: parent,
        created_at: NOW.plus(-id),
        completed_at: Some(NOW),
    }
}

#[tokio::test]
async fn a_chain_is_told_oldest_first_and_a_past_failure_says_so() {
    let mut failed = run(7, "Token refresh", None);
    failed.outcome = Outcome::Failed;
    let mut shown = detail(failed, vec![]);
    let runs = vec![
        tried(3, None, Outcome::Failed),
        tried(7, Some(5), Outcome::Failed),
        tried(9, Some(7), Outcome::Succeeded),
    ];
    let superseded_by = runs.last().cloned();
    shown.lineage = Lineage { runs, total: 4, position: 3, first_is_gone: false, superseded_by };
    let mut world = world(vec![]);
    world.detail = Some(shown.clone());
    let html = page(&world, "/system/ops/runs/7").await;
    has(
        &html,
        &[
            "This failure is past",
            "Superseded by",
            "href=\"/system/ops/runs/9\"",
            "3 of 4",
            "1 more are not shown here.",
            "· this one",
            "&lt;b&gt;Ann",
        ],
    );
    let places = ["Operation #3<", "Operation #7<", "Operation #9<"].map(|name| html.rfind(name));
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{places:?}");
    shown.lineage = Lineage { total: 1, position: 1, ..Lineage::default() };
    world.detail = Some(shown);
    assert!(!page(&world, "/system/ops/runs/7").await.contains("Lineage"));
}

#[tokio::test]
async fn the_difference_from_the_last_success_is_told_or_its_absence() {
    let (before, after) = (json!({"image": "2.4.0"}), json!({"image": "</dd><script>"}));
    let old = [step(1, "Pull", StepStatus::Succeeded, None)];
    let new = [step(1, "Pull", StepStatus::Failed, None)];
    let side = |id, input, steps, wait| Side {
        id,
        input,
        steps,
        attempt: 1,
        due_at: NOW,
        started_at: Some(NOW.plus(wait)),
        completed_at: Some(NOW.plus(wait + 1_000)),
    };
    let since = SinceLastSuccess::between(
        &side(5, &before, &old, 1_000_000),
        &side(7, &after, &new, 90_000_000),
    );
    let mut world = shows(run(7, "Token refresh", None));
    let mut shown = world.detail.clone().expect("just set");
    shown.since_last_success = since;
    world.detail = Some(shown.clone());
    let html = page(&world, "/system/ops/runs/7").await;
    has(
        &html,
        &[
            "Since the last success",
            "href=\"/system/ops/runs/5\"",
            "2.4.0",
            "&lt;/dd&gt;&lt;script&gt;",
            "Step “Pull”",
            "succeeded",
            "1.0 s → 1 min 30 s, 90 times as long",
        ],
    );
    for (found, said) in [
        (Found::NoneKept, "had not succeeded on this target"),
        (Found::NoneNear, "the 1,000 runs of this type"),
    ] {
        shown.since_last_success = SinceLastSuccess::nothing(found);
        world.detail = Some(shown.clone());
        has(&page(&world, "/system/ops/runs/7").await, &[said]);
    }
}

#[tokio::test]
async fn the_runbook_begins_on_the_page() {
    let html = page(&shows(run(7, "Self-check", None)), "/system/ops/runs/7").await;
    let whole = "href=\"/system/ops/runbooks/system.self_check?workspace_id=1\"";
    has(&html, &["Read the failed <em>step", whole, "Whole runbook", "&lt;script&gt;"]);
    assert!(!html.contains("<h3>When it fails"), "the page has a title of its own");
    let mut unknown = run(7, "Gone", None);
    unknown.kind = "gone.type".to_owned();
    assert!(!page(&shows(unknown), "/system/ops/runs/7").await.contains("Whole runbook"));
}

//! Runbooks: the list of types, and a type's page with its form, its text and its versions.

use super::{
    kit::{NOW, caller, draw, request, world},
    pages::HOSTILE,
};
use crate::{
    error::{ApiError, Conflict},
    identity::Capability,
    operations::{
        inputs::{FieldChoice, FieldKind, InputField},
        runbooks::RunbookVersion,
    },
    request::{Flash, Posted, RefusedForm},
};

const PAGE: &str = "/system/ops/runbooks/system.self_check";
const VIEWER: &[Capability] = &[Capability::AccessSystemPanel, Capability::OperationsView];

const INPUTS: &[InputField] = &[
    InputField {
        name: "deployment",
        label: "Deployment",
        help: "What is restarted.",
        required: true,
        kind: FieldKind::Text { max: 60 },
    },
    InputField {
        name: "mode",
        label: "Mode",
        help: "How.",
        required: false,
        kind: FieldKind::Choice { choices: &[FieldChoice { value: "fast", label: "Fast" }] },
    },
    InputField {
        name: "count",
        label: "Count",
        help: "How many.",
        required: false,
        kind: FieldKind::Integer { min: 1, max: 9 },
    },
    InputField {
        name: "dry",
        label: "Only look",
        help: "Changes nothing.",
        required: false,
        kind: FieldKind::Bool,
    },
];

fn refused(form: &'static str, values: &[(&str, &str)], error: ApiError) -> RefusedForm {
    let values = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    RefusedForm { form, values, error }
}

fn version(version: i64, markdown: &str) -> RunbookVersion {
    RunbookVersion {
        version,
        markdown: markdown.to_owned(),
        author_id: "u-1".to_owned(),
        author_name: "Ada".to_owned(),
        created_at: NOW,
    }
}

#[tokio::test]
async fn the_list_starts_for_those_who_may_and_says_what_is_missing() {
    let mut world = world(vec![]);
    let mut asked = request("/system/ops/runbooks");
    asked.flash = Some(Flash::OperationStarted(48_212));
    let drawn = draw(&world, asked).await;
    for said in [
        "<input type=\"hidden\" name=\"type\" value=\"system.self_check\"",
        "value=\"f-1.system.self_check\"",
        "href=\"/system/ops/runs/48212\"",
        "id=\"system.self_check\"",
        "href=\"/system/ops/runbooks/system.self_check\"",
    ] {
        assert!(drawn.html.contains(said), "{said} is missing:\n{}", drawn.html);
    }
    world.inputs = INPUTS.to_vec();
    let drawn = draw(&world, request("/system/ops/runbooks")).await;
    assert!(drawn.main().contains("href=\"/system/ops/runbooks/system.self_check#start\""));
    assert!(
        !drawn.main().contains("name=\"type\""),
        "what must be said first has a form of its own"
    );

    world.catalog[0].startable = false;
    let drawn = draw(&world, request("/system/ops/runbooks")).await;
    assert!(drawn.html.contains("platform.operations.manage"));
    assert!(!drawn.main().contains("<form"), "what may not be done is absent");

    let mut asked = request("/system/ops/runbooks");
    let error = ApiError::Conflict(Conflict::AlreadyActive);
    asked.refused = Some(refused("start", &[("type", "no.such")], error));
    let drawn = draw(&world, asked).await;
    assert_eq!(drawn.status, 409);
    assert!(drawn.html.contains("already active"));
}

#[tokio::test]
async fn the_list_is_searched() {
    let world = world(vec![]);
    let found = draw(&world, request("/system/ops/runbooks?q=self+STANDS")).await;
    assert!(found.main().contains("system.self_check"));
    let none = draw(&world, request("/system/ops/runbooks?q=moon")).await;
    assert!(none.main().contains("No runbook matches") && none.main().contains("value=\"moon\""));
    assert!(none.main().contains("Show all runbooks"));
}

#[tokio::test]
async fn a_type_says_how_it_is_done_and_asks_for_what_it_takes() {
    let mut world = world(vec![]);
    world.inputs = INPUTS.to_vec();
    let drawn = draw(&world, request(PAGE)).await;
    assert_eq!(drawn.status, 200);
    for said in [
        "<title>Runbook · Quarterdeck</title>",
        "<h1>Self-check</h1>",
        "never starts again by itself: it moves money.",
        "1 min, as the type declares: 3 successes are too few to learn from",
        "every 5 minutes",
        "in 4 min",
        "href=\"/system/ops/runs/48211\"",
        "name=\"input.deployment\"",
        "name=\"input.mode\"",
        "max=\"9\"",
        "type=\"checkbox\" name=\"input.dry\"",
        "name=\"key\" value=\"f-1\"",
        "of the product",
        "&lt;script&gt;alert(1)",
        "<option value=\"7\">",
        "<textarea",
    ] {
        assert!(drawn.html.contains(said), "{said} is missing:\n{}", drawn.html);
    }
    assert!(!drawn.html.contains("style="), "the CSP refuses styles in attributes");
    let missing = draw(&world, request("/system/ops/runbooks/no.such")).await;
    assert_eq!(missing.status, 404);
    assert!(missing.html.contains("Show all runbooks"));
}

#[tokio::test]
async fn who_may_neither_start_nor_write_sees_no_form() {
    let mut world = world(vec![]);
    world.catalog[0].startable = false;
    world.versions = vec![version(1, "ours")];
    let mut asked = request(&format!("{PAGE}?workspace_id=1&version=1"));
    asked.caller = Some(caller(VIEWER));
    let drawn = draw(&world, asked).await;
    let main = drawn.main();
    assert_eq!(drawn.status, 200);
    assert!(!main.contains("method=\"post\""), "what may not be done is absent");
    assert!(
        main.contains("platform.operations.manage") && main.contains("platform.runbooks.manage")
    );
    assert!(main.contains("ours") && main.contains("version 1 of platform"));
    // A forged form is told why, on the same page.
    let mut asked = request(PAGE);
    asked.caller = Some(caller(VIEWER));
    let error = ApiError::Forbidden(Capability::RunbooksManage);
    asked.refused = Some(refused("save", &[("markdown", "x")], error));
    let drawn = draw(&world, asked).await;
    assert_eq!(drawn.status, 403);
    assert!(drawn.main().contains("Not saved"));
}

#[tokio::test]
async fn versions_are_compared_and_can_be_brought_back() {
    let mut world = world(vec![]);
    world.versions = vec![version(3, ""), version(2, "one\ntwo"), version(1, "one")];
    let drawn = draw(&world, request(&format!("{PAGE}?workspace_id=1&version=2"))).await;
    for said in [
        "Version 2 against version 1",
        "<ins>+ two",
        "  one",
        "brought the product’s back",
        "of the product again, brought back by ",
        "name=\"restore\" value=\"2\"",
        "name=\"version\" value=\"3\"",
    ] {
        assert!(drawn.html.contains(said), "{said} is missing:\n{}", drawn.html);
    }
    let newest = draw(&world, request(&format!("{PAGE}?workspace_id=1&version=3"))).await;
    assert!(newest.main().contains("<del>- two") && !newest.main().contains("name=\"restore\""));
    let none = draw(&world, request(&format!("{PAGE}?workspace_id=1&version=9"))).await;
    assert!(none.main().contains("not in the list"));
}

#[tokio::test]
async fn what_was_typed_comes_back_and_stays_text() {
    for hostile in HOSTILE {
        let mut world = world(vec![]);
        world.inputs = INPUTS.to_vec();
        let mut own = version(1, hostile);
        own.author_name = (*hostile).to_owned();
        world.versions = vec![own];
        world.catalog[0].label = (*hostile).to_owned();
        let mut asked = request(&format!("{PAGE}?workspace_id=1&version=1"));
        let error = ApiError::Conflict(Conflict::Changed);
        asked.refused = Some(refused("save", &[("markdown", hostile), ("version", "0")], error));
        let drawn = draw(&world, asked).await;
        assert_eq!(drawn.status, 409);
        assert!(!drawn.html.contains("<script>alert") && !drawn.html.contains("<img"));
        assert!(drawn.main().contains("somebody else was faster"));
        let mut asked = request(PAGE);
        let values = [("input.deployment", *hostile), ("input.dry", "true"), ("target", *hostile)];
        asked.refused =
            Some(refused("start", &values, ApiError::Conflict(Conflict::AlreadyActive)));
        let drawn = draw(&world, asked).await;
        assert!(!drawn.html.contains("<script>alert") && !drawn.html.contains("<img"));
        assert!(drawn.main().contains("checked"), "a ticked box stays ticked");
        let mut asked = request(PAGE);
        let values = vec![("markdown".to_owned(), (*hostile).to_owned())];
        asked.posted = Some(Posted { form: "save", values });
        let drawn = draw(&world, asked).await;
        assert_eq!(drawn.status, 200);
        assert!(drawn.main().contains("Preview, not saved yet"));
        assert!(!drawn.html.contains("<script>alert") && !drawn.html.contains("<img"));
    }
}

//! `/system/ops/runbooks/{type}`: what it does, what to do when it fails, and the form that starts it.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    runbook_text::{Sent, text_card, versions_card},
    runbooks::durations,
    start_form::start_card,
};
use crate::{
    audit::parts::{AuditPanel, PanelContent, load_panel},
    error::{ApiError, Expected, Rule},
    identity::enter,
    operations::{
        View,
        model::{LastRun, Status},
        parts::{OutcomeBadge, RunStatus},
        runbooks::{Desk, Runbooks},
        stuck::{Budget, BudgetSource},
        triage::Safety,
    },
    paths,
    request::PageRequest,
    ui::{
        Card, Clockface, Crumb, Fact, Facts, Moment, PageHead, PageTitle, SetTitle, chart::Chart,
        failure::Failure, inputs, load, moment,
    },
};

/// Of what came before, so many are named.
const RECENT: usize = 10;

#[component]
pub fn RunbookPage() -> impl IntoView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    let kind = use_params_map().with_untracked(|params| params.get("type").unwrap_or_default());
    let workspace_id = number(&request, "workspace_id");
    let audit = load_panel("runbook", kind.clone());
    let content = load(move || fetch(kind.clone(), workspace_id.clone()));
    view! {
        <SetTitle title=PageTitle::Runbook />
        <Suspense>
            {move || {
                let request = request.clone();
                Suspend::new(async move {
                    let (content, audit) = (content.await, audit.await);
                    match &*content {
                        Ok(desk) => draw(desk, (*audit).clone(), &request),
                        Err(error) => {
                            let way_out = ("Show all runbooks", paths::runbooks());
                            view! { <Failure error=error.clone() way_out /> }.into_any()
                        }
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

/// A whole number of the address, if it has one.
fn number(request: &PageRequest, key: &str) -> Result<Option<i64>, ApiError> {
    let Some(text) = request.value(key).filter(|text| !text.is_empty()) else { return Ok(None) };
    let malformed = Rule::Malformed { expected: Expected::Integer };
    text.parse().map(Some).map_err(|_| ApiError::invalid(key, malformed))
}

fn fetch(
    kind: String,
    workspace_id: Result<Option<i64>, ApiError>,
) -> impl Future<Output = Result<Desk, ApiError>> + Send {
    let entered = enter::<View, dyn Runbooks>();
    async move {
        let (permit, runbooks) = entered.await?;
        runbooks.desk(&permit, &kind, workspace_id?).await
    }
}

fn draw(
    desk: &Desk,
    audit: Option<Result<PanelContent, ApiError>>,
    request: &PageRequest,
) -> AnyView {
    let clock = Clockface::of(request);
    let sent = Sent { refused: request.refused.as_ref(), posted: request.posted.as_ref() };
    let version = number(request, "version").ok().flatten();
    let title = desk.entry.label.clone();
    let crumbs = vec![
        Crumb::link("Operations", paths::runs()),
        Crumb::link("Runbooks", paths::runbooks()),
        Crumb::here(title.clone()),
    ];
    let actions = view! {
        <a class="btn" href=paths::runs()>
            "Show all operations"
        </a>
    };
    let lede = desk.entry.summary.clone();
    view! {
        <PageHead title crumbs lede=lede.into_any() actions=actions.into_any() />
        {chooser(desk)}
        <div class="cols">
            <div class="stack">
                {text_card(desk, sent, &clock)}
                {versions_card(desk, version, sent, &clock)}
            </div>
            <aside class="stack">
                {start_card(desk, sent.refused, &clock)}
                {facts(desk, &clock)}
                {recent(desk, &clock)}
                <AuditPanel content=audit clock=clock.clone() />
            </aside>
        </div>
    }
    .into_any()
}

/// Whose runbook: part of the address, so that a link means the same to everyone who may follow it.
fn chooser(desk: &Desk) -> Option<AnyView> {
    if desk.workspaces.len() < 2 {
        return None;
    }
    let here = desk.runbook.workspace.id.to_string();
    let choices = desk.workspaces.iter().map(|w| (w.id.to_string(), w.name.clone()));
    let form = view! {
        <form class="seek" action=paths::runbook(&desk.entry.kind, None)>
            {inputs::select("Workspace", "workspace_id", choices, Some(&here))}
            <button class="btn">"Show"</button>
        </form>
    };
    Some(form.into_any())
}

fn facts(desk: &Desk, clock: &Clockface) -> AnyView {
    let treatment = &desk.treatment;
    let schedule = desk.entry.schedule.clone().unwrap_or_else(|| "never".to_owned());
    let next = treatment.next_at.filter(|_| desk.entry.schedule.is_some()).map(|at| {
        view! { ", next " <Moment at clock=clock.clone() /> }
    });
    let again = match &treatment.not_retryable_because {
        None => "can be retried by hand".to_owned(),
        Some(why) => format!("cannot be retried: {why}"),
    };
    let cancel = if treatment.cancelable { "can be cancelled" } else { "cannot be cancelled" };
    let at_once = match (treatment.at_once, treatment.at_once_per_target) {
        (None, None) => "as many as there are workers".to_owned(),
        (Some(n), None) => format!("{n}"),
        (None, Some(n)) => format!("{n} for each target"),
        (Some(n), Some(each)) => format!("{n}, and {each} for each target"),
    };
    let (kind, declared) = (desk.entry.kind.clone(), desk.entry.capability.as_str());
    let lost = safety(&treatment.retry_safety);
    let budget = budget(&treatment.budget);
    let queue = treatment.queue.clone();
    view! {
        <Card title="How it is done">
            <Facts>
                <Fact name="Type"><code>{kind}</code></Fact>
                <Fact name="Capability"><code>{declared}</code></Fact>
                <Fact name="When its worker is lost">{lost}</Fact>
                <Fact name="After a failure">{again}</Fact>
                <Fact name="On its way">{cancel}</Fact>
                <Fact name="Budget">{budget}</Fact>
                <Fact name="At once">{at_once}</Fact>
                <Fact name="Queue">{queue}</Fact>
                <Fact name="Starts by itself">{schedule} {next}</Fact>
            </Facts>
        </Card>
    }
    .into_any()
}

/// The contract about repeating, in words.
fn safety(safety: &Safety) -> String {
    match safety {
        Safety::Safe => "starts again by itself: doing it twice does no harm".to_owned(),
        Safety::Resumable => "goes on by itself after its last finished step".to_owned(),
        Safety::Unsafe { why } => format!("never starts again by itself: {why}"),
    }
}

fn budget(budget: &Budget) -> String {
    let span = moment::span(budget.micros);
    match budget.source {
        BudgetSource::Declared { successes: 0 } => format!("{span}, as the type declares"),
        BudgetSource::Declared { successes } => {
            format!("{span}, as the type declares: {successes} successes are too few to learn from")
        }
        BudgetSource::Successes { successes, p99_micros } => format!(
            "{span}, learnt from the newest {successes} successes, 99 % of which took {} at most",
            moment::span(p99_micros)
        ),
    }
}

fn recent(desk: &Desk, clock: &Clockface) -> AnyView {
    let active = desk.entry.last_run.iter().filter(|run| run.status != Status::Completed);
    let runs: Vec<&LastRun> = active.chain(&desk.entry.recent_runs).take(RECENT).collect();
    let body = if runs.is_empty() {
        view! { <p class="faint">"It was not done yet."</p> }.into_any()
    } else {
        let lines = runs.into_iter().map(|run| line(run, clock)).collect_view();
        let chart = durations(&desk.entry).map(|bars| view! { <Chart bars /> });
        view! {
            {chart}
            <ul class="plain stack tight">{lines}</ul>
        }
        .into_any()
    };
    view! {
        <Card title="Last operations">
            <div class="stack tight">{body}</div>
        </Card>
    }
    .into_any()
}

fn line(run: &LastRun, clock: &Clockface) -> AnyView {
    let badge = if run.status == Status::Completed {
        view! { <OutcomeBadge outcome=run.outcome /> }.into_any()
    } else {
        view! { <RunStatus status=run.status /> }.into_any()
    };
    view! {
        <li>
            <a href=paths::run(run.id)>{format!("#{}", run.id)}</a>
            " "
            {badge}
            " "
            <Moment at=run.created_at clock=clock.clone() />
        </li>
    }
    .into_any()
}

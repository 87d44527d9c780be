//! `/system/ops/runs/{id}`: what happened on this operation, and what follow-up is appropriate?

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    run_lineage::{LineageCard, SupersededNote},
    run_log::{LogCard, LogContent, load_log},
    run_parts::{ErrorCard, FactsCard, Happened, InputCard, ProgressBar},
    run_runbook::{RunbookCard, RunbookContent, Shelf},
    run_since::SinceCard,
};
use crate::{
    audit::parts::{AuditPanel, PanelContent, load_panel},
    error::{ApiError, Thing},
    events,
    operations::{
        View, enter,
        model::{OperationDetail, OperationRun, Outcome, Status},
        parts::{EvidenceCard, LiveRun, OutcomeBadge, RunStatus, StuckBadge, TriageForms},
    },
    paths,
    request::PageRequest,
    ui::{
        Clockface, CopyId, Crumb, Moment, PageHead, PageTitle, SetTitle, failure::Failure, load,
        moment,
    },
};

/// The live sections, the first of which says how the run stands. The log stands between two of them: it has
/// an island, so it is never swapped.
const STANDING: &str = "standing";
const TRIAGE: &str = "triage";
const CONTENT: &str = "operation";
const COMPARED: &str = "operation-compared";
const ASIDE: &str = "operation-facts";

/// What stands beside the run itself, each of which may be missing without harm.
struct Beside {
    log: Result<LogContent, ApiError>,
    audit: Option<Result<PanelContent, ApiError>>,
    runbook: Option<RunbookContent>,
}

/// The run, and the runbook of its type.
type Main = (OperationDetail, Option<RunbookContent>);

#[component]
pub fn RunPage() -> impl IntoView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    let asked = use_params_map().with_untracked(|params| params.get("id").unwrap_or_default());
    let audit = load_panel("operation", asked.clone());
    let log = load_log(asked.clone());
    let content = load(move || fetch(asked.clone()));
    let clock = Clockface::of(&request);
    view! {
        <Suspense>
            {move || {
                let clock = clock.clone();
                Suspend::new(async move {
                    let (content, audit, log) = (content.await, audit.await, log.await);
                    let (audit, log) = ((*audit).clone(), (*log).clone());
                    match &*content {
                        Ok((detail, runbook)) => {
                            let runbook = runbook.clone();
                            draw(detail, Beside { log, audit, runbook }, &clock)
                        }
                        Err(error) => {
                            let way_out = ("Show all operations", paths::runs());
                            view! { <Failure error=error.clone() way_out /> }.into_any()
                        }
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

/// An id that is no number names nothing, so it is answered like one that does not exist.
fn fetch(asked: String) -> impl Future<Output = Result<Main, ApiError>> + Send {
    let (entered, shelf) = (enter::<View>(), Shelf::from_context());
    async move {
        let (permit, operations) = entered.await?;
        let id = asked.parse().map_err(|_| ApiError::NotFound(Thing::Operation))?;
        let detail = operations.get(&permit, id).await?;
        let runbook = shelf.find(&permit, &detail.run).await;
        Ok((detail, runbook))
    }
}

fn draw(detail: &OperationDetail, beside: Beside, clock: &Clockface) -> AnyView {
    let run = &detail.run;
    let title = format!("Operation #{} · {}", run.id, run.type_label);
    let crumbs = vec![
        Crumb::link("Operations", paths::runs()),
        Crumb::here(format!("Operation #{}", run.id)),
    ];
    let actions = view! {
        <a class="btn" href=paths::runs()>
            "Show all operations"
        </a>
        <a class="btn" href=paths::runbooks()>
            "Go to runbooks"
        </a>
    };
    view! {
        <SetTitle title=PageTitle::Operation(run.id) />
        <PageHead title crumbs actions=actions.into_any() />
        <section id=TRIAGE class="triage" data-topics=events::OPERATIONS data-keep-open>
            <TriageForms detail=detail.clone() />
        </section>
        <div class="filterline">
            <section
                id=STANDING
                data-topics=events::OPERATIONS
                data-said=said(detail)
                data-ended=(run.status == Status::Completed).then_some("")
            >
                <p class="lede">{standing(detail, clock)}</p>
                <ProgressBar run=run.clone() />
            </section>
            <span class="faint">
                "id "
                <CopyId text=run.id.to_string() />
            </span>
            {live(detail)}
        </div>
        {content(detail, beside, clock)}
    }
    .into_any()
}

fn content(detail: &OperationDetail, beside: Beside, clock: &Clockface) -> AnyView {
    let run = &detail.run;
    let Beside { log, audit, runbook } = beside;
    let evidence = detail
        .stuck
        .clone()
        .map(|evidence| view! { <EvidenceCard evidence clock=clock.clone() /> });
    let (lineage, since) = (detail.lineage.clone(), detail.since_last_success.clone());
    view! {
        <div class="cols">
            <div class="stack">
                <section id=CONTENT class="stack" data-topics=events::OPERATIONS>
                    <SupersededNote detail=detail.clone() clock=clock.clone() />
                    <ErrorCard run=run.clone() />
                    {evidence}
                    <Happened detail=detail.clone() clock=clock.clone() />
                </section>
                <LogCard id=run.id content=log clock=clock.clone() />
                <section id=COMPARED class="stack" data-topics=events::OPERATIONS>
                    <SinceCard since clock=clock.clone() />
                    <InputCard run=run.clone() />
                </section>
            </div>
            <aside id=ASIDE class="stack" data-topics=events::OPERATIONS>
                <FactsCard run=run.clone() clock=clock.clone() />
                <LineageCard id=run.id lineage clock=clock.clone() />
                <RunbookCard content=runbook />
                <AuditPanel content=audit clock=clock.clone() />
            </aside>
        </div>
    }
    .into_any()
}

fn live(detail: &OperationDetail) -> Option<AnyView> {
    (detail.run.status != Status::Completed).then(|| {
        view! {
            <LiveRun
                stream=paths::events_stream()
                topic=events::OPERATIONS.to_owned()
                id=detail.run.id
                sections=[STANDING, TRIAGE, CONTENT, COMPARED, ASIDE].map(str::to_owned).to_vec()
            />
        }
        .into_any()
    })
}

/// How the run stands, for those who hear the page.
fn said(detail: &OperationDetail) -> String {
    match (detail.run.status, current_step(detail)) {
        (Status::Running, Some(step)) => format!("Running: {step}."),
        (Status::Completed, _) => format!("Completed, {}.", detail.run.outcome.as_str()),
        (status, _) => format!("Now {}.", status.as_str()),
    }
}

fn current_step(detail: &OperationDetail) -> Option<&str> {
    use crate::operations::model::StepStatus::{Failed, Running};
    let wanted = if detail.run.status == Status::Completed { Failed } else { Running };
    detail.steps.iter().find(|step| step.status == wanted).map(|step| step.label.as_str())
}

/// What stands between the request to end it and its end.
fn cancelling(run: &OperationRun, clock: &Clockface) -> Option<AnyView> {
    let asked =
        run.context.pointer("/triage/cancelled").filter(|_| run.status == Status::Running)?;
    let at = asked.get("at").and_then(|at| serde_json::from_value(at.clone()).ok())?;
    let by = asked.get("by").and_then(|by| by.as_str()).unwrap_or("somebody").to_owned();
    Some(
        view! {
            <span>
                " " {by} " asked for its end " <Moment at clock=clock.clone() />
                "; its worker has not ended it yet."
            </span>
        }
        .into_any(),
    )
}

/// "completed failed at “restart the deployment”, 2 h ago, after 2 min 9 s".
fn standing(detail: &OperationDetail, clock: &Clockface) -> AnyView {
    let run = &detail.run;
    let target = run.target_label.clone().or_else(|| run.target.clone());
    let target = target.map(|target| view! { <span class="mono dim">{target}</span> " " });
    let at = current_step(detail).map(|step| format!(" at “{step}”"));
    let end = match (run.started_at, run.completed_at) {
        (Some(started), Some(completed)) => {
            let took = moment::span(completed.since(started));
            view! { ", " <Moment at=completed clock=clock.clone() /> {format!(", after {took}")} }
                .into_any()
        }
        (Some(started), None) => {
            view! { ", started " <Moment at=started clock=clock.clone() /> }.into_any()
        }
        (None, _) if run.scheduled_at > clock.now => {
            view! { ", due " <Moment at=run.scheduled_at clock=clock.clone() /> }.into_any()
        }
        (None, _) => view! { ", waiting for a worker" }.into_any(),
    };
    let stuck = run.stuck_class.map(|class| view! { " " <StuckBadge class /> });
    let attempt = (run.attempt > 1).then(|| format!(" This is attempt {}.", run.attempt));
    let full_stop =
        if run.outcome == Outcome::Pending && run.completed_at.is_none() { "" } else { "." };
    view! {
        {target}
        <RunStatus status=run.status />
        " "
        <OutcomeBadge outcome=run.outcome />
        {stuck}
        <span>{at} {end} {full_stop} {attempt}</span>
        {cancelling(run, clock)}
    }
    .into_any()
}

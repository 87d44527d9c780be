//! `/system/ops/runs/{id}`: what happened on this operation, and what follow-up is appropriate?

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::run_parts::{ErrorCard, FactsCard, Happened, InputCard};
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

/// The live sections, the first of which says how the run stands.
const STANDING: &str = "standing";
const TRIAGE: &str = "triage";
const CONTENT: &str = "operation";

#[component]
pub fn RunPage() -> impl IntoView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    let asked = use_params_map().with_untracked(|params| params.get("id").unwrap_or_default());
    let audit = load_panel("operation", asked.clone());
    let content = load(move || fetch(asked.clone()));
    let clock = Clockface::of(&request);
    view! {
        <Suspense>
            {move || {
                let clock = clock.clone();
                Suspend::new(async move {
                    let (content, audit) = (content.await, audit.await);
                    match &*content {
                        Ok(detail) => draw(detail, (*audit).clone(), &clock),
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
fn fetch(asked: String) -> impl Future<Output = Result<OperationDetail, ApiError>> + Send {
    let entered = enter::<View>();
    async move {
        let (permit, operations) = entered.await?;
        let id = asked.parse().map_err(|_| ApiError::NotFound(Thing::Operation))?;
        operations.get(&permit, id).await
    }
}

fn draw(
    detail: &OperationDetail,
    audit: Option<Result<PanelContent, ApiError>>,
    clock: &Clockface,
) -> AnyView {
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
    let evidence = detail
        .stuck
        .clone()
        .map(|evidence| view! { <EvidenceCard evidence clock=clock.clone() /> });
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
            </section>
            <span class="faint">
                "id "
                <CopyId text=run.id.to_string() />
            </span>
            {live(detail)}
        </div>
        <section id=CONTENT class="cols" data-topics=events::OPERATIONS>
            <div class="stack">
                <ErrorCard run=run.clone() />
                {evidence}
                <Happened detail=detail.clone() clock=clock.clone() />
                <InputCard run=run.clone() />
            </div>
            <aside class="stack">
                <FactsCard run=run.clone() clock=clock.clone() />
                <AuditPanel content=audit clock=clock.clone() />
            </aside>
        </section>
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
                sections=vec![STANDING.to_owned(), TRIAGE.to_owned(), CONTENT.to_owned()]
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

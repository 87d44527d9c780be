//! The cards of the detail page.

use leptos::prelude::*;
use serde_json::Value;

use super::runs::initiator;
use crate::{
    operations::model::{OperationDetail, OperationRun, Outcome, Status, Step, StepStatus},
    time::Micros,
    ui::{
        Alert, Card, Clockface, Fact, Facts, JsonTree, Moment, Timeline, TimelineStep, Tone,
        moment, timeline::StepState,
    },
};

/// Why it stopped, in the words of the thing that failed.
#[component]
pub fn ErrorCard(run: OperationRun) -> impl IntoView {
    let failed = run.outcome == Outcome::Failed;
    failed.then(|| {
        let summary = run.error_summary.unwrap_or_else(|| "No reason was recorded.".to_owned());
        view! {
            <Alert tone=Tone::Bad title="Why it stopped">
                <p class="text">{summary}</p>
            </Alert>
        }
    })
}

/// How far it has come, for types that can tell.
#[component]
pub fn ProgressBar(run: OperationRun) -> impl IntoView {
    let progress = run.progress.filter(|_| run.status == Status::Running);
    progress.map(|progress| {
        let progress = progress.clamp(0, 100);
        view! {
            <p class="progress">
                <progress max="100" value=progress aria-label="Progress"></progress>
                " "
                <span class="num dim">{format!("{progress} % done")}</span>
            </p>
        }
    })
}

#[component]
pub fn Happened(detail: OperationDetail, clock: Clockface) -> impl IntoView {
    let run = &detail.run;
    let remark = run.started_at.map(|started| {
        let end = run.completed_at.map_or_else(|| "…".to_owned(), |end| clock.short(end));
        format!("{} → {end} {}", clock.short(started), clock.zone.name)
    });
    let body = if detail.steps.is_empty() {
        view! { <p class="dim">{no_steps(run.status)}</p> }.into_any()
    } else {
        let steps = timeline(&detail.steps, run.status, clock.now);
        view! { <Timeline steps /> }.into_any()
    };
    let again = again(run, &detail.steps).map(|words| view! { <p class="dim">{words}</p> });
    view! {
        <Card title="What happened" remark=remark.unwrap_or_default().into_any()>
            {again}
            {body}
        </Card>
    }
}

/// What more than one attempt means for the steps below.
fn again(run: &OperationRun, steps: &[Step]) -> Option<String> {
    let before = match run.status {
        // The attempt that was interrupted; the next one is yet to come.
        Status::Queued => run.attempt,
        Status::Running | Status::Completed => run.attempt - 1,
    };
    let kept = steps.iter().any(|step| step.status == StepStatus::Succeeded);
    let kept = if kept { " Finished steps were kept and are not done again." } else { "" };
    match before {
        ..=0 => None,
        1 => Some(format!("It was interrupted once and taken up again.{kept}")),
        n => Some(format!("It was interrupted {n} times and taken up again.{kept}")),
    }
}

fn no_steps(status: Status) -> &'static str {
    match status {
        Status::Queued => "Nothing yet: no worker has taken it.",
        Status::Running => "A worker has taken it; its first step has not begun.",
        Status::Completed => "It ended before its first step.",
    }
}

/// A pause between two steps that is longer than a worker needs from one to the next: it was interrupted there.
const PAUSE: i64 = 10 * Micros::SECOND;

fn timeline(steps: &[Step], run: Status, now: Micros) -> Vec<TimelineStep> {
    let mut ended: Option<Micros> = None;
    let mut drawn = Vec::new();
    for step in steps {
        let paused = step.started_at.zip(ended).map(|(from, before)| from.since(before));
        let paused = paused.filter(|paused| *paused > PAUSE);
        drawn.push(timeline_step(step, run, paused, now));
        ended = step.completed_at.or(ended);
    }
    drawn
}

fn timeline_step(step: &Step, run: Status, paused: Option<i64>, now: Micros) -> TimelineStep {
    let state = match step.status {
        StepStatus::Pending if run == Status::Completed => StepState::NotRun,
        StepStatus::Pending => StepState::Waiting,
        // Nobody works on it: its worker was lost or stopped, and the run is back in the queue.
        StepStatus::Running if run == Status::Queued => StepState::Interrupted,
        StepStatus::Running => StepState::Running,
        StepStatus::Succeeded => StepState::Done,
        StepStatus::Failed => StepState::Failed,
        StepStatus::Skipped => StepState::NotRun,
    };
    let took_micros = step.started_at.map(|from| step.completed_at.unwrap_or(now).since(from));
    let took_micros = took_micros.filter(|_| state != StepState::Interrupted);
    let paused = paused.map(|paused| format!("Began after a pause of {}.", moment::span(paused)));
    let said: Vec<String> = paused.into_iter().chain(step.detail.clone()).collect();
    let detail = (!said.is_empty()).then(|| said.join("\n"));
    TimelineStep { label: step.label.clone(), state, detail, took_micros }
}

#[component]
pub fn FactsCard(run: OperationRun, clock: Clockface) -> impl IntoView {
    let moment = |at: Option<Micros>| match at {
        Some(at) => view! { <Moment at clock=clock.clone() exact=true /> }.into_any(),
        None => dash(),
    };
    let scheduled = (run.scheduled_at > run.created_at).then_some(run.scheduled_at);
    let scheduled = scheduled.map(|at| {
        view! {
            <dt>"Due"</dt>
            <dd>{moment(Some(at))}</dd>
        }
    });
    let (created, started, completed) =
        (moment(Some(run.created_at)), moment(run.started_at), moment(run.completed_at));
    let initiator = initiator(&run);
    let OperationRun { kind, status, outcome, workspace, tenant, target, queue, .. } = run;
    view! {
        <Card title="Facts" remark=clock.zone.name.into_any()>
            <Facts>
                <Fact name="Operation #"><span class="mono">{run.id}</span></Fact>
                <Fact name="Type"><span class="mono">{kind}</span></Fact>
                <Fact name="Status">{status.as_str()}</Fact>
                <Fact name="Outcome">{outcome.as_str()}</Fact>
                <Fact name="Initiator">{initiator}</Fact>
                <Fact name="Workspace">{workspace.name}</Fact>
                <Fact name="Tenant">{or_dash(tenant.map(|tenant| tenant.name))}</Fact>
                <Fact name="Target">{or_dash(target)}</Fact>
                <Fact name="Queue">{queue}</Fact>
                <Fact name="Priority">{run.priority}</Fact>
                <Fact name="Attempt">{run.attempt}</Fact>
                <Fact name="Created">{created}</Fact>
                {scheduled}
                <Fact name="Started">{started}</Fact>
                <Fact name="Completed">{completed}</Fact>
            </Facts>
        </Card>
    }
}

fn or_dash(text: Option<String>) -> AnyView {
    text.map_or_else(dash, IntoAny::into_any)
}

fn dash() -> AnyView {
    view! { <span class="faint">"–"</span> }.into_any()
}

/// What it was given, and what it noted down. Secrets are in neither.
#[component]
pub fn InputCard(run: OperationRun) -> impl IntoView {
    let card = |title: &'static str, value: Value| {
        (!is_nothing(&value)).then(|| {
            view! {
                <Card title=title>
                    <JsonTree value />
                </Card>
            }
        })
    };
    (card("Input", run.input), card("Context", run.context))
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

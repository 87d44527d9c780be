//! Triage in the detail page's header, and nowhere else: each decision is a form that unfolds there. What the caller
//! may not do is not drawn; one line says what it would take.

use leptos::prelude::*;

use crate::{
    operations::{
        model::{OperationDetail, OperationRun, Status},
        triage::{REASON_MAX, REASON_MIN, Safety, Seen},
    },
    paths,
    request::PageRequest,
    ui::{
        Alert, ConfirmForm, Tone,
        inputs::{Typed, hidden, words},
    },
};

/// The forms' names, which are also what their `do` says.
pub const RETRY: &str = "retry";
pub const CANCEL: &str = "cancel";
pub const END_ANYWAY: &str = "end_anyway";
pub const INVESTIGATE: &str = "investigate";

#[component]
pub fn TriageForms(detail: OperationDetail) -> impl IntoView {
    let triage = &detail.triage;
    if let Some(capability) = triage.lacking {
        let capability = capability.as_str();
        return view! {
            <p class="dim">"Triage needs the capability " <code>{capability}</code> "."</p>
        }
        .into_any();
    }
    let refused = PageRequest::from_context().and_then(|request| request.refused);
    let run = &detail.run;
    let forms = [
        triage.retry.then(|| retry(&detail, Typed::of(refused.as_ref(), RETRY))),
        triage.cancel.then(|| cancel(&detail, Typed::of(refused.as_ref(), CANCEL))),
        triage.end_anyway.then(|| end_anyway(run, Typed::of(refused.as_ref(), END_ANYWAY))),
        Some(investigate(run, Typed::of(refused.as_ref(), INVESTIGATE))),
    ];
    // A form that is no longer offered still says why it was refused.
    let offered = [(RETRY, triage.retry), (CANCEL, triage.cancel), (END_ANYWAY, triage.end_anyway)];
    let stale = refused
        .filter(|refused| offered.iter().any(|(name, offered)| *name == refused.form && !offered));
    let stale = stale.map(|refused| {
        view! {
            <Alert tone=Tone::Bad title="Not done">
                <p>{refused.error.to_string()}</p>
            </Alert>
        }
    });
    let refusal = triage.retry_refused.clone().map(|why| {
        view! { <p class="dim">{why}</p> }
    });
    view! {
        <div class="forms">{forms.into_iter().flatten().collect_view()}</div>
        {stale}
        {refusal}
    }
    .into_any()
}

/// What the form is about, and how the run stood when it was drawn.
fn seen(action: &'static str, run: &OperationRun) -> AnyView {
    let Seen { status, outcome, attempt } = Seen::of(run);
    let fields = [
        hidden("do", action),
        hidden("status", status.as_str()),
        hidden("outcome", outcome.as_str()),
        hidden("attempt", attempt.to_string()),
    ];
    fields.collect_view().into_any()
}

fn reason(label: &'static str, typed: Typed<'_>) -> AnyView {
    let hint = format!("{REASON_MIN} to {REASON_MAX} characters; the audit log keeps them.");
    words(label, "reason", typed.value("reason"), REASON_MAX, hint)
}

/// The weight of the question follows what doing it twice may do.
fn retry(detail: &OperationDetail, typed: Typed<'_>) -> AnyView {
    let (run, triage) = (&detail.run, &detail.triage);
    let target = target(run);
    let what = format!("A new operation does {}{target} from its first step. ", run.type_label);
    let (consequence, danger) = match &triage.retry_safety {
        Some(Safety::Unsafe { why }) => (format!("{what}Doing it twice may do harm: {why}"), true),
        Some(Safety::Resumable) => {
            (format!("{what}What it finished before has the same effect once more."), false)
        }
        _ => (format!("{what}Doing it again does no harm."), false),
    };
    let why = danger.then(|| reason("Why it is right to do it again", typed));
    let (action, fields) = (paths::run(run.id), seen(RETRY, run));
    view! {
        <ConfirmForm
            ask="Retry…"
            confirm="Queue a retry"
            consequence
            action
            danger
            refused=typed.error()
        >
            {fields}
            {why}
        </ConfirmForm>
    }
    .into_any()
}

fn target(run: &OperationRun) -> String {
    let target = run.target_label.as_ref().or(run.target.as_ref());
    target.map(|target| format!(" on {target}")).unwrap_or_default()
}

/// Names what will be interrupted.
fn cancel(detail: &OperationDetail, typed: Typed<'_>) -> AnyView {
    use crate::operations::model::StepStatus::Running;
    let run = &detail.run;
    let step = detail.steps.iter().find(|step| step.status == Running);
    let consequence = match (run.status, step) {
        (Status::Queued, _) => {
            format!("It waits in the queue {} and will never begin.", run.queue)
        }
        (_, Some(step)) => format!(
            "This interrupts the step “{}”{}. Its worker is asked to end it; what it finished before stays done.",
            step.label,
            target(run)
        ),
        (_, None) => format!(
            "This interrupts {}{} between two steps. What it finished before stays done.",
            run.type_label,
            target(run)
        ),
    };
    let (action, fields) = (paths::run(run.id), seen(CANCEL, run));
    view! {
        <ConfirmForm
            ask="Cancel…"
            confirm="Cancel this operation"
            consequence
            action
            danger=true
            refused=typed.error()
        >
            {fields}
        </ConfirmForm>
    }
    .into_any()
}

fn end_anyway(run: &OperationRun, typed: Typed<'_>) -> AnyView {
    let consequence = "Its worker was asked to end it and has not. It is ended now without waiting, and whatever its \
                       worker still does is not written down: look at the target afterwards.";
    let (action, fields) = (paths::run(run.id), seen(END_ANYWAY, run));
    view! {
        <ConfirmForm
            ask="End it anyway…"
            confirm="End it without its worker"
            consequence
            action
            danger=true
            refused=typed.error()
        >
            {fields}
        </ConfirmForm>
    }
    .into_any()
}

fn investigate(run: &OperationRun, typed: Typed<'_>) -> AnyView {
    let again = run.context.pointer("/triage/investigated").is_some();
    let consequence = match (again, run.open_work || run.stuck_class.is_some()) {
        (true, _) => {
            "Somebody looked into it before; your words take the place of theirs. The audit log keeps both."
        }
        (false, true) => "It leaves the open work. The same failure again comes back as a new one.",
        (false, false) => "Your words stay with the operation. It goes on as it does.",
    };
    let (action, fields) = (paths::run(run.id), seen(INVESTIGATE, run));
    let reason = reason("What was found", typed);
    view! {
        <ConfirmForm
            ask="Mark investigated…"
            confirm="Mark investigated"
            consequence
            action
            refused=typed.error()
        >
            {fields}
            {reason}
        </ConfirmForm>
    }
    .into_any()
}

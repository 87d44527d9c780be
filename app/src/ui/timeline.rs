//! What happened, step by step, with how long each took.

use leptos::prelude::*;

use super::moment;

/// One step as the timeline draws it.
#[derive(Clone, Debug)]
pub struct TimelineStep {
    pub label: String,
    pub state: StepState,
    /// What was found, or what went wrong.
    pub detail: Option<String>,
    pub took_micros: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    Waiting,
    Running,
    Done,
    Failed,
    NotRun,
    /// It began, and whoever did it is gone; it will be done again.
    Interrupted,
}

impl StepState {
    const fn class(self) -> &'static str {
        match self {
            Self::Waiting | Self::NotRun | Self::Interrupted => "wait",
            Self::Running => "run",
            Self::Done => "ok",
            Self::Failed => "bad",
        }
    }

    /// For those who see neither the dot's shape nor its colour.
    const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "succeeded",
            Self::Failed => "failed",
            Self::NotRun => "not run",
            Self::Interrupted => "interrupted",
        }
    }
}

#[component]
pub fn Timeline(steps: Vec<TimelineStep>) -> impl IntoView {
    view! { <ol class="steps">{steps.into_iter().map(step).collect_view()}</ol> }
}

fn step(step: TimelineStep) -> impl IntoView {
    let state = step.state;
    let took = match (state, step.took_micros) {
        (StepState::Waiting | StepState::NotRun, _) | (_, None) => None,
        (StepState::Running, Some(micros)) => Some(format!("{} so far", moment::span(micros))),
        (_, Some(micros)) => Some(moment::span(micros)),
    };
    // The word is seen where no duration says the same; otherwise it is read out only.
    let (word_class, took_class) = if took.is_some() && state == StepState::Done {
        ("unseen", "num dim")
    } else {
        ("dim", "num dim")
    };
    view! {
        <li class=state.class()>
            <span>{step.label}</span>
            <span class="end">
                <span class=word_class>{state.word()}</span>
                {took.map(|took| view! { <span class=took_class>{took}</span> })}
            </span>
            {step.detail.map(|detail| view! { <span class="why">{detail}</span> })}
        </li>
    }
}

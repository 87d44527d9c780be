//! A run's badges. Colour goes to what asks for attention: a run that ended well or badly, one that runs.

use leptos::prelude::*;

use crate::{
    operations::{
        model::{Outcome, Status},
        stuck::{Stuck, StuckClass},
    },
    time::Micros,
    ui::{StatusBadge, Tone, moment::span},
};

#[component]
pub fn RunStatus(status: Status) -> impl IntoView {
    let tone = match status {
        Status::Queued => Tone::Waiting,
        Status::Running => Tone::Running,
        Status::Completed => Tone::Plain,
    };
    view! { <StatusBadge tone word=status.as_str() /> }
}

#[component]
pub fn OutcomeBadge(outcome: Outcome) -> impl IntoView {
    view! { <StatusBadge tone=outcome_tone(outcome) word=outcome.as_str() /> }
}

#[component]
pub fn StuckBadge(class: StuckClass) -> impl IntoView {
    view! { <StatusBadge tone=Tone::Warn word=class.label() /> }
}

pub fn outcome_tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Pending => Tone::Plain,
        Outcome::Succeeded => Tone::Ok,
        Outcome::Failed => Tone::Bad,
    }
}

/// How long a run has not moved, and how long it might.
pub fn stuck_words(stuck: &Stuck, now: Micros) -> String {
    let (lasted, most) = (span(now.since(stuck.since)), span(stuck.threshold_micros));
    match stuck.class {
        StuckClass::NoWorker => format!("no worker for {lasted}; late after {most}"),
        StuckClass::QueuedTooLong => format!("waits for {lasted}; late after {most}"),
        StuckClass::NeverHeartbeat | StuckClass::HeartbeatLost => {
            format!("silent for {lasted}; lost after {most}")
        }
        StuckClass::CancelIgnored => format!("asked to end {lasted} ago; late after {most}"),
        StuckClass::OverBudget => format!("runs for {lasted}; late after {most}"),
    }
}

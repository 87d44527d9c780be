//! A run's badges. Colour goes to what asks for attention: a run that ended well or badly, one that runs.

use leptos::prelude::*;

use crate::{
    operations::{
        model::{Outcome, Status},
        stuck::StuckClass,
    },
    ui::{StatusBadge, Tone},
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

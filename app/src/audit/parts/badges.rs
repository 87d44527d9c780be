//! How an entry's parts are said. Colour goes to what asks for attention: a refusal, a failure.

use leptos::prelude::*;

use crate::{
    audit::model::{AuditEntry, Decision},
    ui::{StatusBadge, Tone},
};

#[component]
pub fn DecisionBadge(decision: Decision) -> impl IntoView {
    let tone = match decision {
        Decision::Allowed => Tone::Plain,
        Decision::Denied => Tone::Warn,
        Decision::Failed => Tone::Bad,
    };
    view! { <StatusBadge tone word=decision.as_str() /> }
}

/// The name of who acted; what kind of caller it was when there is none.
pub fn actor(entry: &AuditEntry) -> String {
    if entry.actor_name.is_empty() {
        entry.actor_kind.replace('_', " ")
    } else {
        entry.actor_name.clone()
    }
}

/// "operation Self-check"; the id when the target has no name.
pub fn target(entry: &AuditEntry) -> Option<String> {
    let kind = entry.target_kind.as_ref()?.replace('_', " ");
    let label = entry.target_label.as_deref().filter(|label| !label.is_empty());
    let name = label.or(entry.target_id.as_deref()).unwrap_or_default();
    Some(format!("{kind} {name}").trim_end().to_owned())
}

//! How roles and places are said, and what is said to those who may not change them.

use leptos::prelude::*;

use crate::{
    identity::{Caller, Capability, Reach, model::HeldRole},
    request::RefusedForm,
    ui::{Alert, Tone, answer::set_status},
    workspaces::model::{Workspace, WorkspaceRef},
};

/// "everything", or the workspace's name.
pub fn place_of(workspace: Option<&WorkspaceRef>) -> String {
    workspace.map_or_else(|| "everything".to_owned(), |workspace| workspace.name.clone())
}

/// "Operator on payments, by group sre".
pub fn role_line(held: &HeldRole) -> String {
    let place = place_of(held.workspace.as_ref());
    let by = match (&held.group, held.configured) {
        (Some(group), true) => format!(", by group {group} in the configuration"),
        (Some(group), false) => format!(", by group {group}"),
        (None, _) => String::new(),
    };
    format!("{} on {place}{by}", held.role.label())
}

/// Where something may be made: everything only when the right reaches it. No place is chosen beforehand.
pub fn places(caller: &Caller, right: Capability, open: &[Workspace]) -> Vec<(String, String)> {
    let reach = caller.reach(right);
    let everything = (reach == Some(Reach::Everything))
        .then(|| ("everything".to_owned(), "Everything".to_owned()));
    let includes = |id: i64| reach.as_ref().is_some_and(|reach| reach.includes(id));
    let within = open.iter().filter(|w| w.archived_at.is_none() && includes(w.id));
    let within = within.map(|w| (w.id.to_string(), w.name.clone()));
    let none = (String::new(), "Choose…".to_owned());
    std::iter::once(none).chain(everything).chain(within).collect()
}

/// The one line in the place of an action (DECIDED 3).
pub fn lacking(what: &'static str, capability: Capability, everywhere: bool) -> AnyView {
    let reach = if everywhere { " on everything." } else { "." };
    view! {
        <p class="dim">{what} " needs the capability " <code>{capability.as_str()}</code> {reach}</p>
    }
    .into_any()
}

/// A refusal that none of the page's own forms shows.
pub fn stray(refused: Option<&RefusedForm>, shown: bool) -> Option<AnyView> {
    let refused = refused.filter(|_| !shown)?;
    set_status(refused.error.status());
    let sentence = refused.error.to_string();
    Some(
        view! {
            <Alert tone=Tone::Bad title="Not done">
                <p>{sentence}</p>
            </Alert>
        }
        .into_any(),
    )
}

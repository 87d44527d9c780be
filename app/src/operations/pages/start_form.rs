//! The form that starts an operation of a type, drawn from what the type asks for.

use leptos::prelude::*;

use super::runbooks::{alert, lacking, lower_first};
use crate::{
    error::{ApiError, Conflict},
    operations::{
        inputs::{FieldKind, InputField},
        runbooks::Desk,
    },
    paths,
    request::RefusedForm,
    ui::{
        Card, Clockface,
        inputs::{self, Typed},
    },
};

/// The form's own name.
pub const FORM: &str = "start";

pub fn start_card(desk: &Desk, refused: Option<&RefusedForm>, clock: &Clockface) -> AnyView {
    let body = if !desk.entry.startable {
        // A forged one is told here as well.
        let said = refused.filter(|form| form.form == FORM).map(|form| alert(&form.error));
        view! { {said} {lacking(&desk.entry)} }.into_any()
    } else if desk.startable_in.is_empty() {
        let why = "There is no open workspace in which you may start it.";
        view! { <p class="dim">{why}</p> }.into_any()
    } else {
        form(desk, Typed::of(refused, FORM), clock)
    };
    view! {
        <div id="start">
            <Card title="Start it">{body}</Card>
        </div>
    }
    .into_any()
}

fn form(desk: &Desk, typed: Typed<'_>, clock: &Clockface) -> AnyView {
    let kind = &desk.entry.kind;
    let here = desk.runbook.workspace.id;
    let error = typed.error();
    // The same values under the same key are the same operation; after a clash the next try is another one.
    let clash = error == Some(ApiError::Conflict(Conflict::IdempotencyKeyReused));
    let key = typed.value("key").filter(|_| !clash).unwrap_or_else(|| desk.form_key.clone());
    let fields = desk.inputs.iter().map(|field| input(field, typed)).collect_view();
    let nothing = desk.inputs.is_empty().then(|| {
        view! { <p class="dim">"It asks for nothing: there is nothing to choose."</p> }
    });
    let chosen = typed.value("workspace_id").unwrap_or_else(|| here.to_string());
    let places = desk.startable_in.iter().map(|w| (w.id.to_string(), w.name.clone()));
    let label = format!("Start {}", lower_first(&desk.entry.label));
    view! {
        <form method="post" action=paths::runbook(kind, Some(here)) class="start stack tight">
            {error.as_ref().map(|error| refusal(error, clash))}
            {inputs::hidden("do", FORM)}
            {inputs::hidden("key", key)}
            {nothing}
            {fields}
            {inputs::select("Workspace", "workspace_id", places, Some(&chosen))}
            {more(typed, clock)}
            <p>
                <button class="btn primary">{label}</button>
            </p>
        </form>
    }
    .into_any()
}

fn refusal(error: &ApiError, clash: bool) -> AnyView {
    if !clash {
        return alert(error);
    }
    let hint = "This form was sent before, with other values, and started an operation. Send it again to start another one.";
    view! {
        {alert(error)}
        <p class="dim">{hint}</p>
    }
    .into_any()
}

/// What seldom matters, folded away; open when something was typed there.
fn more(typed: Typed<'_>, clock: &Clockface) -> AnyView {
    let value = |key: &str| typed.value(key).filter(|value| !value.is_empty());
    let (target, priority, at) = (value("target"), value("priority"), value("scheduled_at"));
    let open = target.is_some() || priority.is_some() || at.is_some();
    let zone = format!("In {}. Empty is at once.", clock.zone.name);
    view! {
        <details class="read" open=open>
            <summary>"Target, priority, time"</summary>
            <div class="stack tight">
                {inputs::text("Target", "target", target, Some("What it is for, such as cluster:edge-1. Empty is the console itself."))}
                {labelled(
                    "Priority",
                    "−100 (last) to 100 (first). Empty is 0.".to_owned(),
                    view! {
                        <input class="field" type="number" name="priority" min="-100" max="100" value=priority.unwrap_or_default() />
                    }
                        .into_any(),
                )}
                {labelled(
                    "Start at",
                    zone,
                    view! {
                        <input class="field" type="datetime-local" step="1" name="scheduled_at" value=at.unwrap_or_default() />
                    }
                        .into_any(),
                )}
            </div>
        </details>
    }
    .into_any()
}

fn labelled(label: &'static str, help: String, field: AnyView) -> AnyView {
    view! {
        <label class="named">
            <span>{label}</span>
            {field}
            <span class="faint">{help}</span>
        </label>
    }
    .into_any()
}

/// One field of the type's own.
fn input(field: &InputField, typed: Typed<'_>) -> AnyView {
    let key = field.key();
    let value = typed.value(&key).unwrap_or_default();
    let required = field.required;
    let control = match field.kind {
        FieldKind::Bool => {
            let checked = typed.0.is_some_and(|form| form.value(&key).is_some());
            return view! {
                <label class="tick">
                    <input type="checkbox" name=key value="true" checked=checked />
                    <span>{field.label}</span>
                    <span class="faint">{field.help}</span>
                </label>
            }
            .into_any();
        }
        FieldKind::Text { .. } => view! {
            <input class="field" name=key value=value required=required autocomplete="off" />
        }
        .into_any(),
        FieldKind::Integer { min, max } => view! {
            <input
                class="field"
                type="number"
                step="1"
                name=key
                value=value
                min=min.to_string()
                max=max.to_string()
                required=required
            />
        }
        .into_any(),
        FieldKind::Choice { choices } => {
            let none = (!required).then(|| view! { <option value="">"Not said"</option> });
            let options = choices.iter().map(|choice| {
                let selected = choice.value == value;
                view! {
                    <option value=choice.value selected=selected>
                        {choice.label}
                    </option>
                }
            });
            let options = options.collect_view();
            view! {
                <select class="field" name=key>
                    {none}
                    {options}
                </select>
            }
            .into_any()
        }
    };
    let optional = (!required).then(|| view! { <span class="faint">" (optional)"</span> });
    view! {
        <label class="named">
            <span>{field.label} {optional}</span>
            {control}
            <span class="faint">{field.help}</span>
        </label>
    }
    .into_any()
}

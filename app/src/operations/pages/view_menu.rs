//! Saved views in the filter bar: those that are shared and one's own, and the form that saves what is set now.
//! Unfolds without JavaScript; a refused form is open again, with what was typed.

use leptos::prelude::*;

use super::runs::{Content, Frame};
use crate::{
    identity::{Caller, Capability},
    operations::saved_views::SavedView,
    request::RefusedForm,
    ui::{
        Alert, ConfirmForm, Tone,
        inputs::{self, Typed},
    },
};

const FORMS: [&str; 3] = ["save_view", "rename_view", "delete_view"];

pub fn view_menu(frame: &Frame<'_>, content: &Content) -> AnyView {
    let Some(caller) = &frame.request.caller else { return ().into_any() };
    let refused = frame.request.refused.as_ref().filter(|form| FORMS.contains(&form.form));
    let current = current(frame);
    let of = |shared: bool| content.views.iter().filter(move |view| view.shared == shared);
    let group = |title: &'static str, views: Vec<&SavedView>| {
        (!views.is_empty()).then(|| {
            let items = views.into_iter().map(|view| item(frame, view, &current, refused));
            let items = items.collect_view();
            view! {
                <p class="faint">{title}</p>
                <ul class="plain stack tight" aria-label=title>{items}</ul>
            }
        })
    };
    let none = content.views.is_empty().then(|| {
        view! { <p class="dim">"None yet. A view keeps the filters that are set, under a name."</p> }
    });
    let summary = match content.views.len() {
        0 => "Saved views".to_owned(),
        n => format!("Saved views ({n})"),
    };
    view! {
        <details class="more views" name="filters" open=refused.is_some()>
            <summary class="btn">{summary}</summary>
            <div class="fold">
                {stray(content, refused)}
                {none}
                {group("Shared", of(true).collect())}
                {group("Yours", of(false).collect())}
                {save(frame, content, caller, refused, current.clone())}
            </div>
        </details>
    }
    .into_any()
}

/// What is set now, as a view would keep it.
fn current(frame: &Frame<'_>) -> String {
    let mut query = frame.query.from_start();
    query.page_size = None;
    query.to_query_string()
}

/// A refusal about a view that is not here any more.
fn stray(content: &Content, refused: Option<&RefusedForm>) -> Option<AnyView> {
    let refused = refused.filter(|form| form.form != "save_view")?;
    let is_here =
        |view: &SavedView| view.changeable && refused.value("id") == Some(view.id.as_str());
    let error = refused.error.to_string();
    (!content.views.iter().any(is_here)).then(|| {
        view! {
            <Alert tone=Tone::Bad title="Not done">
                <p>{error}</p>
            </Alert>
        }
        .into_any()
    })
}

fn here(frame: &Frame<'_>) -> String {
    frame.list.href(&frame.query.from_start())
}

fn item(
    frame: &Frame<'_>,
    view: &SavedView,
    current: &str,
    refused: Option<&RefusedForm>,
) -> AnyView {
    let href = match view.query.as_str() {
        "" => frame.list.href(&crate::list::ListQuery::default()),
        query => format!("{}?{query}", frame.list.href(&crate::list::ListQuery::default())),
    };
    let is_here = (view.query == current).then_some("true");
    let whose = if view.shared {
        format!("{}, by {}", view.workspace.name, view.owner_name)
    } else {
        view.workspace.name.clone()
    };
    let outdated = (!view.outdated.is_empty()).then(|| {
        let said = view.outdated.iter().map(crate::error::Violation::sentence);
        let said = said.collect::<Vec<_>>().join(" ");
        view! { <div class="why bad">"Cannot be shown any more: " {said}</div> }
    });
    let name = if view.outdated.is_empty() {
        view! { <a href=href aria-current=is_here>{view.name.clone()}</a> }.into_any()
    } else {
        view! { <span>{view.name.clone()}</span> }.into_any()
    };
    view! {
        <li>
            {name}
            " "
            <span class="faint">{whose}</span>
            {outdated}
            {view.changeable.then(|| changes(frame, view, refused))}
        </li>
    }
    .into_any()
}

fn changes(frame: &Frame<'_>, view: &SavedView, refused: Option<&RefusedForm>) -> AnyView {
    let typed = |form: &str| Typed::of(refused, form).about("id", &view.id);
    let name = typed("rename_view").value("name").or_else(|| Some(view.name.clone()));
    let name = inputs::text("Name", "name", name, None);
    let (rename_error, delete_error) = (typed("rename_view").error(), typed("delete_view").error());
    let (rename_id, delete_id) = (view.id.clone(), view.id.clone());
    let gone = if view.shared {
        format!("{} is gone for everybody in {}.", view.name, view.workspace.name)
    } else {
        format!("{} is gone. What it shows stays.", view.name)
    };
    view! {
        <div class="forms">
            <ConfirmForm
                ask="Rename…"
                confirm="Rename"
                consequence="Its filters stay as they are."
                action=here(frame)
                refused=rename_error
            >
                {inputs::hidden("do", "rename_view")}
                {inputs::hidden("id", rename_id)}
                {name}
            </ConfirmForm>
            <ConfirmForm
                ask="Delete…"
                confirm="Delete"
                consequence=gone
                action=here(frame)
                danger=true
                refused=delete_error
            >
                {inputs::hidden("do", "delete_view")}
                {inputs::hidden("id", delete_id)}
            </ConfirmForm>
        </div>
    }
    .into_any()
}

fn save(
    frame: &Frame<'_>,
    content: &Content,
    caller: &Caller,
    refused: Option<&RefusedForm>,
    current: String,
) -> AnyView {
    let typed = Typed::of(refused, "save_view");
    let who = who_sees(caller, typed);
    let filtered = frame.query.values("workspace_id");
    let chosen = typed.value("workspace_id").or_else(|| match filtered {
        [one] => Some(one.clone()),
        _ => None,
    });
    let places = content.choices.workspaces.iter();
    let places = places.map(|place| (place.id.to_string(), place.name.clone()));
    let place = inputs::select("Workspace", "workspace_id", places, chosen.as_deref());
    let what = if current.is_empty() {
        "It keeps the filters that are set. None are set now."
    } else {
        "It keeps the filters that are set now."
    };
    let (error, name) = (typed.error(), inputs::text("Name", "name", typed.value("name"), None));
    view! {
        <ConfirmForm
            ask="Save this view…"
            confirm="Save"
            consequence=what
            action=here(frame)
            refused=error
        >
            {inputs::hidden("do", "save_view")}
            {inputs::hidden("query", current)}
            {name}
            {who}
            {place}
        </ConfirmForm>
    }
    .into_any()
}

fn who_sees(caller: &Caller, typed: Typed<'_>) -> AnyView {
    if caller.may(Capability::OperationsManage) {
        let choices = [("mine", "Only me"), ("shared", "Everybody in the workspace")];
        let choices = choices.map(|(value, label)| (value.to_owned(), label.to_owned()));
        return inputs::select("Who sees it", "shared", choices, typed.value("shared").as_deref());
    }
    let needed = Capability::OperationsManage.as_str();
    view! {
        <p class="dim">
            "Only you will see it. Sharing needs the capability " <code>{needed}</code> "."
        </p>
    }
    .into_any()
}

//! The later steps of a registration: which context, what a look has found, what has become of several.

use leptos::prelude::*;

use super::{new::alert, words};
use crate::{
    fleet::{
        drafts::{ContextRow, Draft, Stage},
        preflight::{Preflight, Verdict},
    },
    paths,
    request::PageRequest,
    ui::{Alert, Card, Crumb, LogBlock, PageHead, StatusBadge, Tone, failure::with_code, inputs},
};

pub fn draw(draft: &Draft, manifest: &str, request: &PageRequest, crumbs: Vec<Crumb>) -> AnyView {
    let title = if draft.name.is_empty() {
        "Register a cluster".to_owned()
    } else {
        format!("Register {}", draft.name)
    };
    let body = match &draft.stage {
        Stage::Choose { contexts } => choose(draft, contexts),
        Stage::Checked { preflight } => checked(draft, preflight, manifest),
        Stage::Unchecked => unchecked(draft, manifest),
    };
    view! {
        <PageHead
            title
            crumbs
            lede=view! { "Nothing is saved yet. This is kept for a quarter of an hour." }.into_any()
        />
        {alert(request.refused.as_ref())}
        {body}
    }
    .into_any()
}

fn choose(draft: &Draft, contexts: &[ContextRow]) -> AnyView {
    let usable: Vec<&ContextRow> =
        contexts.iter().filter(|context| context.refused.is_none()).collect();
    let rows = contexts.iter().map(context).collect_view();
    let (action, id) = (paths::cluster_draft(&draft.id), draft.id.clone());
    let take = (usable.len() > 1).then(|| several(draft, &usable));
    // Where none can be used, there is nothing to look at.
    let look =
        (!usable.is_empty()).then(|| view! { <button class="btn primary">"Look at it"</button> });
    view! {
        <Card title="Which context?">
            <form method="post" action=action class="stack">
                {inputs::hidden("do", "choose")}
                {inputs::hidden("draft", id)}
                <ul class="plain stack tight contexts">{rows}</ul>
                <div>{look}</div>
            </form>
        </Card>
        <div class="actions">{take} {discard(draft)}</div>
    }
    .into_any()
}

/// One of the file, with the reason where it cannot be used.
fn context(context: &ContextRow) -> AnyView {
    let refused = context.refused.clone();
    let (disabled, checked) = (refused.is_some(), context.is_current && refused.is_none());
    let server = context.server.clone().unwrap_or_default();
    view! {
        <li>
            <label>
                <input
                    type="radio"
                    name="context"
                    value=context.name.clone()
                    disabled=disabled
                    checked=checked
                    required
                />
                <b>{context.name.clone()}</b>
                <span class="dim">{server}</span>
            </label>
            {refused.map(|why| view! { <div class="why">{with_code(&why)}</div> })}
        </li>
    }
    .into_any()
}

/// Many of the file at once.
fn several(draft: &Draft, usable: &[&ContextRow]) -> AnyView {
    let rows = usable.iter().map(|context| {
        view! {
            <li>
                <label>
                    <input type="checkbox" name="contexts" value=context.name.clone() checked />
                    <b>{context.name.clone()}</b>
                </label>
            </li>
        }
    });
    let rows = rows.collect_view();
    view! {
        <details class="confirm">
            <summary class="btn">"Take over several…"</summary>
            <form method="post" action=paths::cluster_draft(&draft.id) class="card body">
                <p>
                    "Each becomes a cluster named after its context. Each is looked at; what its API server refuses is not registered."
                </p>
                {inputs::hidden("do", "import")}
                {inputs::hidden("draft", draft.id.clone())}
                <ul class="plain stack tight">{rows}</ul>
                <button class="btn primary">"Register them"</button>
            </form>
        </details>
    }
    .into_any()
}

fn tone(verdict: Verdict) -> (Tone, &'static str) {
    match verdict {
        Verdict::Good => (Tone::Ok, "good"),
        Verdict::Warn => (Tone::Warn, "look"),
        Verdict::Bad => (Tone::Bad, "bad"),
        Verdict::Unknown => (Tone::Waiting, "not known"),
    }
}

/// What a look has found, as a list of checks.
pub fn findings(preflight: &Preflight) -> AnyView {
    let checks = preflight
        .checks
        .iter()
        .map(|check| {
            let (tone, word) = tone(check.verdict);
            let way_out = check
                .way_out
                .as_deref()
                .map(|way| view! { <div class="why">{with_code(way)}</div> });
            view! {
                <dt>{check.label.clone()}</dt>
                <dd>
                    <StatusBadge tone word />
                    " "
                    {check.says.clone()}
                    {way_out}
                </dd>
            }
        })
        .collect_view();
    let excess = preflight
        .excess
        .iter()
        .map(|excess| {
            view! {
                <li>
                    <code>{excess.what.clone()}</code>
                    " "
                    {excess.why.clone()}
                </li>
            }
        })
        .collect_view();
    let excess = (!preflight.excess.is_empty()).then(|| {
        view! {
            <Alert tone=Tone::Warn title="It may do more than it should">
                <ul>{excess}</ul>
            </Alert>
        }
    });
    view! {
        <dl class="facts checks-of">{checks}</dl>
        {excess}
    }
    .into_any()
}

fn checked(draft: &Draft, preflight: &Preflight, manifest: &str) -> AnyView {
    let trouble = preflight.trouble;
    let refused = trouble.is_some_and(crate::fleet::trouble::Trouble::is_refusal);
    let title = match trouble {
        None => "The cluster is open to this credential",
        Some(_) if refused => "The API server does not take this credential",
        Some(_) => "The cluster cannot be looked at",
    };
    let decide = if refused {
        view! { <p class="dim">"It cannot be registered with this; begin again with another."</p> }
            .into_any()
    } else {
        let label = if trouble.is_some() { "Register it all the same" } else { "Register it" };
        register(draft, label)
    };
    let found = findings(preflight);
    view! {
        <div class="cols">
            <div class="stack">
                <Card title>{found}</Card>
                <div class="actions">{decide} {discard(draft)}</div>
                {what_to_grant(manifest)}
            </div>
            <aside class="stack">{about(draft)}</aside>
        </div>
    }
    .into_any()
}

fn unchecked(draft: &Draft, manifest: &str) -> AnyView {
    view! {
        <div class="cols">
            <div class="stack">
                <Alert tone=Tone::Warn title="There is nothing to look at yet">
                    <p>
                        "It is registered as unknown, until an outpost connects or something is stored that opens it."
                    </p>
                </Alert>
                <div class="actions">{register(draft, "Register it")} {discard(draft)}</div>
                {what_to_grant(manifest)}
            </div>
            <aside class="stack">{about(draft)}</aside>
        </div>
    }
    .into_any()
}

fn about(draft: &Draft) -> AnyView {
    let fact = |name: &'static str, value: AnyView| view! { <dt>{name}</dt> <dd>{value}</dd> };
    let mut lines = vec![
        fact("Name", draft.name.clone().into_any()),
        fact("API server", view! { <code>{draft.api_server_url.clone()}</code> }.into_any()),
        fact("Reached", words::transport(draft.transport).into_any()),
    ];
    lines.extend(draft.opened_by.map(|by| fact("Opened by", by.into_any())));
    lines.extend(draft.context.clone().map(|context| fact("Context", context.into_any())));
    lines.push(fact("Type", words::kind(draft.cluster_type).into_any()));
    lines.push(fact("Environment", words::environment(draft.environment).into_any()));
    lines.extend(draft.region.clone().map(|region| fact("Region", region.into_any())));
    view! {
        <Card title="What it is">
            <dl class="facts">{lines}</dl>
        </Card>
    }
    .into_any()
}

fn register(draft: &Draft, label: &'static str) -> AnyView {
    view! {
        <form method="post" action=paths::cluster_draft(&draft.id)>
            {inputs::hidden("do", "register")}
            {inputs::hidden("draft", draft.id.clone())}
            <button class="btn primary">{label}</button>
        </form>
    }
    .into_any()
}

fn discard(draft: &Draft) -> AnyView {
    view! {
        <form method="post" action=paths::cluster_draft(&draft.id)>
            {inputs::hidden("do", "discard")}
            {inputs::hidden("draft", draft.id.clone())}
            <button class="btn">"Begin again"</button>
        </form>
    }
    .into_any()
}

/// The least that the console needs, to be applied by whoever may.
pub fn what_to_grant(manifest: &str) -> AnyView {
    view! {
        <details class="confirm">
            <summary class="btn">"The least that the console needs…"</summary>
            <div class="card body">
                <p>
                    {with_code(
                        "Apply this with `kubectl apply -f -`, and use a token of its service account. It grants reading; no secrets, nothing by `*`. `quarterdeck rbac` prints it too.",
                    )}
                </p>
                <LogBlock label="Manifest" text=manifest.to_owned() />
            </div>
        </details>
    }
    .into_any()
}

/// Some of several were not registered; the others were.
pub fn not_imported(told: &[(String, String)], crumbs: Vec<Crumb>) -> AnyView {
    let lines = told
        .iter()
        .map(|(context, why)| {
            view! {
                <li>
                    <b>{context.clone()}</b>
                    " "
                    {why.clone()}
                </li>
            }
        })
        .collect_view();
    view! {
        <PageHead title="Register clusters" crumbs />
        <Alert tone=Tone::Warn title="Some were not registered">
            <ul>{lines}</ul>
            <p>
                <a href=paths::clusters()>"To the clusters"</a>
            </p>
        </Alert>
    }
    .into_any()
}

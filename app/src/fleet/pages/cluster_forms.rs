//! The forms of a cluster's page: its settings, what opens it, and its removal. None of them shows a secret again.

use leptos::prelude::*;

use super::new::{pairs, provider, secret, secret_lines};
use crate::{
    fleet::model::{Cluster, ENVIRONMENTS, PLATFORMS, TYPES, Transport},
    paths,
    request::PageRequest,
    ui::{
        Alert, Card, ConfirmForm, Tone,
        answer::set_status,
        failure::with_code,
        inputs::{self, Typed},
    },
};

const KNOWN: &[&str] = &["edit", "remove", "rotate", "forget"];

fn typed<'a>(request: &'a PageRequest, form: &str) -> Typed<'a> {
    Typed::of(request.refused.as_ref(), form)
}

/// A refusal that has no form of its own on this page.
pub fn stray(cluster: &Cluster, request: &PageRequest, manages: bool) -> Option<AnyView> {
    let refused = request.refused.as_ref()?;
    let direct = cluster.transport == Transport::Direct;
    let drawn = manages
        && KNOWN.contains(&refused.form)
        && (direct || !matches!(refused.form, "rotate" | "forget"));
    if drawn {
        return None;
    }
    set_status(refused.error.status());
    let sentence = refused.error.to_string();
    Some(
        view! {
            <Alert tone=Tone::Bad title="Not done">
                <p>{with_code(&sentence)}</p>
            </Alert>
        }
        .into_any(),
    )
}

pub fn refresh(cluster: &Cluster, manages: bool) -> AnyView {
    if !manages {
        return ().into_any();
    }
    view! {
        <form method="post" action=paths::cluster(&cluster.id)>
            {inputs::hidden("do", "refresh")}
            <button class="btn">"Look at it now"</button>
        </form>
    }
    .into_any()
}

/// What can be done about what opens it: look at it, put another in its place, erase it.
pub fn credential(cluster: &Cluster, request: &PageRequest) -> AnyView {
    let stored = cluster.credential.is_some();
    let action = paths::cluster(&cluster.id);
    let check = stored.then(|| {
        view! {
            <form method="post" action=action.clone()>
                {inputs::hidden("do", "validate")}
                <button class="btn">"Check it"</button>
            </form>
        }
    });
    let forget = stored.then(|| forget(action.clone(), typed(request, "forget")));
    view! { <div class="forms">{check} {store(stored, action, typed(request, "rotate"))} {forget}</div> }
        .into_any()
}

fn forget(action: String, typed: Typed<'_>) -> AnyView {
    view! {
        <ConfirmForm
            ask="Remove it…"
            confirm="Remove the credential"
            consequence="It is erased at once. The cluster is unknown until another one is stored."
            action
            danger=true
            refused=typed.error()
        >
            {inputs::hidden("do", "forget")}
        </ConfirmForm>
    }
    .into_any()
}

/// The first credential, or the next.
fn store(again: bool, action: String, typed: Typed<'_>) -> AnyView {
    let (ask, consequence) = if again {
        (
            "Rotate…",
            "The new one is looked at first. Requests under way end with the old one; nothing is interrupted. Fill in one of these.",
        )
    } else {
        (
            "Store a credential…",
            "It is looked at first; what the API server refuses is not stored. Fill in one of these.",
        )
    };
    let ways = ways(typed);
    view! {
        <ConfirmForm ask confirm="Store it" consequence action refused=typed.error()>
            {ways}
        </ConfirmForm>
    }
    .into_any()
}

/// Each way to open it; one is filled in.
fn ways(typed: Typed<'_>) -> Vec<AnyView> {
    vec![
        inputs::hidden("do", "rotate"),
        secret("Token", "token", "Of a service account."),
        secret_lines("Kubeconfig", "kubeconfig", "6", "For this cluster's address."),
        inputs::text("Context", "context", typed.value("context"), None),
        secret_lines("Client certificate", "client_certificate", "3", "PEM, with its key below."),
        secret_lines("Its key", "client_key", "3", "PEM."),
        inputs::text(
            "Secret",
            "service_account_token_secret_ref",
            typed.value("service_account_token_secret_ref"),
            Some("namespace/name or namespace/name:key, read at use."),
        ),
        view! {
            <fieldset class="facts-of">
                <legend>"OpenID Connect"</legend>
                {provider(typed)}
            </fieldset>
        }
        .into_any(),
        secret_lines(
            "Certificate authority",
            "certificate_authority",
            "3",
            "Only when it is another one: left empty, the one that is known counts on.",
        ),
    ]
}

pub fn settings(cluster: &Cluster, request: &PageRequest) -> AnyView {
    let action = paths::cluster(&cluster.id);
    let remove = typed(request, "remove");
    let consequence = format!(
        "{} is not looked after any more, and what opens it is erased at once. Its name is free again; what happened stays to be read.",
        cluster.label()
    );
    let edit = edit(cluster, request);
    let name =
        inputs::text("Its name", "name", remove.value("name"), Some("Typed again, to be sure."));
    let error = remove.error();
    view! {
        <Card title="Settings">
            <div class="forms">
                {edit}
                <ConfirmForm
                    ask="Remove the cluster…"
                    confirm="Remove the cluster"
                    consequence=consequence
                    action=action
                    danger=true
                    refused=error
                >
                    {inputs::hidden("do", "remove")}
                    {name}
                </ConfirmForm>
            </div>
        </Card>
    }
    .into_any()
}

fn edit(cluster: &Cluster, request: &PageRequest) -> AnyView {
    let typed = typed(request, "edit");
    let fields = (names(cluster, typed), kinds(cluster, typed), upstreams(cluster, typed));
    let version = cluster.version.to_string();
    view! {
        <ConfirmForm
            ask="Edit…"
            confirm="Save"
            consequence="An empty field is cleared."
            action=paths::cluster(&cluster.id)
            refused=typed.error()
        >
            {inputs::hidden("do", "edit")}
            {inputs::hidden("version", version)}
            {fields}
        </ConfirmForm>
    }
    .into_any()
}

/// What a field shows: what stands, or what was typed; empty, too, when somebody emptied it and was refused over
/// another field.
fn value(typed: Typed<'_>, key: &str, now: Option<&str>) -> Option<String> {
    match typed.0 {
        Some(_) => typed.value(key),
        None => now.map(str::to_owned),
    }
}

/// What it is called, and where it is.
fn names(cluster: &Cluster, typed: Typed<'_>) -> Vec<AnyView> {
    let field = |label: &'static str, key: &'static str, now: Option<&str>, hint| {
        inputs::text(label, key, value(typed, key, now), hint)
    };
    let labels: Vec<String> =
        cluster.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut fields = vec![
        field("Shown as", "display_name", cluster.display_name.as_deref(), None),
        field("External id", "external_id", Some(&cluster.external_id), None),
    ];
    if cluster.transport == Transport::Direct {
        let hint = Some("Changed only while no credential is stored.");
        fields.push(field("API server", "api_server_url", Some(&cluster.api_server_url), hint));
    }
    fields.push(field("Region", "region", cluster.region.as_deref(), None));
    fields.push(field("Labels", "labels", Some(&labels.join(", ")), Some("team=payments, tier=1")));
    fields
}

/// What it is chosen to be.
fn kinds(cluster: &Cluster, typed: Typed<'_>) -> Vec<AnyView> {
    let chosen = |key: &str, now: &str| typed.value(key).unwrap_or_else(|| now.to_owned());
    let platform = cluster.registered_platform.or(cluster.platform);
    let platform = chosen("platform", platform.map_or("", |platform| platform.as_str()));
    let kind = chosen("cluster_type", cluster.cluster_type.as_str());
    let environment = chosen("environment", cluster.environment.as_str());
    let mut platforms = vec![(String::new(), "to be found out".to_owned())];
    platforms.extend(pairs(PLATFORMS));
    vec![
        inputs::select("Type", "cluster_type", pairs(TYPES), Some(&kind)),
        inputs::select("Environment", "environment", pairs(ENVIRONMENTS), Some(&environment)),
        inputs::select("Platform", "platform", platforms, Some(&platform)),
    ]
}

/// Where its numbers and logs are asked for.
fn upstreams(cluster: &Cluster, typed: Typed<'_>) -> Vec<AnyView> {
    let url = |label: &'static str, key: &'static str, now: &Option<String>, hint| {
        inputs::text(label, key, value(typed, key, now.as_deref()), hint)
    };
    let at = &cluster.endpoints;
    let hint = Some("http://prometheus.monitoring.svc:9090");
    vec![
        url("Prometheus", "prometheus_url", &at.prometheus_url, hint),
        url("Tempo", "tempo_url", &at.tempo_url, None),
        url("Loki", "loki_url", &at.loki_url, None),
        url("Alertmanager", "alertmanager_url", &at.alertmanager_url, None),
    ]
}

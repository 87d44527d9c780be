//! The forms of a cluster's page: its settings, what opens it, and its removal. None of them shows a secret again.

use leptos::prelude::*;

use super::new::{pairs, secret, secret_lines};
use crate::{
    fleet::model::{Cluster, ENVIRONMENTS, PLATFORMS, TYPES, Transport},
    paths,
    request::PageRequest,
    ui::{
        Alert, Card, ConfirmForm, Tone,
        answer::set_status,
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
                <p>{sentence}</p>
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

pub fn credential(cluster: &Cluster, request: &PageRequest) -> AnyView {
    let stored = cluster.credential.is_some();
    let ask = if stored { "Rotate…" } else { "Store a credential…" };
    let consequence = if stored {
        "The new one is looked at first. Requests under way end with the old one; nothing is interrupted. Fill in one of these."
    } else {
        "It is looked at first; what the API server refuses is not stored. Fill in one of these."
    };
    let action = paths::cluster(&cluster.id);
    let validate = stored.then(|| {
        view! {
            <form method="post" action=action.clone()>
                {inputs::hidden("do", "validate")}
                <button class="btn">"Check it"</button>
            </form>
        }
    });
    let forget = stored.then(|| {
        view! {
            <ConfirmForm
                ask="Remove it…"
                confirm="Remove the credential"
                consequence="It is erased at once. The cluster is unknown until another one is stored."
                action=action.clone()
                danger=true
                refused=typed(request, "forget").error()
            >
                {inputs::hidden("do", "forget")}
            </ConfirmForm>
        }
    });
    let rotate = typed(request, "rotate");
    let fields = vec![
        inputs::hidden("do", "rotate"),
        secret("Token", "token", "Of a service account."),
        secret_lines("Kubeconfig", "kubeconfig", "6", "For this cluster's address."),
        inputs::text("Context", "context", rotate.value("context"), None),
        secret_lines("Client certificate", "client_certificate", "3", "PEM, with its key below."),
        secret_lines("Its key", "client_key", "3", "PEM."),
        inputs::text(
            "Secret",
            "service_account_token_secret_ref",
            rotate.value("service_account_token_secret_ref"),
            Some("namespace/name or namespace/name:key, read at use."),
        ),
        secret_lines(
            "Certificate authority",
            "certificate_authority",
            "3",
            "Only when it is another one: left empty, the one that is known counts on.",
        ),
    ];
    view! {
        <div class="forms">
            {validate}
            <ConfirmForm
                ask=ask
                confirm="Store it"
                consequence=consequence
                action=action
                refused=rotate.error()
            >
                {fields}
            </ConfirmForm>
            {forget}
        </div>
    }
    .into_any()
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
    let edit = typed(request, "edit");
    // Empty, too, when somebody emptied it and was refused over another field.
    let value = |key: &str, now: Option<&str>| match edit.0 {
        Some(_) => edit.value(key),
        None => now.map(str::to_owned),
    };
    let labels: Vec<String> =
        cluster.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let endpoints = &cluster.endpoints;
    let chosen = |key: &str, now: &str| edit.value(key).unwrap_or_else(|| now.to_owned());
    let typed_platform = cluster.registered_platform.or(cluster.platform);
    let mut platforms = vec![(String::new(), "to be found out".to_owned())];
    platforms.extend(pairs(PLATFORMS));
    let address = (cluster.transport == Transport::Direct).then(|| {
        inputs::text(
            "API server",
            "api_server_url",
            value("api_server_url", Some(&cluster.api_server_url)),
            Some("Changed only while no credential is stored."),
        )
    });
    let kind = chosen("cluster_type", cluster.cluster_type.as_str());
    let environment = chosen("environment", cluster.environment.as_str());
    let platform = chosen("platform", typed_platform.map_or("", |platform| platform.as_str()));
    let url = |label: &'static str, key: &'static str, now: &Option<String>, hint| {
        inputs::text(label, key, value(key, now.as_deref()), hint)
    };
    let fields = vec![
        inputs::hidden("do", "edit"),
        inputs::hidden("version", cluster.version.to_string()),
        url("Shown as", "display_name", &cluster.display_name, None),
        inputs::text(
            "External id",
            "external_id",
            value("external_id", Some(&cluster.external_id)),
            None,
        ),
        address.unwrap_or_else(|| ().into_any()),
        inputs::select("Type", "cluster_type", pairs(TYPES), Some(&kind)),
        inputs::select("Environment", "environment", pairs(ENVIRONMENTS), Some(&environment)),
        inputs::select("Platform", "platform", platforms, Some(&platform)),
        url("Region", "region", &cluster.region, None),
        inputs::text(
            "Labels",
            "labels",
            value("labels", Some(&labels.join(", "))),
            Some("team=payments, tier=1"),
        ),
        url(
            "Prometheus",
            "prometheus_url",
            &endpoints.prometheus_url,
            Some("http://prometheus.monitoring.svc:9090"),
        ),
        url("Tempo", "tempo_url", &endpoints.tempo_url, None),
        url("Loki", "loki_url", &endpoints.loki_url, None),
        url("Alertmanager", "alertmanager_url", &endpoints.alertmanager_url, None),
    ];
    view! {
        <ConfirmForm
            ask="Edit…"
            confirm="Save"
            consequence="An empty field is cleared."
            action=paths::cluster(&cluster.id)
            refused=edit.error()
        >
            {fields}
        </ConfirmForm>
    }
    .into_any()
}

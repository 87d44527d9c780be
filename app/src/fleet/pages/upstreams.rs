//! Prometheus, Tempo and Loki of a cluster: where they are, how each fares, by which way it is reached, and why where
//! that is not known.

use leptos::prelude::*;

use super::new::secret;
use crate::{
    fleet::{
        model::Cluster,
        upstreams::{UpstreamWay, ways},
    },
    ui::{
        Card, StatusBadge, Tone,
        inputs::{self, Typed},
    },
};

/// Where they answer, as somebody who registers a cluster types it; tokens only beside a credential of its own.
pub fn fields(typed: Typed<'_>, has_credential: bool) -> AnyView {
    let tokens = has_credential.then(|| {
        const HINT: &str = "Where it asks for one. It arrives only at an address that the console reaches itself: the API server's proxy drops it.";
        view! {
            {secret("Token for Prometheus", "prometheus_token", HINT)}
            {secret("Token for Tempo", "tempo_token", "")}
            {secret("Token for Loki", "loki_token", "")}
        }
    });
    let hint = "http://prometheus.monitoring.svc:9090 is reached through the API server, any other address directly.";
    view! {
        <fieldset class="facts-of">
            <legend>"Metrics, traces and logs"</legend>
            {inputs::text("Prometheus", "prometheus_url", typed.value("prometheus_url"), Some(hint))}
            {inputs::text("Tempo", "tempo_url", typed.value("tempo_url"), None)}
            {inputs::text("Loki", "loki_url", typed.value("loki_url"), None)}
            {tokens}
        </fieldset>
    }
    .into_any()
}

/// None where none is configured.
pub fn card(cluster: &Cluster) -> Option<AnyView> {
    let ways = ways(&cluster.endpoints, &cluster.upstream_tokens());
    if ways.is_empty() {
        return None;
    }
    let lines = ways.iter().map(|way| line(cluster, way)).collect_view();
    Some(
        view! {
            <Card title="Metrics, traces and logs">
                <dl class="facts checks-of">{lines}</dl>
            </Card>
        }
        .into_any(),
    )
}

fn line(cluster: &Cluster, way: &UpstreamWay) -> AnyView {
    let healthy = healthy(cluster, &way.upstream);
    let (tone, word) = match healthy {
        Some(true) => (Tone::Ok, "ready"),
        Some(false) => (Tone::Bad, "not well"),
        None => (Tone::Waiting, "not known"),
    };
    // What the last look said is nearer than what follows from the address.
    let told = cluster.status.deductions.iter().find(|told| told.component == way.upstream);
    let says = told.map_or_else(|| way.says.clone(), |told| told.reason.clone());
    let why = match (told, healthy) {
        (None, None) => Some(unasked(cluster).to_owned()),
        _ => None,
    };
    let way_out = way.way_out.clone().filter(|way_out| !says.contains(way_out.as_str()));
    let label = way.label();
    view! {
        <dt>{label}</dt>
        <dd>
            <StatusBadge tone word />
            " "
            {says}
            {why.map(|why| view! { <div class="why">{why}</div> })}
            {way_out.map(|way_out| view! { <div class="why">{way_out}</div> })}
            <div>
                <code>{way.url.clone()}</code>
            </div>
        </dd>
    }
    .into_any()
}

fn healthy(cluster: &Cluster, upstream: &str) -> Option<bool> {
    match upstream {
        "prometheus" => cluster.status.prometheus_healthy,
        "tempo" => cluster.status.tempo_healthy,
        _ => cluster.status.loki_healthy,
    }
}

/// Why there is nothing to be said of it.
fn unasked(cluster: &Cluster) -> &'static str {
    match (cluster.status.last_check_at, cluster.status.api_server_healthy) {
        (None, _) => "Nobody has looked at it yet.",
        (Some(_), Some(true)) => "It is looked at with the next look at the cluster.",
        (Some(_), _) => {
            "It is reached through the API server, which cannot be asked; see what is said of the cluster."
        }
    }
}

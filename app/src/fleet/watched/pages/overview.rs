//! The parts of `/clusters/{id}` that are made of what is watched: nodes, what is not healthy and why, warnings, and
//! the watches themselves. The cluster's own page puts them where they belong, below `tabs`.

use leptos::prelude::*;

pub use super::frame::tabs;
use super::{events, tell};
use crate::{
    fleet::watched::{Finding, Kind, Overview, WatchState, WatchStatus, topic},
    list::ListQuery,
    paths,
    ui::{
        Card, Clockface, Column, Fact, Facts, StatusBadge, Table, Tone, pagination::grouped,
        table::RowLink,
    },
};

/// What a live section around these parts listens to.
pub fn topics(cluster: &str) -> Vec<String> {
    let kinds = [Kind::Nodes, Kind::Pods, Kind::Deployments, Kind::StatefulSets, Kind::Events];
    kinds.into_iter().map(|kind| topic(cluster, kind)).collect()
}

const FINDINGS: &[Column] = &[Column::text("What"), Column::text("Cause"), Column::number("Since")];

/// "Not healthy, and why".
pub fn unhealthy(overview: &Overview, cluster: &str, clock: &Clockface) -> AnyView {
    let remark = format!(
        "{} of {} workloads",
        grouped(overview.workloads_unhealthy.cast_signed()),
        grouped(overview.workloads.cast_signed())
    );
    let body = if overview.findings.is_empty() {
        let says = if overview.watches.iter().all(WatchStatus::is_complete) {
            "Nothing that the checks know of is wrong here."
        } else {
            "Nothing was found so far; not everything could be read."
        };
        view! { <p class="body dim">{says}</p> }.into_any()
    } else {
        let rows = overview.findings.iter().map(|finding| row(finding, cluster, clock));
        let rows = rows.collect_view();
        view! {
            <Table caption="What is not healthy, the worst first" columns=FINDINGS>
                {rows}
            </Table>
        }
        .into_any()
    };
    let more = overview.findings_total.saturating_sub(overview.findings.len() as u64);
    let all = ListQuery::default().with("state", "unhealthy");
    let more = (more > 0).then(|| {
        let href = paths::cluster_list_where(cluster, "workloads", &all);
        let says =
            format!("{} more: all workloads that are not healthy", grouped(more.cast_signed()));
        view! {
            <p class="body">
                <a href=href>{says}</a>
            </p>
        }
    });
    view! {
        <Card title="Not healthy, and why" remark=remark.into_any() flush=true>
            {body}
            {more}
        </Card>
    }
    .into_any()
}

fn row(finding: &Finding, cluster: &str, clock: &Clockface) -> AnyView {
    let pods = match finding.pods {
        0 => String::new(),
        1 => ", 1 pod".to_owned(),
        n => format!(", {n} pods"),
    };
    let (href, title) = (leads_to(finding, cluster), finding.title());
    let under = format!("{}{pods}", finding.kind);
    let (badge, why) = (tell::badge(finding), tell::why(finding, clock));
    let since = tell::since(finding.since, clock);
    view! {
        <tr>
            <td>
                <RowLink href>{title}</RowLink>
                <div class="why">{under}</div>
            </td>
            <td>{badge} {why}</td>
            <td class="num">{since}</td>
        </tr>
    }
    .into_any()
}

fn leads_to(finding: &Finding, cluster: &str) -> String {
    let query = ListQuery::default();
    if finding.kind == "Node" {
        return paths::cluster_list_where(cluster, "nodes", &query.with("q", &*finding.name));
    }
    let query = match &finding.namespace {
        Some(namespace) => query.with("namespace", &**namespace),
        None => query,
    };
    match finding.kind.as_str() {
        "Deployment" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob" => {
            let query = query.with("workload", &*finding.name);
            paths::cluster_list_where(cluster, "pods", &query)
        }
        kind => {
            let query = query.with("kind", kind).with("object", &*finding.name);
            paths::cluster_list_where(cluster, "events", &query)
        }
    }
}

const WARNINGS: &[Column] = &[
    Column::text("Object"),
    Column::text("What was said"),
    Column::number("Times"),
    Column::number("Last"),
];

pub fn warnings(overview: &Overview, cluster: &str, clock: &Clockface) -> AnyView {
    let all = ListQuery::default().with("type", "warning");
    let href = paths::cluster_list_where(cluster, "events", &all);
    let link = view! { <a href=href>"all warnings"</a> };
    let body = if overview.warnings.is_empty() {
        view! { <p class="body dim">"No component has warned of anything lately."</p> }.into_any()
    } else {
        let rows = overview.warnings.iter().map(|event| events::row(event, cluster, clock));
        let rows = rows.collect_view();
        view! {
            <Table caption="Recent warning events, newest first" columns=WARNINGS>
                {rows}
            </Table>
        }
        .into_any()
    };
    view! {
        <Card title="Recent warnings" remark=link.into_any() flush=true>
            {body}
        </Card>
    }
    .into_any()
}

pub fn nodes(overview: &Overview, cluster: &str) -> AnyView {
    let nodes = &overview.nodes;
    let of = |watch: Kind| overview.watches.iter().find(|status| status.kind == watch);
    if of(Kind::Nodes).is_none_or(|status| !status.is_complete()) {
        let says = of(Kind::Nodes).and_then(WatchStatus::caveat);
        let says = says.unwrap_or_else(|| "Nodes are not known yet.".to_owned());
        return view! { <Card title="Nodes"><p class="dim">{says}</p></Card> }.into_any();
    }
    let tone = if nodes.ready == nodes.total { Tone::Ok } else { Tone::Bad };
    let versions: Vec<String> =
        nodes.versions.iter().map(|(version, count)| format!("{version} × {count}")).collect();
    let gpus = (nodes.gpus > 0).then(|| {
        let says = format!("{} on {} nodes", nodes.gpus, nodes.gpu_nodes);
        view! { <Fact name="GPUs">{says}</Fact> }
    });
    let pressure = (nodes.under_pressure > 0).then(|| {
        let word = nodes.under_pressure.to_string();
        view! {
            <Fact name="Under pressure">
                <StatusBadge tone=Tone::Warn word />
            </Fact>
        }
    });
    let cordoned = (nodes.cordoned > 0).then(|| {
        let count = nodes.cordoned.to_string();
        view! { <Fact name="Cordoned">{count}</Fact> }
    });
    let (of_nodes, of_pods) =
        (paths::cluster_list(cluster, "nodes"), paths::cluster_list(cluster, "pods"));
    let ready = format!("{} of {}", nodes.ready, nodes.total);
    let pods = grouped(overview.pods.cast_signed());
    let versions = versions.join(", ");
    view! {
        <Card title="Nodes">
            <Facts>
                <Fact name="Ready">
                    <a href=of_nodes>
                        <StatusBadge tone word=ready />
                    </a>
                </Fact>
                {pressure}
                {cordoned}
                <Fact name="Version">{versions}</Fact>
                {gpus}
                <Fact name="Pods">
                    <a href=of_pods>{pods}</a>
                </Fact>
            </Facts>
        </Card>
    }
    .into_any()
}

/// The state and age of each watch.
pub fn watches(overview: &Overview, clock: &Clockface) -> AnyView {
    let facts = overview.watches.iter().map(|status| watch(status, clock)).collect_view();
    view! {
        <Card title="Watches">
            <Facts>{facts}</Facts>
        </Card>
    }
    .into_any()
}

fn watch(status: &WatchStatus, clock: &Clockface) -> AnyView {
    let tone = match status.state {
        WatchState::Live => Tone::Ok,
        WatchState::Starting => Tone::Running,
        WatchState::Stale => Tone::Warn,
        WatchState::Refused => Tone::Bad,
        WatchState::NotServed | WatchState::Stopped => Tone::Waiting,
    };
    let heard = match (status.state, status.heard_at) {
        (WatchState::Refused | WatchState::NotServed, _) | (_, None) => String::new(),
        (state, Some(at)) => {
            let heard = if state == WatchState::Live { "" } else { "heard " };
            let objects = grouped(status.objects.cast_signed());
            format!(" {objects}, {heard}{}", clock.relative(at))
        }
    };
    let why = status.reason.map(|reason| view! { <div class="why">{reason.says()}</div> });
    let (kind, word) = (status.kind.label(), status.state.as_str());
    view! {
        <Fact name=kind>
            <StatusBadge tone word />
            {heard}
            {why}
        </Fact>
    }
    .into_any()
}

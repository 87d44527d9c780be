//! From slim objects to rows: which are chosen, and what is said of each.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use app::{
    fleet::watched::{
        EventRow, Finding, Kind, NodeRow, NodeState, NodesSummary, Phase, PodRow, Severity,
        WorkloadRow, WorkloadState,
    },
    list::ListQuery,
};

use crate::fleet::watch::{
    ClusterView, Watch,
    slim::{CronJob, Event, Job, Node, Pod, Slim, Workload},
};

pub fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Those that occur, in order.
pub fn distinct<'a>(all: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    for one in all {
        if !seen.contains(one) {
            seen.insert(one.to_owned());
        }
    }
    seen.into_iter().collect()
}

pub fn namespaces<T: Slim>(watch: &Watch<T>) -> Vec<String> {
    let table = watch.table();
    distinct(table.iter().map(|object| &*object.meta().namespace))
}

/// Whether a filter takes this value; one that is not set takes each.
fn takes(query: &ListQuery, key: &str, value: &str) -> bool {
    let values = query.values(key);
    values.is_empty() || values.iter().any(|wanted| wanted == value)
}

/// Whether all words that are looked for occur, whatever their case.
fn has_words(query: &ListQuery, text: &[&str]) -> bool {
    let Some(words) = query.value("q") else { return true };
    let text = text.join(" ").to_lowercase();
    words.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

// Nodes

pub fn nodes(view: &ClusterView, query: &ListQuery) -> Vec<NodeRow> {
    let pods = pods_per_node(view);
    let table = view.cluster().nodes.table();
    let rows = table.iter().map(|node| {
        let on_it = pods.as_ref().map(|pods| pods.get(&*node.meta.name).copied().unwrap_or(0));
        self::node(node, on_it)
    });
    let mut rows: Vec<NodeRow> = rows.filter(|row| node_fits(row, query)).collect();
    rows.sort_by(|one, other| (one.state, &one.name).cmp(&(other.state, &other.name)));
    rows
}

/// None while not all pods are known: a number that is too small is no number.
fn pods_per_node(view: &ClusterView) -> Option<HashMap<Arc<str>, u64>> {
    if !view.status(Kind::Pods).is_complete() {
        return None;
    }
    let mut counts = HashMap::new();
    let table = view.cluster().pods.table();
    for pod in table.iter().filter(|pod| !pod.is_over()) {
        if let Some(node) = &pod.node {
            *counts.entry(Arc::clone(node)).or_insert(0) += 1;
        }
    }
    Some(counts)
}

const PRESSURES: &[&str] = &["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"];
const ROLE: &str = "node-role.kubernetes.io/";

fn node(node: &Node, pods: Option<u64>) -> NodeRow {
    let ready = node.ready();
    let state = match ready.map(|ready| &*ready.status) {
        Some("True") => NodeState::Ready,
        Some("False") => NodeState::NotReady,
        _ => NodeState::Unknown,
    };
    let pressure = PRESSURES
        .iter()
        .filter(|kind| node.condition(kind).is_some_and(|condition| &*condition.status == "True"));
    let roles = node.meta.labels.iter().filter_map(|(key, _)| key.strip_prefix(ROLE));
    let taints = node.taints.iter().map(|taint| {
        let value =
            if taint.value.is_empty() { String::new() } else { format!("={}", taint.value) };
        format!("{}{value}:{}", taint.key, taint.effect)
    });
    NodeRow {
        name: node.meta.name.to_string(),
        state,
        since: ready.map(|ready| ready.since),
        pressure: pressure.map(|kind| (*kind).to_owned()).collect(),
        cordoned: node.unschedulable,
        roles: roles.map(str::to_owned).collect(),
        taints: taints.collect(),
        version: node.version.to_string(),
        os: node.os.to_string(),
        cpu: node.allocatable("cpu").map(ToString::to_string),
        memory: node.allocatable("memory").map(ToString::to_string),
        gpus: gpus(node),
        pods,
        created_at: node.meta.created,
    }
}

/// Whole devices, as their makers' plug-ins name them.
fn gpus(node: &Node) -> i64 {
    let counts = node.allocatable.iter().filter(|(resource, _)| {
        matches!(
            &**resource,
            "nvidia.com/gpu" | "amd.com/gpu" | "gpu.intel.com/i915" | "gpu.intel.com/xe"
        )
    });
    counts.filter_map(|(_, amount)| amount.parse::<i64>().ok()).sum()
}

fn node_fits(row: &NodeRow, query: &ListQuery) -> bool {
    let states = query.values("state");
    let has_state = states.is_empty()
        || states.iter().any(|state| match state.as_str() {
            "pressure" => !row.pressure.is_empty(),
            "cordoned" => row.cordoned,
            state => state == row.state.as_str(),
        });
    has_state
        && takes(query, "gpu", if row.gpus > 0 { "yes" } else { "no" })
        && takes(query, "version", &row.version)
        && has_words(query, &[&row.name])
}

pub fn summary(view: &ClusterView) -> NodesSummary {
    let table = view.cluster().nodes.table();
    let mut summary = NodesSummary { total: count(table.len()), ..NodesSummary::default() };
    let mut versions = BTreeMap::<String, u64>::new();
    for one in table.iter() {
        let row = node(one, None);
        summary.ready += u64::from(row.state == NodeState::Ready);
        summary.under_pressure += u64::from(!row.pressure.is_empty());
        summary.cordoned += u64::from(row.cordoned);
        summary.gpu_nodes += u64::from(row.gpus > 0);
        summary.gpus += row.gpus;
        *versions.entry(row.version).or_default() += 1;
    }
    summary.versions = versions.into_iter().rev().collect();
    summary
}

// Pods

pub fn pods(view: &ClusterView, query: &ListQuery) -> Vec<Arc<Pod>> {
    let table = view.cluster().pods.table();
    // One namespace is found without looking at the others.
    if let [namespace] = query.values("namespace") {
        return table.of(namespace).filter(|pod| pod_fits(pod, query)).cloned().collect();
    }
    table.iter().filter(|pod| pod_fits(pod, query)).cloned().collect()
}

fn is_healthy(pod: &Pod) -> bool {
    pod.phase == Phase::Succeeded || (pod.phase == Phase::Running && pod.ready)
}

fn pod_fits(pod: &Pod, query: &ListQuery) -> bool {
    let states = query.values("state");
    let has_state = states.is_empty()
        || states.iter().any(|state| match state.as_str() {
            "unhealthy" => !is_healthy(pod) && pod.meta.deleting.is_none(),
            "terminating" => pod.meta.deleting.is_some(),
            "running" => pod.phase == Phase::Running,
            "pending" => pod.phase == Phase::Pending,
            "succeeded" => pod.phase == Phase::Succeeded,
            "failed" => pod.phase == Phase::Failed,
            _ => false,
        });
    has_state
        && takes(query, "namespace", &pod.meta.namespace)
        && takes(query, "node", pod.node.as_deref().unwrap_or_default())
        && takes(query, "workload", pod.workload().map_or("", |(_, name)| name))
        && has_words(query, &[&pod.meta.name])
}

pub fn pod(pod: &Arc<Pod>) -> PodRow {
    let workload = pod.workload();
    PodRow {
        namespace: pod.meta.namespace.to_string(),
        name: pod.meta.name.to_string(),
        phase: pod.phase,
        status: pod.word().to_owned(),
        healthy: is_healthy(pod),
        containers_ready: count(pod.ready_containers()),
        containers: count(pod.template.containers.len()),
        restarts: pod.restarts(),
        node: pod.node.as_ref().map(ToString::to_string),
        workload_kind: workload.map(|(kind, _)| kind.to_owned()),
        workload: workload.map(|(_, name)| name.to_owned()),
        created_at: pod.meta.created,
    }
}

// Workloads

/// The worst finding of each object.
type Worst<'a> = HashMap<(&'a str, &'a str, &'a str), &'a Finding>;

pub fn workloads(view: &ClusterView, findings: &[Finding]) -> Vec<WorkloadRow> {
    let mut worst = Worst::new();
    for finding in findings.iter().filter(|finding| finding.severity != Severity::Notice) {
        let namespace = finding.namespace.as_deref().unwrap_or_default();
        worst.entry((&finding.kind, namespace, &finding.name)).or_insert(finding);
    }
    let cluster = view.cluster();
    let mut rows = Vec::new();
    for watch in [&cluster.deployments, &cluster.stateful_sets, &cluster.daemon_sets] {
        rows.extend(watch.table().iter().map(|one| workload(one, &worst)));
    }
    let jobs = cluster.jobs.table();
    // The runs of a cron job are its own affair.
    let own =
        |job: &&Arc<Job>| job.meta.owner.as_ref().is_none_or(|owner| &*owner.kind != "CronJob");
    rows.extend(jobs.iter().filter(own).map(|one| job(one, &worst)));
    rows.extend(cluster.cron_jobs.table().iter().map(|one| cron_job(one, &worst)));
    rows.sort_by(|one, other| {
        (&one.namespace, &one.name, &one.kind).cmp(&(&other.namespace, &other.name, &other.kind))
    });
    rows
}

pub fn workload_fits(row: &WorkloadRow, query: &ListQuery) -> bool {
    takes(query, "namespace", &row.namespace)
        && takes(query, "kind", &row.kind)
        && takes(query, "state", row.state.as_str())
        && has_words(query, &[&row.name])
}

fn row(
    kind: &str,
    meta: &crate::fleet::watch::slim::Meta,
    worst: &Worst<'_>,
    state: WorkloadState,
    says: String,
) -> WorkloadRow {
    let finding = worst.get(&(kind, &*meta.namespace, &*meta.name)).map(|found| (*found).clone());
    let state = if finding.is_some() { WorkloadState::Unhealthy } else { state };
    WorkloadRow {
        namespace: meta.namespace.to_string(),
        kind: kind.to_owned(),
        name: meta.name.to_string(),
        desired: 0,
        ready: 0,
        healthy: state != WorkloadState::Unhealthy,
        state,
        says,
        images: Vec::new(),
        finding,
        created_at: meta.created,
    }
}

fn workload(one: &Workload, worst: &Worst<'_>) -> WorkloadRow {
    let kind = match one.kind {
        Kind::StatefulSets => "StatefulSet",
        Kind::DaemonSets => "DaemonSet",
        _ => "Deployment",
    };
    let state = if one.desired == 0 {
        WorkloadState::Idle
    } else if one.ready >= one.desired {
        WorkloadState::Healthy
    } else {
        WorkloadState::Unhealthy
    };
    let mut says = format!("{} of {} ready", one.ready, one.desired);
    if one.paused {
        says.push_str(", paused");
    } else if one.updated < one.desired && one.desired > 0 {
        says.push_str(", rolling out");
    }
    WorkloadRow {
        desired: one.desired,
        ready: one.ready,
        images: one.images.iter().map(ToString::to_string).collect(),
        ..row(kind, &one.meta, worst, state, says)
    }
}

fn job(one: &Job, worst: &Worst<'_>) -> WorkloadRow {
    let (state, says) = if one.failure().is_some() {
        (WorkloadState::Unhealthy, "failed".to_owned())
    } else if one.is_complete() {
        (WorkloadState::Idle, "complete".to_owned())
    } else if one.suspended {
        (WorkloadState::Idle, "suspended".to_owned())
    } else {
        let says = format!("{} of {} done, {} at work", one.succeeded, one.completions, one.active);
        (WorkloadState::Healthy, says)
    };
    WorkloadRow {
        desired: one.completions,
        ready: one.succeeded,
        ..row("Job", &one.meta, worst, state, says)
    }
}

fn cron_job(one: &CronJob, worst: &Worst<'_>) -> WorkloadRow {
    let (state, says) = if one.suspended {
        (WorkloadState::Idle, format!("{}, suspended", one.schedule))
    } else if one.active > 0 {
        (WorkloadState::Healthy, format!("{}, at work", one.schedule))
    } else {
        (WorkloadState::Healthy, one.schedule.to_string())
    };
    row("CronJob", &one.meta, worst, state, says)
}

// Events

/// The newest first.
pub fn events(view: &ClusterView, query: &ListQuery) -> Vec<Arc<Event>> {
    let table = view.cluster().events.table();
    let mut events: Vec<Arc<Event>> =
        table.iter().filter(|event| event_fits(event, query)).cloned().collect();
    events.sort_by(|one, other| {
        other.last.cmp(&one.last).then_with(|| one.meta.name.cmp(&other.meta.name))
    });
    events
}

fn event_fits(event: &Event, query: &ListQuery) -> bool {
    takes(query, "namespace", &event.meta.namespace)
        && takes(query, "type", if event.warning { "warning" } else { "normal" })
        && takes(query, "reason", &event.reason)
        && takes(query, "kind", &event.about_kind)
        && takes(query, "object", &event.about)
        && has_words(query, &[&event.about, &event.reason, &event.message])
}

pub fn event(event: &Arc<Event>) -> EventRow {
    EventRow {
        namespace: event.meta.namespace.to_string(),
        about_kind: event.about_kind.to_string(),
        about: event.about.to_string(),
        warning: event.warning,
        reason: event.reason.to_string(),
        message: event.message.to_string(),
        source: event.source.to_string(),
        count: event.count,
        first_at: event.first,
        last_at: event.last,
    }
}

pub fn warnings(view: &ClusterView, most: usize) -> Vec<EventRow> {
    let warnings = ListQuery::default().with("type", "warning");
    events(view, &warnings).iter().take(most).map(event).collect()
}

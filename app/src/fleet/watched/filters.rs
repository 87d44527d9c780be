//! The filters of a cluster's lists, written once for the pages and for the JSON API.

use crate::list::{Choice, Filter, FilterKind};

const fn exact(key: &'static str, label: &'static str) -> Filter {
    Filter { key, label, kind: FilterKind::Exact, column: key }
}

const fn one_of(key: &'static str, label: &'static str, choices: &'static [Choice]) -> Filter {
    Filter { key, label, kind: FilterKind::OneOf(choices), column: key }
}

const fn search(label: &'static str) -> Filter {
    Filter { key: "q", label, kind: FilterKind::Search, column: "q" }
}

const fn choice(value: &'static str, label: &'static str) -> Choice {
    Choice { value, label }
}

pub const NODE_FILTERS: &[Filter] = &[
    search("Name"),
    one_of(
        "state",
        "State",
        &[
            choice("ready", "ready"),
            choice("not_ready", "not ready"),
            choice("unknown", "not heard of"),
            choice("pressure", "under pressure"),
            choice("cordoned", "cordoned"),
        ],
    ),
    one_of("gpu", "GPU", &[choice("yes", "with GPUs"), choice("no", "without GPUs")]),
    exact("version", "Version"),
];

pub const POD_FILTERS: &[Filter] = &[
    search("Name"),
    exact("namespace", "Namespace"),
    one_of(
        "state",
        "State",
        &[
            choice("unhealthy", "not healthy"),
            choice("running", "running"),
            choice("pending", "pending"),
            choice("succeeded", "succeeded"),
            choice("failed", "failed"),
            choice("terminating", "terminating"),
        ],
    ),
    exact("node", "Node"),
    exact("workload", "Workload"),
];

pub const WORKLOAD_FILTERS: &[Filter] = &[
    search("Name"),
    exact("namespace", "Namespace"),
    one_of(
        "state",
        "State",
        &[choice("unhealthy", "not healthy"), choice("healthy", "healthy"), choice("idle", "idle")],
    ),
    one_of(
        "kind",
        "Kind",
        &[
            choice("Deployment", "Deployment"),
            choice("StatefulSet", "StatefulSet"),
            choice("DaemonSet", "DaemonSet"),
            choice("Job", "Job"),
            choice("CronJob", "CronJob"),
        ],
    ),
];

pub const EVENT_FILTERS: &[Filter] = &[
    search("Text"),
    exact("namespace", "Namespace"),
    one_of("type", "Type", &[choice("warning", "warning"), choice("normal", "normal")]),
    exact("reason", "Reason"),
    exact("kind", "Kind of object"),
    exact("object", "Object"),
];

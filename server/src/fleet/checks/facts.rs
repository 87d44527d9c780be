//! What the checks look at: one moment of a cluster's tables. A kind that is not known is not there at all, so that no
//! check can take "not read" for "does not exist".

use std::{collections::HashMap, sync::Arc};

use app::{
    fleet::watched::{Kind, WatchState},
    time::Micros,
};

use crate::fleet::watch::{
    ClusterView, Watch,
    slim::{Claim, Event, Job, NetworkPolicy, Node, Pod, Service, Slim, Workload},
};

/// What the checks want to be asked for.
pub const KINDS: &[Kind] = &[
    Kind::Nodes,
    Kind::Pods,
    Kind::Deployments,
    Kind::StatefulSets,
    Kind::DaemonSets,
    Kind::Jobs,
    Kind::Events,
    Kind::Services,
    Kind::Claims,
    Kind::NetworkPolicies,
];

#[derive(Default)]
pub struct Facts {
    pub now: Micros,
    pub nodes: Option<Vec<Arc<Node>>>,
    /// By namespace, then by name.
    pub pods: Option<Vec<Arc<Pod>>>,
    pub workloads: Vec<Arc<Workload>>,
    pub jobs: Vec<Arc<Job>>,
    pub services: Vec<Arc<Service>>,
    pub claims: Option<Vec<Arc<Claim>>>,
    pub policies: Vec<Arc<NetworkPolicy>>,
    pub(super) warnings: HashMap<(String, String), Vec<Arc<Event>>>,
}

impl Facts {
    pub fn of(view: &ClusterView, now: Micros) -> Self {
        let cluster = view.cluster();
        let workloads = [&cluster.deployments, &cluster.stateful_sets, &cluster.daemon_sets];
        let facts = Self {
            now,
            nodes: known(&cluster.nodes),
            pods: known(&cluster.pods),
            workloads: workloads.into_iter().filter_map(|watch| known(watch)).flatten().collect(),
            jobs: known(&cluster.jobs).unwrap_or_default(),
            services: known(&cluster.services).unwrap_or_default(),
            claims: known(&cluster.claims),
            policies: known(&cluster.network_policies).unwrap_or_default(),
            warnings: HashMap::new(),
        };
        facts.with_events(known(&cluster.events).unwrap_or_default())
    }

    #[must_use]
    pub fn with_events(mut self, events: Vec<Arc<Event>>) -> Self {
        for event in events {
            // What is said of a volume claim that waits for its first pod is a normal event.
            if event.warning || &*event.reason == "WaitForFirstConsumer" {
                let key = (event.meta.namespace.to_string(), event.about.to_string());
                self.warnings.entry(key).or_default().push(event);
            }
        }
        self
    }

    /// The newest event about an object for which `is` holds.
    pub fn event(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        is: impl Fn(&Event) -> bool,
    ) -> Option<&Arc<Event>> {
        let about = self.warnings.get(&(namespace.to_owned(), name.to_owned()))?;
        let fitting = about.iter().filter(|event| &*event.about_kind == kind && is(event));
        fitting.max_by_key(|event| event.last)
    }

    pub fn event_of_pod(&self, pod: &Pod, is: impl Fn(&Event) -> bool) -> Option<&Arc<Event>> {
        self.event("Pod", &pod.meta.namespace, &pod.meta.name, is)
    }

    /// Every event that was kept.
    pub fn events(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.warnings.values().flatten()
    }

    /// Pods that still have to do something.
    pub fn live_pods(&self) -> impl Iterator<Item = &Arc<Pod>> {
        let pods = self.pods.iter().flatten();
        pods.filter(|pod| !pod.is_over() && pod.meta.deleting.is_none())
    }

    /// Pods of one namespace; none when pods are not known.
    pub fn pods_of(&self, namespace: &str) -> Option<&[Arc<Pod>]> {
        let pods = self.pods.as_deref()?;
        let start = pods.partition_point(|pod| &*pod.meta.namespace < namespace);
        let end = pods.partition_point(|pod| &*pod.meta.namespace <= namespace);
        Some(&pods[start..end])
    }
}

/// All of a kind, when all of it is known. A stale table was whole, and its age stands beside it.
fn known<T: Slim>(watch: &Watch<T>) -> Option<Vec<Arc<T>>> {
    let status = watch.told();
    let whole =
        status.is_complete() && matches!(status.state, WatchState::Live | WatchState::Stale);
    whole.then(|| watch.table().iter().cloned().collect())
}

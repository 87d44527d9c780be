//! The watches of one cluster, with what they share: names, the client, and who is told of changes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use app::fleet::watched::WatchStatus;
use futures::future::BoxFuture;
use tokio::sync::{Notify, watch as channel};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    ClientSource,
    kind::Kind,
    names::Names,
    one::{Status, Watch},
    reflector::Reflector,
    slim::{
        Claim, CronJob, EndpointSlice, Event, Job, Namespace, NetworkPolicy, Node, Pod, Service,
        Slim, Workload,
    },
};
use crate::clock::{Clock, Rng};

pub struct Cluster {
    pub id: Uuid,
    pub workspace_id: i64,
    pub clock: Clock,
    pub rng: Rng,
    pub(super) clients: Arc<dyn ClientSource>,
    pub(super) names: Names,
    /// The cluster was removed, or its credential exchanged.
    pub(super) stop: CancellationToken,
    /// Not since the server said once that it does not stream lists.
    streams: AtomicBool,
    /// Kinds that changed since anybody was told: one bit each.
    dirty: AtomicU32,
    pulse: Arc<Notify>,
    pub nodes: Arc<Watch<Node>>,
    pub namespaces: Arc<Watch<Namespace>>,
    pub pods: Arc<Watch<Pod>>,
    pub deployments: Arc<Watch<Workload>>,
    pub stateful_sets: Arc<Watch<Workload>>,
    pub daemon_sets: Arc<Watch<Workload>>,
    pub jobs: Arc<Watch<Job>>,
    pub cron_jobs: Arc<Watch<CronJob>>,
    pub events: Arc<Watch<Event>>,
    pub services: Arc<Watch<Service>>,
    pub endpoint_slices: Arc<Watch<EndpointSlice>>,
    pub claims: Arc<Watch<Claim>>,
    pub network_policies: Arc<Watch<NetworkPolicy>>,
}

/// Does something with the watch of a kind, whatever the kind's type is.
macro_rules! of_kind {
    ($cluster:expr, $kind:expr, $watch:ident => $do:expr) => {
        match $kind {
            Kind::Nodes => {
                let $watch = &$cluster.nodes;
                $do
            }
            Kind::Namespaces => {
                let $watch = &$cluster.namespaces;
                $do
            }
            Kind::Pods => {
                let $watch = &$cluster.pods;
                $do
            }
            Kind::Deployments => {
                let $watch = &$cluster.deployments;
                $do
            }
            Kind::StatefulSets => {
                let $watch = &$cluster.stateful_sets;
                $do
            }
            Kind::DaemonSets => {
                let $watch = &$cluster.daemon_sets;
                $do
            }
            Kind::Jobs => {
                let $watch = &$cluster.jobs;
                $do
            }
            Kind::CronJobs => {
                let $watch = &$cluster.cron_jobs;
                $do
            }
            Kind::Events => {
                let $watch = &$cluster.events;
                $do
            }
            Kind::Services => {
                let $watch = &$cluster.services;
                $do
            }
            Kind::EndpointSlices => {
                let $watch = &$cluster.endpoint_slices;
                $do
            }
            Kind::Claims => {
                let $watch = &$cluster.claims;
                $do
            }
            Kind::NetworkPolicies => {
                let $watch = &$cluster.network_policies;
                $do
            }
        }
    };
}

/// What the clusters of a process share.
#[derive(Clone)]
pub(super) struct Shared {
    pub clients: Arc<dyn ClientSource>,
    pub clock: Clock,
    pub rng: Rng,
    pub pulse: Arc<Notify>,
}

impl Cluster {
    pub(super) fn new(id: Uuid, workspace_id: i64, shared: &Shared) -> Self {
        let Shared { clients, clock, rng, pulse } = shared.clone();
        Self {
            id,
            workspace_id,
            clients,
            rng,
            pulse,
            names: Names::default(),
            stop: CancellationToken::new(),
            streams: AtomicBool::new(true),
            dirty: AtomicU32::new(0),
            nodes: watch(Kind::Nodes, &clock),
            namespaces: watch(Kind::Namespaces, &clock),
            pods: watch(Kind::Pods, &clock),
            deployments: watch(Kind::Deployments, &clock),
            stateful_sets: watch(Kind::StatefulSets, &clock),
            daemon_sets: watch(Kind::DaemonSets, &clock),
            jobs: watch(Kind::Jobs, &clock),
            cron_jobs: watch(Kind::CronJobs, &clock),
            events: watch(Kind::Events, &clock),
            services: watch(Kind::Services, &clock),
            endpoint_slices: watch(Kind::EndpointSlices, &clock),
            claims: watch(Kind::Claims, &clock),
            network_policies: watch(Kind::NetworkPolicies, &clock),
            clock,
        }
    }

    /// What must run for it, when it does not run yet.
    pub(super) fn ask(self: &Arc<Self>, kind: Kind) -> Option<BoxFuture<'static, ()>> {
        of_kind!(self, kind, watch => reflector(self, watch))
    }

    pub(super) fn want_whole(&self, kind: Kind) {
        of_kind!(self, kind, watch => watch.want_whole());
    }

    pub(super) fn statuses(&self, kind: Kind) -> channel::Receiver<Status> {
        of_kind!(self, kind, watch => watch.statuses())
    }

    pub(super) fn told(&self, kind: Kind) -> WatchStatus {
        of_kind!(self, kind, watch => watch.told())
    }

    /// Sums the changes of all kinds: differs when anything that is shown differs.
    pub(super) fn changes(&self) -> u64 {
        Kind::ALL.iter().map(|kind| of_kind!(self, kind, watch => watch.table().changes())).sum()
    }

    pub(super) fn bytes_read(&self, kind: Kind) -> u64 {
        of_kind!(self, kind, watch => watch.bytes_read())
    }

    pub(super) fn may_stream(&self) -> bool {
        self.streams.load(Ordering::Relaxed)
    }

    pub(super) fn does_not_stream(&self) {
        self.streams.store(false, Ordering::Relaxed);
    }

    pub(super) fn changed(&self, kind: Kind) {
        self.dirty.fetch_or(bit(kind), Ordering::Relaxed);
        self.pulse.notify_one();
    }

    /// The kinds that changed since the last call.
    pub(super) fn take_changed(&self) -> Vec<Kind> {
        let dirty = self.dirty.swap(0, Ordering::Relaxed);
        Kind::ALL.iter().copied().filter(|kind| dirty & bit(*kind) != 0).collect()
    }
}

fn bit(kind: Kind) -> u32 {
    1 << (kind as u32)
}

fn watch<T: Slim>(kind: Kind, clock: &Clock) -> Arc<Watch<T>> {
    Arc::new(Watch::new(kind, clock.clone()))
}

fn reflector<T: Slim>(
    cluster: &Arc<Cluster>,
    watch: &Arc<Watch<T>>,
) -> Option<BoxFuture<'static, ()>> {
    let reflector = Reflector { cluster: Arc::clone(cluster), watch: Arc::clone(watch) };
    watch.ask().then(|| Box::pin(reflector.run()) as BoxFuture<'static, ()>)
}

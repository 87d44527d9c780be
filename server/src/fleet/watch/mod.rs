//! What goes on in clusters: one watch per kind and cluster, shared by all who look, over slim types of ours.
//!
//! ```text
//!  page, check ─► Watches::of(cluster) ─► ClusterView ─ ask(kinds) ─► Reflector ─► API server
//!       ▲                                    │ tables, states            │ objects, slim, names shared
//!       └── notices, at most one per 2 s ◄───┴──────── Watch<T> ◄────────┘
//! ```
//!
//! A watch runs only while somebody asks for it: five minutes after the last one did, it is let go with all that it
//! knew. Its age and its state stand beside whatever is shown of it. Must not write to a cluster, nor to the store.

mod cluster;
pub mod kind;
pub mod names;
mod notices;
mod one;
mod reflector;
pub mod slim;
mod source;
pub mod table;
mod talk;
mod wire;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use app::fleet::watched::{Reason, WatchStatus};
use async_trait::async_trait;
use futures::future::BoxFuture;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::{
    cluster::Cluster,
    kind::Kind,
    notices::{FeedNotices, Notices},
    one::Watch,
    reflector::{IDLE, LAST_CALL},
    table::Table,
};
use self::{cluster::Shared, slim::Slim};
use crate::clock::{Clock, Rng};

/// Changes of this long are told at once.
const DEBOUNCE: Duration = Duration::from_secs(2);

/// Who makes clients: `fleet::clients` alone, which is behind this so that a test may bring its own.
#[async_trait]
pub trait ClientSource: Send + Sync {
    async fn client(&self, cluster: Uuid) -> Result<kube::Client, NoClient>;
}

/// There is no client, and why.
#[derive(Clone, Copy, Debug)]
pub struct NoClient(pub Reason);

/// How long to wait for what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// There are rows to show, or it is known why not.
    FirstRows,
    /// Everything is known, or it is known why not.
    Whole,
}

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Watches(Arc<Inner>);

struct Inner {
    shared: Shared,
    notices: Arc<dyn Notices>,
    clusters: Mutex<HashMap<Uuid, Arc<Cluster>>>,
    orders: mpsc::UnboundedSender<BoxFuture<'static, ()>>,
    /// Whether anybody carries out orders: a console that only answers watches nothing.
    runs: AtomicBool,
    /// Taken by whoever runs.
    inbox: tokio::sync::Mutex<mpsc::UnboundedReceiver<BoxFuture<'static, ()>>>,
}

impl Watches {
    pub fn new(
        clients: Arc<dyn ClientSource>,
        notices: Arc<dyn Notices>,
        clock: Clock,
        rng: Rng,
    ) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        let shared = Shared { clients, clock, rng, pulse: Arc::new(Notify::new()) };
        Self(Arc::new(Inner {
            shared,
            notices,
            clusters: Mutex::default(),
            orders,
            runs: AtomicBool::new(false),
            inbox: tokio::sync::Mutex::new(inbox),
        }))
    }

    /// Nothing is started by looking; [`ClusterView::ask`] does.
    pub fn of(&self, cluster: Uuid, workspace_id: i64) -> ClusterView {
        let mut clusters = self.clusters();
        let held = clusters
            .entry(cluster)
            .or_insert_with(|| Arc::new(Cluster::new(cluster, workspace_id, &self.0.shared)));
        ClusterView { watches: self.clone(), cluster: Arc::clone(held) }
    }

    /// The cluster was removed, or has another credential: what is known of it counts no more.
    pub fn forget(&self, cluster: Uuid) {
        let held = self.clusters().remove(&cluster);
        let Some(held) = held else { return };
        held.stop.cancel();
        // Open pages look again: with the other credential, or to see that it is gone.
        let watched = Kind::ALL.iter().copied();
        let watched: Vec<Kind> = watched
            .filter(|kind| held.told(*kind).state != app::fleet::watched::WatchState::Stopped)
            .collect();
        self.0.notices.changed(held.id, held.workspace_id, &watched);
    }

    /// Whether anybody carries out what is asked.
    pub fn runs(&self) -> bool {
        self.0.runs.load(Ordering::Relaxed)
    }

    /// Runs the watches and tells of changes, until `stop`.
    pub async fn run(&self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut inbox = self.0.inbox.lock().await;
        self.0.runs.store(true, Ordering::Relaxed);
        let mut running = JoinSet::new();
        let tell = self.tell();
        tokio::pin!(tell);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                order = inbox.recv() => if let Some(order) = order {
                    running.spawn(order);
                },
                Some(ended) = running.join_next(), if !running.is_empty() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a watch ended by a fault; it starts again when it is asked for");
                    }
                }
                () = &mut tell => {}
            }
        }
        self.0.runs.store(false, Ordering::Relaxed);
        running.shutdown().await;
        Ok(())
    }

    /// Passes changes on, gathered over clusters and a little time. Never ends.
    async fn tell(&self) {
        loop {
            self.0.shared.pulse.notified().await;
            let clusters: Vec<_> = self.clusters().values().cloned().collect();
            for cluster in clusters {
                let kinds = cluster.take_changed();
                if !kinds.is_empty() {
                    self.0.notices.changed(cluster.id, cluster.workspace_id, &kinds);
                }
            }
            crate::tasks::beat();
            self.0.shared.clock.sleep(DEBOUNCE).await;
        }
    }

    fn clusters(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Cluster>>> {
        self.0.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One cluster, as those who look at it see it.
#[derive(Clone)]
pub struct ClusterView {
    watches: Watches,
    cluster: Arc<Cluster>,
}

impl ClusterView {
    /// Wants these kinds, and waits for them at most so long. What is then known, with its state, is in the tables.
    pub async fn ask(&self, kinds: &[Kind], until: Until, budget: Duration) {
        for kind in kinds {
            if until == Until::Whole {
                self.cluster.want_whole(*kind);
            }
            if let Some(order) = self.cluster.ask(*kind) {
                // The inbox lives as long as `self.watches`.
                let _ = self.watches.0.orders.send(order);
            }
        }
        if !self.watches.runs() {
            return;
        }
        let all = kinds.iter().map(|kind| {
            let mut statuses = self.cluster.statuses(*kind);
            async move {
                // The sender lives in `self.cluster`.
                let _ = statuses
                    .wait_for(|status| match until {
                        Until::FirstRows => status.is_settled(),
                        Until::Whole => status.synced_at.is_some() || status.reason.is_some(),
                    })
                    .await;
            }
        });
        tokio::select! {
            _ = futures::future::join_all(all) => {}
            () = self.cluster.clock.sleep(budget) => {}
        }
    }

    /// For a question that no watch answers: one object by its name.
    pub async fn client(&self) -> Result<kube::Client, NoClient> {
        self.cluster.clients.client(self.cluster.id).await
    }

    pub fn status(&self, kind: Kind) -> WatchStatus {
        self.cluster.told(kind)
    }

    /// Of those kinds that were asked for.
    pub fn statuses(&self) -> Vec<WatchStatus> {
        let all = Kind::ALL.iter().map(|kind| self.status(*kind));
        all.filter(|status| status.state != app::fleet::watched::WatchState::Stopped).collect()
    }

    /// Differs when anything that is shown differs.
    pub fn changes(&self) -> u64 {
        self.cluster.changes()
    }

    /// What was read from the API server for this kind, in bytes of JSON.
    pub fn bytes_read(&self, kind: Kind) -> u64 {
        self.cluster.bytes_read(kind)
    }

    /// The watches by kind, with their tables.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }
}

/// A table while it is looked at; not to be held over an await.
pub type Rows<'a, T> = RwLockReadGuard<'a, Table<T>>;

/// Reads a table.
pub fn rows<T: Slim>(watch: &Watch<T>) -> Rows<'_, T> {
    watch.table()
}

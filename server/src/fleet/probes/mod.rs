//! Looking after the clusters: every replica takes those that are due, each for one look, and writes what changed.
//!
//! ```text
//!  tick ─► take: Tx { token, until, next_at } ─► look (API server, nodes, upstreams) ─► judge
//!                                                                                        │ changed?
//!          release: with the next tick ◄── nothing ──────────────────────────────────────┤
//!                                          Tx { token confirmed, status, history, news } ◄┘
//! ```
//!
//! Must not change a cluster, and must not be an operation: a list full of probes is no list. Those that do not answer
//! have a lane of their own, so that however many they are, the others keep their intervals.

mod api_server;
mod looker;
mod measures;
mod nodes;
pub mod state;
mod upstream;

use std::{sync::Arc, time::Duration};

use app::{
    error::ApiError,
    fleet::model::{ClusterState, ClusterType},
    identity::Capability,
    time::Micros,
};
use async_trait::async_trait;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio_util::sync::CancellationToken;

use self::state::{ApiReading, Past, Readings, Verdict, judge, sentence};
pub use self::{looker::Looker, measures::Measures};
use super::store::{
    discovery,
    probes::{self as store, Lane, Noted, Rhythm, Target},
};
use crate::{
    clock::Rng,
    journal::events::{News, publish},
    store::{Db, StoreError},
    tasks,
};

/// How often it is looked what is due.
const TICK: Duration = Duration::from_secs(1);
/// Looks under way at once, of clusters that answered the last time.
const ANSWERING: usize = 256;
/// And of those that did not; each may take its whole time.
const SILENT: usize = 128;
/// A look that has not ended by itself by then is ended.
const GRACE: Duration = Duration::from_secs(1);
/// A lease outlasts its look by this much.
const MARGIN: Duration = Duration::from_secs(3);
/// So that clusters that were registered together are not looked at together.
const JITTER: f64 = 0.1;
/// "Last seen" is so old at most.
const SEEN_EVERY: i64 = 60 * Micros::SECOND;
/// Without a change, the history has a point this often.
const NOTED_EVERY: i64 = 5 * 60 * Micros::SECOND;
/// What could not be asked for is asked for again.
const DISCOVER_AGAIN: i64 = 3_600 * Micros::SECOND;

/// How often a cluster is looked at.
pub const fn interval(kind: ClusterType) -> Duration {
    Duration::from_secs(match kind {
        ClusterType::Hub => 15,
        ClusterType::Spoke => 30,
        ClusterType::Edge => 60,
        ClusterType::FarEdge => 120,
    })
}

/// How long it may take to answer.
pub const fn timeout(kind: ClusterType) -> Duration {
    Duration::from_secs(match kind {
        ClusterType::Hub => 5,
        ClusterType::Spoke => 10,
        ClusterType::Edge => 15,
        ClusterType::FarEdge => 30,
    })
}

/// What one look saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub readings: Readings,
    /// Of the API server's answer.
    pub latency: Option<Duration>,
    pub certificate_expires_at: Option<Micros>,
}

/// Looks at a cluster. Need not end by itself: whoever asks has a limit.
#[async_trait]
pub trait Look: Send + Sync {
    /// Each question has `within`. None: nothing can be said of the cluster.
    async fn look(&self, target: &Target, within: Duration) -> Option<Seen>;
}

/// Has a cluster discovered; asked twice for the same `discover_at`, it does so once.
#[async_trait]
pub trait Discover: Send + Sync {
    async fn discover(&self, target: &Target) -> Result<(), ApiError>;
}

/// Looks after the clusters that are due. Replicas share them.
pub struct Probes {
    db: Db,
    rng: Rng,
    look: Arc<dyn Look>,
    discover: Arc<dyn Discover>,
    measures: Measures,
}

/// How one look ended.
struct Ended {
    lane: Lane,
    /// Found as it was: its lease goes with the next tick.
    release: Option<String>,
}

/// The looks under way, and the leases that are to be let go.
#[derive(Default)]
struct AtWork<'a> {
    looks: FuturesUnordered<BoxFuture<'a, Ended>>,
    lanes: Lanes,
    done: Vec<String>,
}

impl AtWork<'_> {
    fn ended(&mut self, ended: Ended) {
        *self.lanes.count(ended.lane) -= 1;
        self.done.extend(ended.release);
    }
}

/// How many looks are under way.
#[derive(Clone, Copy, Default)]
struct Lanes {
    answering: usize,
    silent: usize,
}

impl Lanes {
    fn room(&self, lane: Lane) -> usize {
        match lane {
            Lane::Answering => ANSWERING.saturating_sub(self.answering),
            Lane::Silent => SILENT.saturating_sub(self.silent),
        }
    }

    fn count(&mut self, lane: Lane) -> &mut usize {
        match lane {
            Lane::Answering => &mut self.answering,
            Lane::Silent => &mut self.silent,
        }
    }
}

impl Probes {
    pub fn new(db: Db, rng: Rng, look: Arc<dyn Look>, discover: Arc<dyn Discover>) -> Self {
        Self { db, rng, look, discover, measures: Measures::default() }
    }

    pub fn measures(&self) -> &Measures {
        &self.measures
    }

    /// Until told to stop. What is under way then is let go: its leases lapse.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut at_work = AtWork::default();
        loop {
            // Looks go on while others are taken: one that is about to write may hold what the taking waits for.
            let released = std::mem::take(&mut at_work.done);
            let mut filling = Box::pin(self.fill(at_work.lanes, &released));
            let filled = loop {
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    filled = &mut filling => break filled,
                    Some(ended) = at_work.looks.next() => at_work.ended(ended),
                }
            };
            drop(filling);
            match filled {
                Ok(taken) => {
                    tasks::beat();
                    for (lane, target) in taken {
                        *at_work.lanes.count(lane) += 1;
                        at_work.looks.push(self.one(lane, target).boxed());
                    }
                }
                Err(error) => {
                    // Asked again with the next tick; what is under way goes on.
                    at_work.done.extend(released);
                    tracing::warn!(%error, "no clusters could be taken to look at");
                }
            }
            let mut tick = Box::pin(self.db.clock().sleep(TICK));
            loop {
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    Some(ended) = at_work.looks.next() => at_work.ended(ended),
                    () = &mut tick => break,
                }
            }
        }
    }

    /// Lets go of what was looked at and takes what is due, as far as there is room.
    async fn fill(&self, lanes: Lanes, done: &[String]) -> Result<Vec<(Lane, Target)>, StoreError> {
        let mut open = Vec::new();
        for lane in [Lane::Answering, Lane::Silent] {
            let room = lanes.room(lane);
            if room > 0 && store::has_due(&self.db, lane).await? {
                open.push((lane, room));
            }
        }
        if open.is_empty() && done.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.db.begin().await?;
        store::release(&mut tx, done).await?;
        let mut taken = Vec::new();
        for (lane, room) in open {
            let owner = || self.rng.uuid();
            let found = store::take(&mut tx, lane, room, owner, |kind| self.rhythm(kind)).await?;
            taken.extend(found.into_iter().map(|target| (lane, target)));
        }
        let now = tx.now().await?;
        tx.commit(Vec::new()).await?;
        for (_, target) in &taken {
            self.measures.began(now.since(target.due_at));
        }
        Ok(taken)
    }

    fn rhythm(&self, kind: ClusterType) -> Rhythm {
        Rhythm {
            // The API server, and then what is behind it.
            lease: timeout(kind) * 2 + MARGIN,
            again: self.rng.jitter(interval(kind), JITTER),
        }
    }

    async fn one(&self, lane: Lane, target: Target) -> Ended {
        let release = self.look_once(target).await;
        self.measures.written();
        Ended { lane, release }
    }

    /// The lease that is to be let go, where nothing was written.
    async fn look_once(&self, target: Target) -> Option<String> {
        let within = timeout(target.kind);
        let seen = tokio::select! {
            seen = self.look.look(&target, within) => seen,
            () = self.db.clock().sleep(within * 2 + GRACE) => Some(silent()),
        };
        self.measures.ended(seen.map(|seen| seen.readings.api));
        let Some(seen) = seen else { return Some(target.token) };
        let now = self.db.clock().now();
        let (verdict, past) = judge(&target.past, &seen.readings, now);
        let release = match self.write(&target, &seen, &verdict, &past, now).await {
            Ok(true) => None,
            Ok(false) => Some(target.token.clone()),
            Err(error) => {
                tracing::warn!(%error, cluster.id = target.id, "what a probe found was not written");
                Some(target.token.clone())
            }
        };
        if seen.readings.api == ApiReading::Up && target.discover_at <= now {
            self.have_discovered(&target, now).await;
        }
        release
    }

    /// False when nothing had to be written.
    async fn write(
        &self,
        target: &Target,
        seen: &Seen,
        verdict: &Verdict,
        past: &Past,
        now: Micros,
    ) -> Result<bool, StoreError> {
        let old = |at: Option<Micros>, every| at.is_none_or(|at| now.since(at) >= every);
        let changed = target.shown.as_ref() != Some(verdict);
        let noted = changed || old(target.noted_at, NOTED_EVERY);
        let shown = noted || old(target.checked_at, SEEN_EVERY);
        if !shown && *past == target.past {
            return Ok(false);
        }
        let mut tx = self.db.begin().await?;
        if !store::finish(&mut tx, target, past).await? {
            // Somebody else's by now, or removed: what was seen is of the past.
            return Ok(true);
        }
        if shown {
            let sentence = sentence(&seen.readings);
            let told = Noted {
                sentence: sentence.as_deref(),
                certificate_expires_at: seen.certificate_expires_at,
                seen: !matches!(seen.readings.api, ApiReading::Down(_)),
            };
            store::show(&mut tx, target, verdict, told).await?;
        }
        if noted {
            store::note(&mut tx, &target.id, verdict, seen.latency).await?;
        }
        if changed {
            let news = News {
                topic: app::events::CLUSTERS,
                kind: "CLUSTER_STATUS_CHANGED",
                id: target.id.clone(),
                capability: Capability::FleetView,
                workspace_id: target.workspace_id,
            };
            publish(&mut tx, news).await?;
        }
        tx.commit(Vec::new()).await?;
        if changed && verdict.state != target.past.state {
            tell(target, verdict.state);
        }
        Ok(true)
    }

    /// First asked for and then noted, so that a kill in between asks again for the same.
    async fn have_discovered(&self, target: &Target, now: Micros) {
        let next = match self.discover.discover(target).await {
            Ok(()) => now.plus(discovery::EVERY),
            Err(error) => {
                tracing::warn!(%error, cluster.id = target.id, "discovery could not be asked for");
                now.plus(DISCOVER_AGAIN)
            }
        };
        let noted = async {
            let mut tx = self.db.begin().await?;
            store::discovery_queued(&mut tx, &target.id, target.discover_at, next).await?;
            tx.commit(Vec::new()).await
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, cluster.id = target.id, "the next discovery was not noted");
        }
    }
}

fn tell(target: &Target, state: ClusterState) {
    let (before, after) = (target.past.state.as_str(), state.as_str());
    tracing::info!(cluster.id = target.id, before, after, "a cluster changed its state");
}

/// Nobody answered, and whoever asked did not come back.
fn silent() -> Seen {
    let api = ApiReading::Down(app::fleet::trouble::Trouble::Timeout);
    let readings =
        Readings { upstreams: [state::UpstreamReading::Unread; 3], ..Readings::only(api) };
    Seen { readings, latency: None, certificate_expires_at: None }
}

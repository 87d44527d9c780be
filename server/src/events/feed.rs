//! The feed of one process: numbers what waits, follows the table, and holds the newest events for those who
//! are up to date.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use app::identity::{Caller, Capability};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::{Event, Subscription, window};
use crate::{
    store::{Db, StoreError},
    web::gauges::{Gauge, Sample},
};

/// Finds what no wake told of: another replica's commits while the line to Postgres was down.
const POLL: Duration = Duration::from_secs(1);
/// Whoever is no further behind than this is served from memory: about 200 kB.
const RING: usize = 1_024;
/// Whoever is further behind than this looks again at everything.
const WHISPERS: usize = 256;
/// A person has a stream per visible tab; more is a mistake or an attack.
const STREAMS_PER_CALLER: usize = 20;

const LAG: Gauge = Gauge {
    name: "events_lag",
    help: "How long the oldest news of the database has waited for its number; 0 when none waits",
    unit: Some(|| prometheus_client::registry::Unit::Seconds),
};

/// What [`Feed::samples`] answers.
pub const GAUGES: &[Gauge] = &[LAG];

/// News that only those hear who listen right now, at this process: without a number, and kept nowhere. For what
/// changes often, and what a page that missed it learns from the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whisper {
    pub topic: String,
    pub id: String,
    pub capability: Capability,
    pub workspace_id: i64,
}

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Feed(Arc<Inner>);

struct Inner {
    db: Db,
    /// The newest events without a gap, oldest first.
    ring: RwLock<VecDeque<Arc<Event>>>,
    /// The last event that this process knows of.
    head: watch::Sender<i64>,
    whispers: broadcast::Sender<Arc<Whisper>>,
    streams: Mutex<HashMap<String, usize>>,
}

/// One of a caller's streams; gives its place back when it ends.
pub struct StreamSlot {
    feed: Feed,
    key: String,
}

impl Feed {
    /// Reads where the window ends; what was numbered before is read only by those who ask for it.
    pub async fn open(db: Db) -> Result<Self, StoreError> {
        let head = window::bounds(&db).await?.head;
        Ok(Self(Arc::new(Inner {
            db,
            ring: RwLock::default(),
            head: watch::Sender::new(head),
            whispers: broadcast::Sender::new(WHISPERS),
            streams: Mutex::default(),
        })))
    }

    /// The place from which a page that is being drawn should listen. Ask before reading what it shows.
    pub fn head(&self) -> i64 {
        *self.0.head.borrow()
    }

    /// Numbers and follows until `stop`. An error ends it; run again, it goes on from where it was.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut news = self.0.db.news();
        let mut listener = self.0.db.listen(window::CHANNEL).await?;
        loop {
            // Before the look, so that a commit during the look wakes us again.
            news.mark_unchanged();
            self.turn().await?;
            crate::tasks::beat();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                // The sender lives in `self`.
                _ = news.changed() => {}
                heard = listener.heard() => heard?,
                () = self.0.db.clock().sleep(POLL) => {}
            }
        }
    }

    /// One look: numbers what waits, then reads on.
    pub async fn turn(&self) -> Result<(), StoreError> {
        let mut bounds = window::bounds(&self.0.db).await?;
        if bounds.waiting {
            window::number_all(&self.0.db).await?;
            bounds = window::bounds(&self.0.db).await?;
        }
        while self.head() < bounds.head {
            let events = window::read_on(&self.0.db, self.head()).await?;
            let Some(last) = events.last().map(|event| event.seq) else {
                // All of it was pruned before we came to read it: subscribers find that out for themselves.
                self.0.head.send_replace(bounds.head);
                return Ok(());
            };
            self.remember(events);
            self.0.head.send_replace(last);
        }
        Ok(())
    }

    /// How far behind the numbering is, in microseconds; 0 when nothing waits.
    pub async fn lag(&self) -> Result<i64, StoreError> {
        window::waiting_for(&self.0.db).await
    }

    /// The same for metrics.
    pub async fn samples(&self) -> Result<Vec<Sample>, StoreError> {
        Ok(vec![Sample::seconds(&LAG, self.lag().await?)])
    }

    /// What follows `after` (an event's number), or what comes from now on, as far as `caller` may hear of it.
    pub async fn subscribe(
        &self,
        after: Option<i64>,
        caller: &Caller,
    ) -> Result<Subscription, StoreError> {
        let bounds = window::bounds(&self.0.db).await?;
        Ok(Subscription::new(self.clone(), caller.clone(), after, bounds))
    }

    /// How many events [`Feed::prune`] would remove.
    pub async fn prunable(&self, keep_for: Duration, keep: i64) -> Result<i64, StoreError> {
        window::prunable(&self.0.db, keep_for, keep).await
    }

    /// Removes what is older than `keep_for` or beyond the last `keep` events; says how many that were.
    pub async fn prune(&self, keep_for: Duration, keep: i64) -> Result<i64, StoreError> {
        window::prune(&self.0.db, keep_for, keep).await
    }

    /// A place for one more stream of this caller, unless there are too many.
    pub fn take_slot(&self, caller: &Caller) -> Option<StreamSlot> {
        let key = format!("{caller:?}");
        let mut streams = self.0.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let open = streams.entry(key.clone()).or_default();
        if *open >= STREAMS_PER_CALLER {
            return None;
        }
        *open += 1;
        Some(StreamSlot { feed: self.clone(), key })
    }

    /// Tells those who listen now.
    pub fn whisper(&self, whisper: Whisper) {
        // Nobody listening is no fault.
        let _ = self.0.whispers.send(Arc::new(whisper));
    }

    pub(super) fn whispers(&self) -> broadcast::Receiver<Arc<Whisper>> {
        self.0.whispers.subscribe()
    }

    /// How many follow right now: streams and requests that wait.
    pub fn followers(&self) -> usize {
        self.0.head.receiver_count()
    }

    pub(super) fn heads(&self) -> watch::Receiver<i64> {
        self.0.head.subscribe()
    }

    pub(super) fn db(&self) -> &Db {
        &self.0.db
    }

    /// What follows `after`, when memory reaches back that far.
    pub(super) fn recent(&self, after: i64) -> Option<Vec<Arc<Event>>> {
        let ring = self.0.ring.read().unwrap_or_else(PoisonError::into_inner);
        let first = ring.front()?.seq;
        let known = usize::try_from(after - first + 1).ok()?;
        Some(ring.iter().skip(known).cloned().collect())
    }

    fn remember(&self, events: Vec<Arc<Event>>) {
        let mut ring = self.0.ring.write().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            // A gap can only be what was pruned unread; memory begins anew behind it.
            if ring.back().is_some_and(|last| last.seq + 1 != event.seq) {
                ring.clear();
            }
            ring.push_back(event);
        }
        let surplus = ring.len().saturating_sub(RING);
        ring.drain(..surplus);
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let mut streams = self.feed.0.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = streams.get_mut(&self.key) {
            *open -= 1;
            if *open == 0 {
                streams.remove(&self.key);
            }
        }
    }
}

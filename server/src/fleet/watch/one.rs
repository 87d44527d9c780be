//! One kind of one cluster, as those who look at it see it: the table, the state, and when anybody last asked.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use app::{
    fleet::watched::{Reason, WatchState, WatchStatus},
    time::Micros,
};
use tokio::sync::{Notify, watch};

use super::{kind::Kind, slim::Slim, table::Table};
use crate::clock::Clock;

pub struct Watch<T> {
    pub kind: Kind,
    clock: Clock,
    table: RwLock<Table<T>>,
    status: watch::Sender<Status>,
    life: Mutex<Life>,
    /// Somebody waits for all of it, not for the first rows alone.
    whole: Notify,
    /// Bytes of bodies read, for whoever wants to know what a watch costs.
    read: AtomicU64,
}

/// Decided together, so that nobody asks a watch that is just about to stop.
#[derive(Default)]
struct Life {
    running: bool,
    asked_at: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub state: WatchState,
    pub reason: Option<Reason>,
    pub since: Micros,
    pub synced_at: Option<Micros>,
    pub heard_at: Option<Micros>,
    pub expected: Option<u64>,
    /// The first rows in the API's order are there.
    pub has_rows: bool,
}

impl<T: Slim> Watch<T> {
    pub fn new(kind: Kind, clock: Clock) -> Self {
        let since = clock.now();
        let status = Status {
            state: WatchState::Stopped,
            reason: None,
            since,
            synced_at: None,
            heard_at: None,
            expected: None,
            has_rows: false,
        };
        Self {
            kind,
            clock,
            table: RwLock::default(),
            status: watch::Sender::new(status),
            life: Mutex::default(),
            whole: Notify::new(),
            read: AtomicU64::new(0),
        }
    }

    pub fn table(&self) -> RwLockReadGuard<'_, Table<T>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn table_mut(&self) -> RwLockWriteGuard<'_, Table<T>> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn told(&self) -> WatchStatus {
        let status = self.status.borrow().clone();
        WatchStatus {
            kind: self.kind,
            state: status.state,
            reason: status.reason,
            since: status.since,
            synced_at: status.synced_at,
            heard_at: status.heard_at,
            objects: u64::try_from(self.table().len()).unwrap_or(u64::MAX),
            expected: status.expected,
        }
    }

    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(super) fn has_read(&self, bytes: usize) {
        self.read.fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
    }

    pub(super) fn statuses(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Somebody wants it. True when it must be started.
    pub(super) fn ask(&self) -> bool {
        let mut life = self.life();
        life.asked_at = self.clock.monotonic();
        !std::mem::replace(&mut life.running, true)
    }

    pub(super) fn want_whole(&self) {
        self.whole.notify_one();
    }

    /// Returns once somebody has waited for all of it since this was asked last.
    pub(super) async fn whole_is_wanted(&self) {
        self.whole.notified().await;
    }

    pub(super) fn asked_at(&self) -> Duration {
        self.life().asked_at
    }

    /// Ends the watch unless somebody has asked since `asked_at`.
    pub(super) fn may_end(&self, asked_at: Duration) -> bool {
        let mut life = self.life();
        if life.asked_at != asked_at {
            return false;
        }
        life.running = false;
        true
    }

    /// What it knew is let go.
    pub(super) fn ended(&self, reason: Option<Reason>) {
        self.life().running = false;
        self.table_mut().clear();
        self.status.send_modify(|status| {
            status.enter(WatchState::Stopped, reason, self.clock.now());
            status.synced_at = None;
            status.heard_at = None;
            status.expected = None;
            status.has_rows = false;
        });
    }

    pub(super) fn enter(&self, state: WatchState, reason: Option<Reason>) {
        let now = self.clock.now();
        self.status.send_modify(|status| status.enter(state, reason, now));
    }

    /// Lost: stale when something is shown, else it is still being begun.
    pub(super) fn lost(&self, reason: Reason) {
        let now = self.clock.now();
        self.status.send_modify(|status| {
            let known = status.synced_at.is_some();
            let state = if known { WatchState::Stale } else { WatchState::Starting };
            status.enter(state, Some(reason), now);
        });
    }

    /// The API server does not say this kind, or not to us: nothing of it may be shown.
    pub(super) fn barred(&self, state: WatchState, reason: Reason) {
        self.table_mut().clear();
        let now = self.clock.now();
        self.status.send_modify(|status| {
            status.enter(state, Some(reason), now);
            status.synced_at = None;
            status.has_rows = false;
            status.expected = None;
        });
    }

    pub(super) fn heard(&self) {
        let now = self.clock.now();
        // Nobody waits for this alone.
        self.status.send_if_modified(|status| {
            status.heard_at = Some(now);
            false
        });
    }

    pub(super) fn has_rows(&self, expected: Option<u64>) {
        let now = self.clock.now();
        self.status.send_modify(|status| {
            status.heard_at = Some(now);
            status.has_rows = true;
            status.expected = expected.filter(|_| status.synced_at.is_none());
        });
    }

    pub(super) fn synced(&self) {
        let now = self.clock.now();
        self.status.send_modify(|status| {
            status.enter(WatchState::Live, None, now);
            status.synced_at = Some(now);
            status.heard_at = Some(now);
            status.expected = None;
            status.has_rows = true;
        });
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Status {
    fn enter(&mut self, state: WatchState, reason: Option<Reason>, now: Micros) {
        if self.state != state {
            self.since = now;
        }
        self.state = state;
        self.reason = reason;
    }

    /// Whether there is something to show, or it is known why not.
    pub fn is_settled(&self) -> bool {
        self.has_rows
            || self.reason.is_some()
            || matches!(self.state, WatchState::Refused | WatchState::NotServed)
    }
}

//! Keeps one table as the API server has it, for as long as anybody looks.
//!
//! ```text
//!  first page (250) ─ all of it ──────────────────────────────┐
//!        └ more ─► streaming list (the server has it)  ─ mark ─┤► watch ─► 4 to 5 min, then again from its version
//!                └► further pages (it has not: found out once) ┘     └ 410 ─► from the first page; what is shown stays
//! ```
//!
//! The first page comes first even where lists stream: it is what a reader sees, and it tells how many there are. The
//! rest follows a moment later, or as soon as somebody waits for it.

use std::{convert::Infallible, fmt::Write as _, sync::Arc, time::Duration};

use app::fleet::watched::{Reason, WatchState};

use super::{
    cluster::Cluster,
    kind::resource,
    one::Watch,
    slim::Slim,
    talk::{Lines, Talk, Trouble},
    wire::{Change, Page},
};

/// As many as a page of a list can show, and some more.
const FIRST_PAGE: u32 = 250;
const NEXT_PAGES: u32 = 1_000;
/// So long the page with the first rows has the machine to itself: all of a large type keeps both ends busy.
const BREATH: Duration = Duration::from_secs(1);
/// The server ends a watch after this and up to a quarter more; we come back with the credential of then.
const WATCH_S: u64 = 240;
/// An API server marks each watch at least once a minute, so who says nothing for longer is not there.
const SILENCE: Duration = Duration::from_secs(100);
/// What nobody asked for is let go.
pub const IDLE: Duration = Duration::from_mins(5);
/// Open pages that are told of a change ask again within this.
pub const LAST_CALL: Duration = Duration::from_secs(30);
/// Rights change seldom.
const BARRED_AGAIN: Duration = Duration::from_mins(5);
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);

pub(super) struct Reflector<T> {
    pub cluster: Arc<Cluster>,
    pub watch: Arc<Watch<T>>,
}

/// Where a reflector is.
#[derive(Default)]
struct Place {
    /// The version up to which everything is known; none: a list is needed.
    version: Option<String>,
    failures: u32,
}

/// Ends the watch however its task ends, a panic included.
struct Running<'a, T: Slim>(&'a Reflector<T>, Option<Reason>);

impl<T: Slim> Drop for Running<'_, T> {
    fn drop(&mut self) {
        self.0.watch.ended(self.1);
        self.0.cluster.changed(self.0.watch.kind);
    }
}

impl<T: Slim> Reflector<T> {
    pub async fn run(self) {
        let mut running = Running(&self, Some(Reason::Fault));
        self.watch.enter(WatchState::Starting, None);
        tokio::select! {
            () = self.cluster.stop.cancelled() => {}
            () = self.idle() => {}
            never = self.follow() => match never {},
        }
        running.1 = None;
    }

    /// Ends when nobody has asked for long, and nobody answered the last call.
    async fn idle(&self) {
        loop {
            let asked_at = self.watch.asked_at();
            let since = self.cluster.clock.monotonic().saturating_sub(asked_at);
            let left = IDLE.saturating_sub(since);
            if !left.is_zero() {
                self.cluster.clock.sleep(left).await;
                continue;
            }
            // A page may stand open where nothing has changed for long: it looks again, which is asking.
            self.cluster.changed(self.watch.kind);
            self.cluster.clock.sleep(LAST_CALL).await;
            if self.watch.may_end(asked_at) {
                return;
            }
        }
    }

    async fn follow(&self) -> Infallible {
        let mut place = Place::default();
        loop {
            let began = self.cluster.clock.monotonic();
            let Err(trouble) = self.round(&mut place).await else {
                let lasted = self.cluster.clock.monotonic().saturating_sub(began);
                if lasted < FIRST_WAIT {
                    // A server that ends each watch at once is asked no faster for it.
                    self.cluster.clock.sleep(FIRST_WAIT).await;
                }
                continue;
            };
            let wait = self.after(trouble, &mut place);
            self.cluster.changed(self.watch.kind);
            self.cluster.clock.sleep(wait).await;
        }
    }

    /// What follows from a trouble: the state that is shown, and how long to wait.
    fn after(&self, trouble: Trouble, place: &mut Place) -> Duration {
        let reason = trouble.reason();
        tracing::info!(
            cluster.id = %self.cluster.id,
            kind = self.watch.kind.as_str(),
            reason = ?reason,
            failures = place.failures,
            "a watch was lost"
        );
        let barred = match reason {
            Reason::Forbidden => Some(WatchState::Refused),
            Reason::NotServed => Some(WatchState::NotServed),
            _ => None,
        };
        if let Some(state) = barred {
            self.watch.barred(state, reason);
            *place = Place::default();
            return self.cluster.rng.jitter(BARRED_AGAIN, 0.1);
        }
        self.watch.lost(reason);
        if trouble == Trouble::Expired {
            place.version = None;
            // Once at once; a server that keeps saying so is not asked in a loop.
            if place.failures == 0 {
                place.failures = 1;
                return Duration::ZERO;
            }
        }
        place.failures = place.failures.saturating_add(1);
        let doubled = FIRST_WAIT.saturating_mul(1 << (place.failures - 1).min(10));
        let wait = self.cluster.rng.jitter(doubled.min(LONGEST_WAIT), 0.25);
        match trouble {
            Trouble::Busy(Some(after)) => wait.max(Duration::from_secs(after.min(300))),
            _ => wait,
        }
    }

    /// From where we are until the server ends the watch.
    async fn round(&self, place: &mut Place) -> Result<(), Trouble> {
        let client = self.cluster.clients.client(self.cluster.id).await;
        let client = client.map_err(|no_client| Trouble::Because(no_client.0))?;
        let talk = Talk { client, clock: self.cluster.clock.clone() };
        if place.version.is_some() {
            return self.listen(&talk, place, false).await;
        }
        let Some(next) = self.first_page(&talk, place).await? else {
            return self.listen(&talk, place, false).await;
        };
        tokio::select! {
            () = self.watch.whole_is_wanted() => {}
            () = self.cluster.clock.sleep(BREATH) => {}
        }
        if self.cluster.may_stream() {
            match self.listen(&talk, place, true).await {
                Err(Trouble::Unsupported) => self.cluster.does_not_stream(),
                ended => return ended,
            }
        }
        self.further_pages(&talk, place, next).await?;
        self.listen(&talk, place, false).await
    }

    /// None when the first page is all there is.
    async fn first_page(&self, talk: &Talk, place: &mut Place) -> Result<Option<String>, Trouble> {
        let page = self.page(talk, FIRST_PAGE, None).await?;
        let read = u64::try_from(page.objects.len()).unwrap_or(0);
        self.watch.table_mut().begin_list();
        self.put(page.objects);
        self.watch.has_rows(page.remaining.map(|remaining| remaining.saturating_add(read)));
        if page.next.is_none() {
            self.complete(place, page.version);
        }
        Ok(page.next)
    }

    async fn further_pages(
        &self,
        talk: &Talk,
        place: &mut Place,
        mut next: String,
    ) -> Result<(), Trouble> {
        loop {
            let page = self.page(talk, NEXT_PAGES, Some(&next)).await?;
            self.put(page.objects);
            self.watch.heard();
            let Some(further) = page.next else {
                self.complete(place, page.version);
                return Ok(());
            };
            next = further;
        }
    }

    async fn page(&self, talk: &Talk, limit: u32, next: Option<&str>) -> Result<Page<T>, Trouble> {
        let mut uri = format!("{}?limit={limit}", resource(self.watch.kind).path);
        if let Some(next) = next {
            let next =
                percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC);
            let _ = write!(uri, "&continue={next}");
        }
        let body = talk.whole(&uri).await?;
        self.watch.has_read(body.len());
        Page::read(self.watch.kind, &body, &self.cluster.names)
    }

    fn put(&self, objects: Vec<T>) {
        let mut table = self.watch.table_mut();
        let mut changed = false;
        for object in objects {
            changed |= table.put(object);
        }
        drop(table);
        if changed {
            self.cluster.changed(self.watch.kind);
        }
    }

    fn complete(&self, place: &mut Place, version: String) {
        let gone = self.watch.table_mut().end_list();
        let was_live = self.watch.told().state == WatchState::Live;
        place.version = Some(version);
        place.failures = 0;
        self.watch.synced();
        if gone || !was_live {
            self.cluster.changed(self.watch.kind);
        }
    }

    /// Follows changes; with `initial`, after all that there is.
    async fn listen(&self, talk: &Talk, place: &mut Place, initial: bool) -> Result<(), Trouble> {
        let seconds = WATCH_S + self.cluster.rng.below(WATCH_S / 4);
        let path = resource(self.watch.kind).path;
        let mut uri = format!("{path}?watch=1&allowWatchBookmarks=true&timeoutSeconds={seconds}");
        if initial {
            uri.push_str("&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
        } else {
            let _ =
                write!(uri, "&resourceVersion={}", place.version.as_deref().unwrap_or_default());
        }
        let mut lines = Lines::of(talk.open(&uri).await?);
        if !initial && self.watch.told().state != WatchState::Live {
            // The server knows where we were, so nothing was missed.
            self.watch.enter(WatchState::Live, None);
            self.cluster.changed(self.watch.kind);
        }
        let mut batch = Vec::new();
        loop {
            let (kind, names) = (self.watch.kind, &self.cluster.names);
            let mut bytes = 0;
            let read = lines
                .more(talk, SILENCE, |line| {
                    bytes += line.len();
                    batch.push(Change::<T>::read(kind, line, names)?);
                    Ok(())
                })
                .await;
            self.watch.has_read(bytes);
            // What came before the trouble has happened.
            self.take(&mut batch, place);
            if !read? {
                return Ok(());
            }
            // A stream that never pauses must not keep others from this thread.
            tokio::task::yield_now().await;
        }
    }

    fn take(&self, batch: &mut Vec<Change<T>>, place: &mut Place) {
        if batch.is_empty() {
            return;
        }
        let mut changed = false;
        let mut complete = None;
        let mut table = self.watch.table_mut();
        for change in batch.drain(..) {
            let version = match change {
                Change::Put(object, version) => {
                    changed |= table.put(object);
                    version
                }
                Change::Gone(object, version) => {
                    changed |= table.remove(&object);
                    version
                }
                Change::Mark(version) => version,
                Change::Complete(version) => {
                    complete = Some(version);
                    continue;
                }
                Change::Nothing => continue,
            };
            // Before the list is complete, no version says that all up to it is known.
            if let Some(place) = complete.as_mut().or(place.version.as_mut()) {
                *place = version;
            }
        }
        drop(table);
        self.watch.heard();
        if changed {
            self.cluster.changed(self.watch.kind);
        }
        if let Some(version) = complete {
            self.complete(place, version);
        } else if place.version.is_some() {
            place.failures = 0;
        }
    }
}

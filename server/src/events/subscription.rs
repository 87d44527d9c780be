//! One listener's place in the feed, and what it may hear.

use std::{collections::VecDeque, sync::Arc};

use app::{events::Notice, identity::Caller};
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};

use super::{
    Event, Feed, Whisper,
    window::{self, Bounds},
};
use crate::store::StoreError;

/// What a listener gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamItem {
    Notice(Notice),
    /// What the listener saw last is no longer in the window: it must read everything again, and go on from `seq`.
    Reset {
        seq: i64,
    },
}

pub struct Subscription {
    feed: Feed,
    caller: Caller,
    heads: watch::Receiver<i64>,
    whispers: broadcast::Receiver<Arc<Whisper>>,
    /// The last event that was looked at, heard or not.
    place: i64,
    ready: VecDeque<StreamItem>,
}

impl Subscription {
    pub(super) fn new(feed: Feed, caller: Caller, after: Option<i64>, bounds: Bounds) -> Self {
        let (heads, whispers) = (feed.heads(), feed.whispers());
        let (place, ready) = (bounds.head, VecDeque::new());
        let mut subscription = Self { feed, caller, heads, whispers, place, ready };
        match after {
            None => {}
            // A number that was never given: the database is another one than the listener knew.
            Some(after) if after < bounds.pruned_to || after > bounds.head => {
                subscription.ready.push_back(StreamItem::Reset { seq: bounds.head });
            }
            Some(after) => subscription.place = after,
        }
        subscription
    }

    /// The place to go on from after this connection: everything up to it was looked at and handed out.
    pub fn place(&self) -> i64 {
        match self.ready.front() {
            Some(StreamItem::Notice(notice)) => notice.seq - 1,
            Some(StreamItem::Reset { .. }) | None => self.place,
        }
    }

    /// From now on with other rights.
    pub fn goes_on_as(&mut self, caller: Caller) {
        self.caller = caller;
        // What waits was chosen by the rights of before.
        let place = self.place();
        if self.ready.iter().all(|item| matches!(item, StreamItem::Notice(_))) {
            self.ready.clear();
            self.place = place;
        }
    }

    /// The next thing that the caller may hear of. Dropping the call before it answers loses nothing.
    pub async fn next(&mut self) -> Result<StreamItem, StoreError> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(item);
            }
            // The sender lives in `self.feed`.
            let place = self.place;
            let whisper = tokio::select! {
                _ = self.heads.wait_for(|head| *head > place) => None,
                whisper = self.whispers.recv() => Some(whisper),
            };
            if let Some(whisper) = whisper {
                match self.overhear(whisper) {
                    Some(item) => return Ok(item),
                    None => continue,
                }
            }
            let events = match self.feed.recent(place) {
                Some(events) => events,
                None => window::read_on(self.feed.db(), place).await?,
            };
            self.take(&events);
        }
    }

    /// A whisper has no number: the listener goes on from where it was.
    fn overhear(&self, whisper: Result<Arc<Whisper>, RecvError>) -> Option<StreamItem> {
        match whisper {
            Ok(whisper) => {
                let reach = self.caller.reach(whisper.capability)?;
                reach.includes(whisper.workspace_id).then(|| {
                    let (topic, id) = (whisper.topic.clone(), whisper.id.clone());
                    StreamItem::Notice(Notice { seq: self.place, topic, id })
                })
            }
            Err(RecvError::Lagged(_)) => Some(StreamItem::Reset { seq: self.place }),
            // The sender lives in `self.feed`.
            Err(RecvError::Closed) => None,
        }
    }

    fn take(&mut self, events: &[Arc<Event>]) {
        let head = *self.heads.borrow();
        if events.first().is_none_or(|first| first.seq != self.place + 1) {
            // Numbers have no gaps, so what follows our place was pruned while we were far behind.
            self.place = head.max(self.place);
            self.ready.push_back(StreamItem::Reset { seq: self.place });
            return;
        }
        for event in events {
            self.place = event.seq;
            if self.may_hear(event) {
                self.ready.push_back(StreamItem::Notice(event.notice()));
            }
        }
    }

    fn may_hear(&self, event: &Event) -> bool {
        let reach = event.capability.and_then(|capability| self.caller.reach(capability));
        reach.is_some_and(|reach| reach.includes(event.workspace_id))
    }
}

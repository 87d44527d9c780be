//! Fan-out: from a committed change to everybody who may hear of it.
//!
//! Owns the numbering of events, the replay window, subscriptions and `/events/stream`. Must not know what an
//! event is about: it carries topic and id, and whoever hears it asks again with their own rights.
//!
//! ```text
//!  a domain's Tx ─► event_outbox ──(committed)──► number ─► events ─► Feed (ring) ─► Subscription ─► SSE
//!                       ▲                           │ one at a time:        ▲
//!                  no number yet                    │ event_feed's row      └─ other replicas: NOTIFY, 1 s poll
//! ```
//!
//! **Numbers follow commits.** Numbers taken inside the writing transactions lose events: 41 commits, a reader
//! goes on from 41, then 40 commits. So committed rows are numbered by one process at a time, under the lock of
//! `event_feed`'s only row. That lock is the lease of the sequencer: it ends with its transaction, so no replica
//! waits for a dead one, and whichever replica committed numbers at once. On SQLite the outbox is in the order of
//! commits anyhow.
//!
//! **Nobody misses any.** A subscriber has a place, not a queue: it takes what follows its place from the ring,
//! or from the table when it has fallen behind. It is told to start over only when its place left the window.

mod feed;
mod stream;
mod subscription;
mod window;

pub use feed::{Feed, GAUGES, Whisper};
pub use stream::{Again, Keep, StreamState, answer, stream};
pub use subscription::{StreamItem, Subscription};
pub use window::Event;

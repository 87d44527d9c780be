//! The run engine and its lists, on both engines of the store.
#![expect(
    clippy::large_futures,
    reason = "a scene holds its whole world, and a test's stack has room"
)]
#![expect(clippy::disallowed_methods, reason = "tests run things side by side, and end with them")]

#[path = "../doomed/mod.rs"]
mod doomed;

mod causes;
mod clocks;
mod contention;
mod crash;
mod detail;
mod engine;
mod faults;
mod fences;
mod invariants;
mod kit;
mod lists;
mod open_work;
mod outage;
mod presence;
mod progress;
mod prune;
mod runbooks;
mod saved_views;
mod schedules;
mod self_check;
mod stuck_list;
mod triage;
mod trial;
mod verify;

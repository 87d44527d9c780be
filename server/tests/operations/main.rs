//! The run engine and its lists, on both engines of the store.

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

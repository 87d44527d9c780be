//! The run engine and its lists, on both engines of the store.

#[path = "../doomed/mod.rs"]
mod doomed;

mod clocks;
mod contention;
mod crash;
mod engine;
mod faults;
mod fences;
mod invariants;
mod kit;
mod lists;
mod outage;
mod self_check;
mod trial;

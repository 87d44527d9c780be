//! The run engine and its lists, on both engines of the store.

mod detail;
mod engine;
mod kit;
mod lists;
mod presence;
mod progress;
mod prune;
mod schedules;
mod self_check;
mod triage;
mod verify;

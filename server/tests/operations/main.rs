//! The run engine and its lists, on both engines of the store.

mod detail;
mod engine;
mod kit;
mod lists;
mod self_check;
mod triage;

//! The run engine and its lists, on both engines of the store.

mod engine;
mod kit;
mod lists;
mod open_work;
mod runbooks;
mod self_check;
mod triage;

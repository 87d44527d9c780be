//! The run engine and its lists, on both engines of the store.

mod causes;
mod detail;
mod engine;
mod kit;
mod lists;
mod open_work;
mod runbooks;
mod saved_views;
mod self_check;
mod stuck_list;
mod triage;

//! The run engine and its lists, on both engines of the store.

mod causes;
mod detail;
mod engine;
mod kit;
mod lists;
mod saved_views;
mod open_work;
mod runbooks;
mod self_check;
mod stuck_list;
mod triage;

//! The types of operation that belong to the console itself.

pub mod prune;
pub mod self_check;

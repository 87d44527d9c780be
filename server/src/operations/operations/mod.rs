//! The types of operation that belong to the console itself.

pub mod prune;
pub mod rehearsal;
pub mod self_check;

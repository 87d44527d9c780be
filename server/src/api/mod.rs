//! The JSON API: one file per domain, thin, over the same services and permits as the pages.

pub mod operations;

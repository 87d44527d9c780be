//! The JSON API: one file per domain, thin, over the same services and permits as the pages; and what is said
//! about it, generated from the types that it sends.

pub mod audit;
pub mod clusters;
pub mod clusters_watched;
pub mod fleet;
pub mod follow;
pub mod grants;
pub mod home;
pub mod keys;
pub mod lists;
pub mod openapi;
pub mod operations;
pub mod people;
pub mod runbooks;
pub mod saved_views;
pub mod schemas;
pub mod session;
pub mod triage;
pub mod workers;
pub mod workspaces;

//! What only the server may know.
//!
//! The base (`store`, `clock`, `vault`, `egress`, `journal`, `web`) knows no domain; a domain may call the base and
//! the domains above it in DESIGN §2. `console` is the one place where they are wired together.

pub mod api;
pub mod audit;
pub mod backup;
pub mod chart;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod egress;
pub mod events;
pub mod fleet;
pub mod home;
pub mod identity;
pub mod journal;
pub mod operations;
pub mod routes;
pub mod store;
pub mod tasks;
pub mod telemetry;
pub mod vault;
pub mod version;
pub mod web;
pub mod workspaces;

//! What the browser may see: the types that cross the wire, the pages, the islands.
//!
//! Must not know a database, a cluster's API or any other thing that is the server's alone; what a page needs from there
//! it takes from context, through a domain's `service` trait.

#![cfg_attr(
    feature = "ssr",
    expect(clippy::needless_pass_by_value, reason = "a component is called with props of its own")
)]

pub mod audit;
pub mod error;
mod error_wire;
pub mod events;
pub mod fleet;
pub mod home;
pub mod identity;
pub mod list;
pub mod operations;
pub mod paths;
#[cfg(feature = "ssr")]
pub mod request;
#[cfg(feature = "ssr")]
mod routes;
#[cfg(feature = "ssr")]
pub mod settings;
#[cfg(feature = "ssr")]
pub mod shell;
#[cfg(feature = "ssr")]
pub mod time;
pub mod ui;
#[cfg(feature = "ssr")]
pub mod workspaces;

#[cfg(all(test, feature = "ssr"))]
mod page_tests;

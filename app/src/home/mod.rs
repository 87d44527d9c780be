//! Home: what needs a human. Knows no domain's rules: each that has open work is a source of rows.

#[cfg(feature = "ssr")]
pub mod model;
#[cfg(feature = "ssr")]
pub mod pages;
#[cfg(feature = "ssr")]
mod service;

#[cfg(feature = "ssr")]
pub use service::{Home, NeedsHuman};

//! The fleet: clusters that are registered here, what opens them, and how they fare.

#[cfg(feature = "ssr")]
pub mod credentials;
#[cfg(feature = "ssr")]
pub mod drafts;
#[cfg(feature = "ssr")]
pub mod health;
#[cfg(feature = "ssr")]
pub mod model;
#[cfg(feature = "ssr")]
pub mod overview;
#[cfg(feature = "ssr")]
pub mod pages;
#[cfg(feature = "ssr")]
pub mod preflight;
#[cfg(feature = "ssr")]
pub mod registration;
#[cfg(feature = "ssr")]
mod service;
pub mod trouble;
#[cfg(feature = "ssr")]
mod typed;
#[cfg(feature = "ssr")]
pub mod upstreams;
#[cfg(feature = "ssr")]
pub mod watched;

#[cfg(feature = "ssr")]
pub use service::{Clusters, Manage, Registrations, View};

//! The audit log as people read it: the list, one entry, the panel that other pages embed.

pub mod calls;
#[cfg(feature = "ssr")]
mod enter;
#[cfg(feature = "ssr")]
pub mod model;
#[cfg(feature = "ssr")]
pub mod pages;
pub mod parts;
#[cfg(feature = "ssr")]
mod service;

#[cfg(feature = "ssr")]
pub use enter::enter;
#[cfg(feature = "ssr")]
pub use service::{Audit, View};

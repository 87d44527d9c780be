//! How this console itself is doing: its background tasks. Knows no domain.

#[cfg(feature = "ssr")]
pub mod model;
#[cfg(feature = "ssr")]
mod service;

#[cfg(feature = "ssr")]
pub use service::Tasks;

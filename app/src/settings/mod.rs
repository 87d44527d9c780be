//! How this console itself is doing: its background tasks. Knows no domain.

pub mod model;
pub mod pages;
mod service;

pub use service::Tasks;

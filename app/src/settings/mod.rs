//! What the console knows about itself: for now, its background tasks.

pub mod model;
pub mod pages;
mod service;

pub use service::{Manage, Tasks};

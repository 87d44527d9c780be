//! The fleet: clusters, what is watched in them, and what is not healthy there.

#[cfg(feature = "ssr")]
pub mod watched;

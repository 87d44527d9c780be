//! Who is asking and what they may do. Knows capabilities, never roles or names of people.

#[cfg(feature = "ssr")]
mod caller;
mod capability;

#[cfg(feature = "ssr")]
pub use caller::{Caller, CallerKind, Gate, Permit, Reach, Right, permit, require};
pub use capability::Capability;

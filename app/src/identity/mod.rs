//! Who is asking and what they may do. Code asks for capabilities; roles are names for sets of them, for people.

#[cfg(feature = "ssr")]
mod caller;
mod capability;
#[cfg(feature = "ssr")]
pub mod model;
#[cfg(feature = "ssr")]
pub mod pages;
mod role;
#[cfg(feature = "ssr")]
mod service;

#[cfg(feature = "ssr")]
pub use caller::{Caller, CallerKind, Gate, Permit, Reach, Right, permit, require};
pub use capability::Capability;
pub use role::Role;
#[cfg(feature = "ssr")]
pub use service::Accounts;

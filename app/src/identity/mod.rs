//! Who is asking and what they may do. Code asks for capabilities; roles are names for sets of them, for people.
//!
//! People, their grants and their keys are administered here too: [`People`], [`Grants`], [`Keys`].

#[cfg(feature = "ssr")]
mod caller;
mod capability;
#[cfg(feature = "ssr")]
mod enter;
#[cfg(feature = "ssr")]
pub mod model;
#[cfg(feature = "ssr")]
pub mod pages;
#[cfg(feature = "ssr")]
mod parts;
mod role;
#[cfg(feature = "ssr")]
mod service;

#[cfg(feature = "ssr")]
pub use caller::{
    Caller, CallerKind, Gate, Permit, Reach, Right, permit, refuse, require, require_all,
};
pub use capability::Capability;
#[cfg(feature = "ssr")]
pub use enter::{enter, enter_as_caller};
pub use role::Role;
#[cfg(feature = "ssr")]
pub use service::{Accounts, Grants, Keys, Manage, People, View};

//! Operation runs: what a person or a schedule asked for and would look up later.

pub mod calls;
#[cfg(feature = "ssr")]
mod enter;
#[cfg(feature = "ssr")]
pub mod filters;
#[cfg(feature = "ssr")]
mod follow;
#[cfg(feature = "ssr")]
pub mod inputs;
#[cfg(feature = "ssr")]
pub mod lineage;
#[cfg(feature = "ssr")]
pub mod lists;
pub mod log;
#[cfg(feature = "ssr")]
pub mod model;
#[cfg(feature = "ssr")]
pub mod pages;
pub mod parts;
#[cfg(feature = "ssr")]
pub mod runbooks;
#[cfg(feature = "ssr")]
pub mod saved_views;
#[cfg(feature = "ssr")]
mod service;
#[cfg(feature = "ssr")]
pub mod since;
#[cfg(feature = "ssr")]
pub mod stuck;
#[cfg(feature = "ssr")]
pub mod triage;
#[cfg(feature = "ssr")]
pub mod workers;

#[cfg(feature = "ssr")]
pub use enter::enter;
#[cfg(feature = "ssr")]
pub use follow::{Follow, Reached, enter_follow};
#[cfg(feature = "ssr")]
pub use lists::Lists;
#[cfg(feature = "ssr")]
pub use saved_views::SavedViews;
#[cfg(feature = "ssr")]
pub use service::{Manage, Operations, View};

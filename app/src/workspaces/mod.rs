//! Workspaces and tenants: whose everything is. Knows their names and whether they still take anything new; what
//! belongs to them is the business of the domains that own it.

pub mod model;
pub mod pages;
mod service;

pub use service::Workspaces;

//! The pages of this domain, one file per route.

mod workspaces;

pub use workspaces::WorkspacesPage;

//! The pages of this domain, one file per route.

mod tasks;

pub use tasks::TasksPage;

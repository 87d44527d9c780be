//! The pages of this domain, one file per route.

mod tasks;
mod workers;

pub use tasks::TasksPage;

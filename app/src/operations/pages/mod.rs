//! The pages of this domain, one file per route.

mod run;
mod run_parts;
mod runbooks;
mod runs;

pub use run::RunPage;
pub use runbooks::RunbooksPage;
pub use runs::RunsPage;

//! The pages of this domain, one file per route.

mod run;
mod run_lineage;
mod run_log;
mod run_parts;
mod run_runbook;
mod run_since;
mod runbooks;
mod runs;

pub use run::RunPage;
pub use runbooks::RunbooksPage;
pub use runs::RunsPage;

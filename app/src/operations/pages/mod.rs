//! The pages of this domain, one file per route.

mod run;
mod run_parts;
mod runbook;
mod runbook_text;
mod runbooks;
mod runs;
mod start_form;

pub use run::RunPage;
pub use runbook::RunbookPage;
pub use runbooks::RunbooksPage;
pub use runs::RunsPage;

//! The pages of this domain, one file per route.

mod causes;
mod list_head;
mod list_rows;
mod run;
mod run_lineage;
mod run_log;
mod run_parts;
mod run_runbook;
mod run_since;
mod runbook;
mod runbook_text;
mod runbooks;
mod runs;
mod start_form;
mod view_menu;

pub use run::RunPage;
pub use runbook::RunbookPage;
pub use runbooks::RunbooksPage;
pub use runs::{FailuresPage, RunsPage, StuckPage};

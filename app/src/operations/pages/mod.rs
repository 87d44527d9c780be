//! The pages of this domain, one file per route.

mod causes;
mod list_head;
mod list_rows;
mod run;
mod run_parts;
mod runbooks;
mod runs;
mod view_menu;

pub use run::RunPage;
pub use runbooks::RunbooksPage;
pub use runs::{FailuresPage, RunsPage, StuckPage};

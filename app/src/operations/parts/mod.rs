//! Pieces that the pages of this domain share, and its islands.

#[cfg(feature = "ssr")]
mod badges;
#[cfg(feature = "ssr")]
mod evidence;
mod live_run;
mod live_runs;
mod log_search;
mod log_tail;
pub mod log_view;
#[cfg(feature = "ssr")]
pub mod triage;

#[cfg(feature = "ssr")]
pub use badges::{OutcomeBadge, RunStatus, StuckBadge, stuck_words};
#[cfg(feature = "ssr")]
pub use evidence::EvidenceCard;
pub use live_run::LiveRun;
pub use live_runs::LiveRuns;
pub use log_tail::LogTail;
#[cfg(feature = "ssr")]
pub use triage::TriageForms;

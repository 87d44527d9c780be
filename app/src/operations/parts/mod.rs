//! Pieces that the pages of this domain share, and its islands.

#[cfg(feature = "ssr")]
mod badges;
mod live_run;
mod live_runs;

#[cfg(feature = "ssr")]
pub use badges::{OutcomeBadge, RunStatus, StuckBadge};
pub use live_run::LiveRun;
pub use live_runs::LiveRuns;

//! How far the work is, for open pages: in the lease's row, so that a report touches no index of the big table.

use std::time::Duration;

use futures::FutureExt as _;

use super::{Failure, Run, held};
use crate::operations::timing;

/// What was reported last.
#[derive(Default)]
pub(super) struct Reported {
    /// Monotonic.
    at: Option<Duration>,
    percent: Option<u8>,
}

impl Run {
    /// How far the work is, in percent, up to 100. Written once a second at most, but for the last: call it as often
    /// as is handy.
    pub async fn progress(&self, percent: u8) -> Result<(), Failure> {
        let percent = percent.min(100);
        {
            let now = self.0.clock.monotonic();
            let mut reported = self.0.reported.lock().await;
            let is_due = reported.at.is_none_or(|at| now.saturating_sub(at) >= timing::PROGRESS);
            if reported.percent == Some(percent) || !(is_due || percent == 100) {
                return Ok(());
            }
            (reported.at, reported.percent) = (Some(now), Some(percent));
        }
        self.write(|| held::progress(&self.0.db, &self.0.lease, percent).boxed()).await
    }
}

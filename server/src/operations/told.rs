//! When open pages hear of a run's progress and log. Writes nothing itself.

use std::time::Duration;

use super::timing;

/// What open pages were told of progress and log, so that they redraw once a second at most.
#[derive(Default)]
pub struct Told {
    /// Monotonic.
    at: Option<Duration>,
    /// Something was written since that they were not told of; the next heartbeat tells.
    pub(super) owed: bool,
    pub(super) percent: Option<u8>,
}

impl Told {
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.at.is_none_or(|at| now.saturating_sub(at) >= timing::TELL)
    }

    /// Pages are told of all that there is.
    pub(super) fn tell(&mut self, now: Duration) -> bool {
        (self.at, self.owed) = (Some(now), false);
        true
    }

    pub(super) fn owe(&mut self) -> bool {
        self.owed = true;
        false
    }
}

//! Sentences about watches that several pages say alike.

use super::{Reason, WatchState, WatchStatus};
use crate::ui::pagination::grouped;

impl WatchStatus {
    /// What a reader must know before trusting a list of this kind; none while it is live and whole.
    pub fn caveat(&self) -> Option<String> {
        let what = self.kind.label();
        let why = self.reason.map(Reason::says);
        match self.state {
            WatchState::Live => None,
            WatchState::Starting => Some(match (self.objects, self.expected, why) {
                (0, _, Some(why)) => {
                    format!("{what} are not known yet: {why}. It is being tried again.")
                }
                (read, Some(of), _) => format!(
                    "{what} are being read: {} of about {} so far.",
                    grouped(read.cast_signed()),
                    grouped(of.cast_signed())
                ),
                (read, None, _) => {
                    format!("{what} are being read: {} so far.", grouped(read.cast_signed()))
                }
            }),
            WatchState::Stale => {
                let why = why.unwrap_or("the API server was lost");
                Some(format!("{what} may have changed since they were last heard of: {why}."))
            }
            WatchState::Refused => {
                Some(format!("{what} are not shown: the credential may not list them."))
            }
            WatchState::NotServed => {
                Some(format!("{what} are not shown: the cluster does not serve them."))
            }
            WatchState::Stopped => Some(format!("{what} are not being watched.")),
        }
    }
}

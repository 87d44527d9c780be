//! News that something changed. A notice carries no content: whoever hears it asks again, with their own rights.

use serde::{Deserialize, Serialize};

/// The topic of operation runs.
pub const OPERATIONS: &str = "operations";

/// The topic of new lines in the logs of operation runs: by itself, since a line changes nothing that lists and
/// summaries show.
pub const OPERATION_LOGS: &str = "operation-logs";

/// The topic of clusters: registered, changed, removed, and how they fare.
pub const CLUSTERS: &str = "clusters";

/// The topic of the audit log.
pub const AUDIT: &str = "audit";

/// What goes over `/events/stream` as `data`, with `seq` as the event's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Notice {
    pub seq: i64,
    /// `operations`, …: what a live region names in `data-topics`.
    pub topic: String,
    /// The thing that changed.
    pub id: String,
}

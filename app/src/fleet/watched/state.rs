//! The state of one watch: whether what is shown is how things are, since when not, and why.

use serde::Serialize;
use utoipa::ToSchema;

use super::Kind;
use crate::time::Micros;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WatchState {
    /// Nobody asked for it lately.
    Stopped,
    /// The first list is being read.
    Starting,
    /// Follows every change.
    Live,
    /// What is shown was so at `heard_at`; it is being tried again.
    Stale,
    /// The cluster's credential may not list this kind.
    Refused,
    /// The cluster does not serve this kind.
    NotServed,
}

impl WatchState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Live => "live",
            Self::Stale => "stale",
            Self::Refused => "refused",
            Self::NotServed => "not served",
        }
    }
}

/// Why a watch is not live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The API no longer knows where we were; the list is read again.
    Expired,
    Unreachable,
    TimedOut,
    /// 401.
    CredentialRefused,
    NoCredential,
    /// 403.
    Forbidden,
    /// 404.
    NotServed,
    /// 429, or 503.
    Busy,
    /// Another answer than a list.
    Answer,
    Malformed,
    /// A watch of ours ended by a fault of ours.
    Fault,
}

impl Reason {
    /// For people, after "because".
    pub const fn says(self) -> &'static str {
        match self {
            Self::Expired => "the API no longer knew where we were",
            Self::Unreachable => "the API server cannot be reached",
            Self::TimedOut => "the API server does not answer",
            Self::CredentialRefused => "the API server refuses the credential",
            Self::NoCredential => "there is no credential for this cluster",
            Self::Forbidden => "the credential may not list it",
            Self::NotServed => "the cluster does not serve it",
            Self::Busy => "the API server asks for patience",
            Self::Answer => "the API server answered with an error",
            Self::Malformed => "the API server's answer could not be read",
            Self::Fault => "reading it failed on our side",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WatchStatus {
    pub kind: Kind,
    pub state: WatchState,
    /// Why it is not live; null when it is.
    pub reason: Option<Reason>,
    /// Since when it is in this state.
    pub since: Micros,
    /// When the last list was complete; null before the first.
    pub synced_at: Option<Micros>,
    /// When the API server was last heard: how old what is shown may be.
    pub heard_at: Option<Micros>,
    pub objects: u64,
    /// How many there will be, while the first list is being read and the API server told.
    pub expected: Option<u64>,
}

impl WatchStatus {
    pub fn is_complete(&self) -> bool {
        self.synced_at.is_some()
    }
}

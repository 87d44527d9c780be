//! The audit entry as it crosses the wire, and the filters of its list.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    list::{Choice, Filter, FilterKind},
    time::Micros,
};

/// Whether the actor might, and whether it came to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    Allowed,
    Denied,
    /// Allowed and tried, and it did not come to pass.
    Failed,
}

impl Decision {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for Decision {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        [Self::Allowed, Self::Denied, Self::Failed]
            .into_iter()
            .find(|decision| decision.as_str() == word)
            .ok_or(())
    }
}

/// Who did what to which thing, and whether they might.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the chain; without gaps.
    pub seq: i64,
    pub at: Micros,
    /// `user`, `api_key`, `outpost`, `system`, or `stranger` for who did not say.
    pub actor_kind: String,
    pub actor_id: String,
    pub actor_name: String,
    pub on_behalf_of: Option<String>,
    pub service_identity: Option<String>,
    pub action: String,
    pub target_kind: Option<String>,
    pub target_id: Option<String>,
    pub target_label: Option<String>,
    /// Null when it concerns no single workspace.
    pub workspace_id: Option<i64>,
    pub workspace_name: Option<String>,
    /// The capability that was asked for.
    pub capability: Option<String>,
    pub decision: Decision,
    pub reason: Option<String>,
    pub request_id: String,
    pub correlation_id: String,
    /// Tells sessions apart and opens none.
    pub session_hash: Option<String>,
    pub address: Option<String>,
    /// Facts of the action itself.
    pub details: serde_json::Value,
}

impl AuditEntry {
    /// As the filter `target` takes it.
    pub fn target(&self) -> Option<String> {
        let (kind, id) = (self.target_kind.as_ref()?, self.target_id.as_ref()?);
        Some(format!("{kind}:{id}"))
    }
}

/// One entry with its place in the chain.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AuditDetail {
    #[serde(flatten)]
    pub entry: AuditEntry,
    /// Which encoding was hashed.
    pub hash_version: Option<i64>,
    /// The name of the key that it was hashed with.
    pub hash_key: Option<String>,
    /// The hash of the entry before, in hexadecimal.
    pub prev_hash: Option<String>,
    /// HMAC-SHA-256 over everything above, in hexadecimal.
    pub hash: Option<String>,
}

const DECISIONS: &[Choice] = &[
    Choice { value: "allowed", label: "allowed" },
    Choice { value: "denied", label: "denied" },
    Choice { value: "failed", label: "failed" },
];

/// A target as one word. The index is on this very expression.
pub const TARGET: &str = "(target_kind || ':' || target_id)";

const fn exact(key: &'static str, label: &'static str, column: &'static str) -> Filter {
    Filter { key, label, kind: FilterKind::Exact, column }
}

/// The filters of `/audit`, of `GET /api/v1/audit` and of the exports.
pub const FILTERS: &[Filter] = &[
    // Also the beginning of a name: `identity` stands for every action that begins so.
    exact("action", "Action", "action"),
    Filter {
        key: "decision",
        label: "Decision",
        kind: FilterKind::OneOf(DECISIONS),
        column: "decision",
    },
    exact("actor", "Actor", "actor_name"),
    exact("target", "Target (kind:id)", TARGET),
    Filter { key: "since", label: "From", kind: FilterKind::Since, column: "at" },
    Filter { key: "until", label: "Before", kind: FilterKind::Until, column: "at" },
    exact("capability", "Capability", "capability"),
    Filter {
        key: "workspace_id",
        label: "Workspace",
        kind: FilterKind::Integer,
        column: "workspace_id",
    },
    exact("actor_id", "Actor's id", "actor_id"),
    exact("session", "Session", "session_hash"),
    exact("request", "Request id", "request_id"),
];

/// What an action may be chosen by: each name, and each beginning of several names up to a dot.
pub fn beginnings(actions: &[String]) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for action in actions {
        for (dot, _) in action.match_indices('.') {
            let begin = &action[..=dot];
            let several = actions.iter().filter(|other| other.starts_with(begin)).count() > 1;
            if several && !all.iter().any(|(value, _)| value == begin) {
                all.push((begin.to_owned(), format!("{begin}…")));
            }
        }
        all.push((action.clone(), action.clone()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::beginnings;

    #[test]
    fn actions_can_be_chosen_by_how_they_begin() {
        let actions =
            ["audit.export", "identity.grant.add", "identity.grant.remove", "identity.refuse"]
                .map(str::to_owned);
        let values: Vec<String> =
            beginnings(&actions).into_iter().map(|(value, _)| value).collect();
        assert_eq!(
            values,
            [
                "audit.export",
                "identity.",
                "identity.grant.",
                "identity.grant.add",
                "identity.grant.remove",
                "identity.refuse"
            ]
        );
    }
}

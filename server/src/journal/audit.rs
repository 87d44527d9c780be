//! The audit row: what a change says of itself. `chain` appends it.

use app::identity::{Caller, CallerKind, Capability};
use serde_json::Value as Json;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Who did what to which thing, and whether they might. Holds typed fields only, never a secret.
#[derive(Clone, Debug)]
pub struct AuditRow {
    pub action: &'static str,
    pub actor_kind: &'static str,
    pub actor_id: String,
    pub actor_name: String,
    pub on_behalf_of: Option<String>,
    pub service_identity: Option<String>,
    pub target_kind: Option<&'static str>,
    pub target_id: Option<String>,
    pub target_label: Option<String>,
    pub workspace_id: Option<i64>,
    pub capability: Option<Capability>,
    pub decision: Decision,
    pub reason: Option<String>,
    pub request_id: String,
    pub correlation_id: String,
    pub session_hash: Option<String>,
    pub address: Option<String>,
    pub details: Json,
}

impl AuditRow {
    pub fn allowed(caller: &Caller, action: &'static str) -> Self {
        Self::new(caller, action, Decision::Allowed)
    }

    pub fn denied(caller: &Caller, action: &'static str, capability: Capability) -> Self {
        Self::new(caller, action, Decision::Denied).capability(capability)
    }

    pub fn failed(caller: &Caller, action: &'static str, reason: impl Into<String>) -> Self {
        Self::new(caller, action, Decision::Failed).reason(reason)
    }

    /// A refusal of somebody who did not say who they are.
    pub fn stranger(action: &'static str) -> Self {
        Self {
            action,
            actor_kind: CallerKind::Stranger.as_str(),
            actor_id: String::new(),
            actor_name: String::new(),
            on_behalf_of: None,
            service_identity: None,
            target_kind: None,
            target_id: None,
            target_label: None,
            workspace_id: None,
            capability: None,
            decision: Decision::Denied,
            reason: None,
            request_id: String::new(),
            correlation_id: String::new(),
            session_hash: None,
            address: None,
            details: Json::Object(serde_json::Map::new()),
        }
    }

    fn new(caller: &Caller, action: &'static str, decision: Decision) -> Self {
        Self {
            action,
            actor_kind: caller.kind.as_str(),
            actor_id: caller.id.clone(),
            actor_name: caller.name.clone(),
            on_behalf_of: caller.on_behalf_of.clone(),
            service_identity: caller.service_identity.clone(),
            target_kind: None,
            target_id: None,
            target_label: None,
            workspace_id: None,
            capability: None,
            decision,
            reason: None,
            request_id: caller.request_id.clone(),
            correlation_id: caller.request_id.clone(),
            session_hash: caller.session.clone(),
            address: caller.address.map(|address| address.to_string()),
            details: Json::Object(serde_json::Map::new()),
        }
    }

    #[must_use]
    pub fn target(
        mut self,
        kind: &'static str,
        id: impl std::fmt::Display,
        label: impl Into<String>,
    ) -> Self {
        self.target_kind = Some(kind);
        self.target_id = Some(id.to_string());
        self.target_label = Some(label.into());
        self
    }

    #[must_use]
    pub fn workspace(mut self, workspace_id: i64) -> Self {
        self.workspace_id = Some(workspace_id);
        self
    }

    #[must_use]
    pub fn capability(mut self, capability: Capability) -> Self {
        self.capability = Some(capability);
        self
    }

    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Ties rows of several requests together: a run's id, a trace.
    #[must_use]
    pub fn correlated(mut self, correlation_id: impl Into<String>) -> Self {
        self.correlation_id = correlation_id.into();
        self
    }

    #[must_use]
    pub fn on_behalf_of(mut self, whom: impl Into<String>) -> Self {
        self.on_behalf_of = Some(whom.into());
        self
    }

    /// One typed fact.
    #[must_use]
    pub fn detail(mut self, key: &'static str, value: impl Into<Json>) -> Self {
        if let Json::Object(details) = &mut self.details {
            details.insert(key.to_owned(), value.into());
        }
        self
    }
}

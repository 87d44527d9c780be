//! The one error that leaves the server, its status code, and every sentence that a person reads about it.
//!
//! Variants hold ids and enums only, never free text: what arrives in a link or a form can then not put
//! words in our mouth. What went wrong inside is logged where it was handled, under the trace id.

mod conflict;
mod violation;

use serde::{Deserialize, Serialize};

pub use self::{
    conflict::Conflict,
    violation::{Expected, KubeconfigEntry, Rule, Violation},
};

use crate::{fleet::trouble::Trouble, identity::Capability};

/// Why a call did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ApiError {
    #[error("Sign in to go on.")]
    SignIn,
    /// Signing in was tried and did not work.
    #[error("{}", .0.sentence())]
    SignInFailed(SignInFailure),
    #[error("This needs the capability {}.", .0.as_str())]
    Forbidden(Capability),
    /// Also the answer to "exists but not yours".
    #[error("{} not found.", .0.label())]
    NotFound(Thing),
    #[error("{}", .0.sentence())]
    Conflict(Conflict),
    /// A cluster could not be looked at, and what was asked for needed it.
    #[error("{} {}", .0.says(), .0.way_out())]
    Cluster(Trouble),
    #[error("{}", Violation::sentences(.0))]
    Invalid(Vec<Violation>),
    #[error("The request is larger than this address takes.")]
    TooLarge,
    #[error("The request must be sent as JSON (Content-Type: application/json).")]
    UnsupportedMediaType,
    #[error("This address does not answer that method.")]
    MethodNotAllowed,
    #[error("This request did not come from one of our own pages.")]
    CrossSite,
    #[error("Too many requests; try again in {retry_after_s} s.")]
    RateLimited { retry_after_s: u32 },
    #[error("{} is not available right now; nothing was changed.", .0.label())]
    Unavailable(Dependency),
    #[error("The answer took too long; nothing is known to have changed.")]
    Timeout,
    #[error("Something went wrong on our side. Quote {0} when you report it.")]
    Internal(String),
    /// The call between browser and server failed before or after the server's own code.
    #[error("{}", .0.sentence())]
    Transport(Transport),
}

/// What can be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Thing {
    Page,
    Operation,
    OperationType,
    Workspace,
    Tenant,
    Schema,
    Person,
    Grant,
    ApiKey,
    Session,
    AuditEntry,
    SavedView,
    Cluster,
    Credential,
    ClusterDraft,
}

/// Why nobody was signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignInFailure {
    /// Which of the two was wrong is not said, nor whether the person exists.
    Credentials,
    /// Known, but nothing was granted to them or to a group of theirs.
    NotAuthorized,
    /// The one-time link was used before, or is too old.
    LinkSpent,
    /// The answer of the identity provider came too late, twice, or in another browser.
    FlowLost,
    ProviderUnreachable,
    /// The identity provider's answer does not prove who this is.
    ProviderAnswer,
    /// The identity provider refused, or the person said no there.
    ProviderRefused,
    /// The provider has more groups for this person than it told, and could not be asked for them.
    GroupsUnknown,
}

/// What the server stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dependency {
    Database,
    Shutdown,
}

/// Where a server function's call broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    Args,
    Network,
    Answer,
}

impl ApiError {
    /// The HTTP status: the one place where it is chosen.
    pub fn status(&self) -> u16 {
        match self {
            Self::SignIn => 401,
            Self::SignInFailed(failure) => failure.status(),
            Self::Forbidden(_) | Self::CrossSite => 403,
            Self::NotFound(_) => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict(_) => 409,
            Self::Cluster(trouble) if trouble.is_refusal() => 400,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Invalid(violations) if violations.iter().all(|v| v.rule.is_syntax()) => 400,
            Self::Transport(Transport::Args) => 400,
            Self::Invalid(_) => 422,
            Self::RateLimited { .. } => 429,
            Self::Internal(_) | Self::Transport(_) => 500,
            Self::Cluster(_) | Self::Unavailable(_) => 503,
            Self::Timeout => 504,
        }
    }

    /// The `error_code` of seed 002's `ErrorResponse`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::SignIn | Self::SignInFailed(_) => "AUTH_FAILED",
            Self::Forbidden(_) => "PERMISSION_DENIED",
            Self::NotFound(thing) => thing.code(),
            Self::Conflict(conflict) => conflict.code(),
            Self::Cluster(trouble) if trouble.is_refusal() => "CREDENTIALS_INVALID",
            Self::Cluster(_) => "CLUSTER_UNREACHABLE",
            Self::Invalid(_) | Self::Transport(Transport::Args) => "VALIDATION_FAILED",
            Self::TooLarge => "REQUEST_TOO_LARGE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::CrossSite => "CROSS_SITE_REQUEST",
            Self::RateLimited { .. } => "RATE_LIMITED",
            Self::Unavailable(_) => "SERVICE_UNAVAILABLE",
            Self::Timeout => "TIMEOUT",
            Self::Internal(_) | Self::Transport(_) => "INTERNAL_ERROR",
        }
    }

    pub fn invalid(field: impl Into<String>, rule: Rule) -> Self {
        Self::Invalid(vec![Violation::new(field, rule)])
    }
}

impl Thing {
    pub fn label(self) -> &'static str {
        match self {
            Self::Page => "Page",
            Self::Operation => "Operation",
            Self::OperationType => "Operation type",
            Self::Workspace => "Workspace",
            Self::Tenant => "Tenant",
            Self::Schema => "Schema",
            Self::Person => "Person",
            Self::Grant => "Grant",
            Self::ApiKey => "API key",
            Self::Session => "Session",
            Self::AuditEntry => "Audit entry",
            Self::SavedView => "Saved view",
            Self::Cluster => "Cluster",
            Self::Credential => "Credential",
            Self::ClusterDraft => "Registration",
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Page => "NOT_FOUND",
            Self::Operation => "OPERATION_NOT_FOUND",
            Self::OperationType => "OPERATION_TYPE_NOT_FOUND",
            Self::Workspace => "WORKSPACE_NOT_FOUND",
            Self::Tenant => "TENANT_NOT_FOUND",
            Self::Schema => "SCHEMA_NOT_FOUND",
            Self::Person => "PERSON_NOT_FOUND",
            Self::Grant => "GRANT_NOT_FOUND",
            Self::ApiKey => "API_KEY_NOT_FOUND",
            Self::Session => "SESSION_NOT_FOUND",
            Self::AuditEntry => "AUDIT_ENTRY_NOT_FOUND",
            Self::SavedView => "SAVED_VIEW_NOT_FOUND",
            Self::Cluster => "CLUSTER_NOT_FOUND",
            Self::Credential => "CREDENTIALS_NOT_FOUND",
            Self::ClusterDraft => "REGISTRATION_NOT_FOUND",
        }
    }
}

impl SignInFailure {
    fn status(self) -> u16 {
        match self {
            Self::NotAuthorized | Self::GroupsUnknown => 403,
            Self::ProviderUnreachable => 503,
            Self::Credentials
            | Self::LinkSpent
            | Self::FlowLost
            | Self::ProviderAnswer
            | Self::ProviderRefused => 401,
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Credentials => "Name and password do not belong together.",
            Self::NotAuthorized => {
                "You are known, but nothing is granted to you here, nor to a group of yours. Ask an admin of this console."
            }
            Self::LinkSpent => "This link was used before or is too old. Ask for a new one.",
            Self::FlowLost => {
                "This sign-in took too long, was used before, or began in another browser. Begin again."
            }
            Self::ProviderUnreachable => {
                "The identity provider does not answer. Try again in a moment."
            }
            Self::ProviderAnswer => {
                "The identity provider's answer does not prove who you are. Begin again; if it stays so, tell an admin."
            }
            Self::ProviderRefused => "The identity provider did not let you in.",
            Self::GroupsUnknown => {
                "You are in more groups than the identity provider tells, and it could not be asked for them, so it is not known what is granted to you. Tell an admin."
            }
        }
    }
}

impl Dependency {
    fn label(self) -> &'static str {
        match self {
            Self::Database => "The database",
            Self::Shutdown => "The console is stopping and",
        }
    }
}

impl Transport {
    fn sentence(self) -> &'static str {
        match self {
            Self::Args => "The call's arguments could not be read.",
            Self::Network => {
                "The console could not be reached. Check the connection and try again."
            }
            Self::Answer => "The console's answer could not be read. Reload the page.",
        }
    }
}

//! The one error that leaves the server, its status code, and every sentence that a person reads about it.
//!
//! Variants hold ids and enums only, never free text: what arrives in a link or a form can then not put
//! words in our mouth. What went wrong inside is logged where it was handled, under the trace id.

mod conflict;

use serde::{Deserialize, Serialize};

pub use self::conflict::Conflict;

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

/// One field that breaks one rule. `field` is the field's key, as the client spelled it (cut at 64 characters).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Violation {
    pub field: String,
    pub rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Rule {
    Required,
    UnknownField,
    /// The allowed values are ours, so they may be said.
    OneOf {
        allowed: Vec<String>,
    },
    Range {
        min: i64,
        max: i64,
    },
    Length {
        min: u32,
        max: u32,
    },
    Malformed {
        expected: Expected,
    },
    NulByte,
    Repeated,
    /// `page` ends at row 10 000; beyond it `cursor` goes on.
    UseCursor,
    /// A kubeconfig holds something that the console never does for anybody.
    KubeconfigHolds {
        entry: KubeconfigEntry,
    },
    /// A kubeconfig lacks what is needed.
    KubeconfigLacks {
        entry: KubeconfigEntry,
    },
    /// The credential is for another API server than the cluster's.
    OtherServer,
}

/// An entry of a kubeconfig that is refused, or missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum KubeconfigEntry {
    Exec,
    AuthProvider,
    TokenFile,
    ClientCertificate,
    ClientKey,
    CertificateAuthority,
    ProxyUrl,
    InsecureSkipTlsVerify,
    Username,
    Impersonation,
    Context,
    Cluster,
    User,
    Server,
    Token,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    Json,
    Integer,
    Text,
    Time,
    Object,
    Cursor,
    Utf8,
    Login,
    Seconds,
    ClusterName,
    HttpUrl,
    HttpsUrl,
    Label,
    SecretRef,
    Token,
    Pem,
    Kubeconfig,
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

impl Violation {
    pub fn new(field: impl Into<String>, rule: Rule) -> Self {
        let field: String = field.into();
        Self { field: field.chars().take(64).collect(), rule }
    }

    pub fn sentence(&self) -> String {
        let field = &self.field;
        match &self.rule {
            Rule::Required => format!("`{field}` is required."),
            Rule::UnknownField => format!("`{field}` is not a field of this request."),
            Rule::OneOf { allowed } => format!("`{field}` must be one of {}.", allowed.join(", ")),
            Rule::Range { min, max } => format!("`{field}` must be between {min} and {max}."),
            Rule::Length { min, max } => format!("`{field}` must have {min} to {max} characters."),
            Rule::Malformed { expected } => format!("`{field}` must be {}.", expected.label()),
            Rule::NulByte => format!("`{field}` must not contain a NUL byte."),
            Rule::Repeated => format!("`{field}` may stand only once."),
            Rule::KubeconfigHolds { entry } => format!("`{field}`: {}", entry.refusal()),
            Rule::KubeconfigLacks { entry } => {
                format!("`{field}`: the kubeconfig has no {}.", entry.name())
            }
            Rule::OtherServer => {
                format!("`{field}` is for another API server than the address of this cluster.")
            }
            Rule::UseCursor => {
                format!("`{field}` reaches no further than row 10 000; go on with `cursor`.")
            }
        }
    }

    fn sentences(violations: &[Self]) -> String {
        violations.iter().map(Self::sentence).collect::<Vec<_>>().join(" ")
    }
}

impl Rule {
    /// Whether the request could not be read at all (400), as against read and refused (422).
    fn is_syntax(&self) -> bool {
        matches!(
            self,
            Self::Malformed { expected: Expected::Json | Expected::Utf8 } | Self::NulByte
        )
    }
}

impl KubeconfigEntry {
    /// As it stands in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::AuthProvider => "auth-provider",
            Self::TokenFile => "tokenFile",
            Self::ClientCertificate => "client-certificate",
            Self::ClientKey => "client-key",
            Self::CertificateAuthority => "certificate-authority",
            Self::ProxyUrl => "proxy-url",
            Self::InsecureSkipTlsVerify => "insecure-skip-tls-verify",
            Self::Username => "username and password",
            Self::Impersonation => "as",
            Self::Context => "such context",
            Self::Cluster => "cluster of this context",
            Self::User => "user of this context",
            Self::Server => "https server for this cluster",
            Self::Token => "token and no client certificate with key for this user",
        }
    }

    fn refusal(self) -> String {
        let name = self.name();
        match self {
            Self::Exec | Self::AuthProvider => format!(
                "the kubeconfig has {name}; the console runs no programs. Use a token or a client certificate."
            ),
            Self::TokenFile
            | Self::ClientCertificate
            | Self::ClientKey
            | Self::CertificateAuthority => format!(
                "the kubeconfig names a file in {name}; the console reads no files. Put the content in (kubectl config view --raw --flatten)."
            ),
            Self::InsecureSkipTlsVerify => format!(
                "the kubeconfig sets {name}; the console never leaves an API server unchecked. Give its certificate authority."
            ),
            _ => format!("the kubeconfig has {name}, which the console does not use."),
        }
    }
}

impl Expected {
    fn label(self) -> &'static str {
        match self {
            Self::Json => "valid JSON",
            Self::Integer => "a whole number",
            Self::Text => "text",
            Self::Time => "an RFC 3339 time such as 2026-11-21T09:30:00Z",
            Self::Object => "an object",
            Self::Cursor => "a cursor from an earlier answer",
            Self::Utf8 => "UTF-8 text",
            Self::Seconds => "a number of seconds such as 30s",
            Self::ClusterName => {
                "made of letters a to z, digits and -, with a letter or digit at both ends"
            }
            Self::HttpUrl => "an address such as https://host:9090 without a password or query",
            Self::HttpsUrl => "an https address such as https://api.example.com:6443",
            Self::SecretRef => "namespace/name or namespace/name:key of a secret",
            Self::Token => "one line of printable characters without spaces",
            Self::Pem => "PEM, beginning with -----BEGIN",
            Self::Kubeconfig => "a kubeconfig",
            Self::Label => "a label as Kubernetes has them: letters, digits and - _ .",
            Self::Login => "made of letters a to z, digits and - _ . @ +",
        }
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

//! What is wrong with a request's field: a rule and the sentence about it.

use serde::{Deserialize, Serialize};

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

    pub(super) fn sentences(violations: &[Self]) -> String {
        violations.iter().map(Self::sentence).collect::<Vec<_>>().join(" ")
    }
}

impl Rule {
    /// Whether the request could not be read at all (400), as against read and refused (422).
    pub(super) fn is_syntax(&self) -> bool {
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

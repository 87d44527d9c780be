//! What opens a cluster: as it is given (never shown again), and what may be said of it afterwards.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    error::{ApiError, Expected, Rule, Violation},
    identity::model::Secret,
    operations::model::words,
    time::Micros,
};

/// A kubeconfig of some hundred contexts is below that; the body limit is above.
pub const KUBECONFIG_MAX: usize = 512 << 10;
const TOKEN_MAX: usize = 16 << 10;
const PEM_MAX: usize = 64 << 10;

/// People are told so long before it ends.
pub const WARN_BEFORE: i64 = 7 * 24 * 3_600 * Micros::SECOND;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuthType {
    /// A kubeconfig's context, or a client certificate.
    Kubeconfig,
    /// A token, or the name of a secret that holds one.
    ServiceAccount,
    /// Tokens of an identity provider, which the console fetches.
    Oidc,
}

words!(AuthType: Kubeconfig = "KUBECONFIG", ServiceAccount = "SERVICE_ACCOUNT", Oidc = "OIDC");

impl AuthType {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Kubeconfig => "kubeconfig",
            Self::ServiceAccount => "service account token",
            Self::Oidc => "OpenID Connect",
        }
    }
}

/// A credential as somebody gives it. Its secrets go into the vault and come out of no address of the console; it has a
/// spelling so that a registration which is not decided yet can be sealed.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCredential {
    pub auth_type: AuthType,
    /// KUBECONFIG: the file's text. Authority, server, token, client certificate and key must stand in it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub kubeconfig: Option<Secret>,
    /// Which context of it; its current one when absent.
    #[serde(default)]
    pub context: Option<String>,
    /// KUBECONFIG, instead of a file: PEM.
    #[serde(default)]
    pub client_certificate: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub client_key: Option<Secret>,
    /// SERVICE_ACCOUNT: the token itself,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub token: Option<Secret>,
    /// or `namespace/name[:key]` of a secret in the console's own cluster, read at use.
    #[serde(default)]
    pub service_account_token_secret_ref: Option<String>,
    /// OIDC.
    #[serde(default)]
    pub issuer_url: Option<String>,
    #[serde(default)]
    pub client_id: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub client_secret: Option<Secret>,
    /// Without one, the client's own credentials are used.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub refresh_token: Option<Secret>,
    /// What is asked of the provider: some name the API in it. `openid` when absent.
    #[serde(default)]
    pub scope: Option<String>,
    /// Whom the token is for, where the provider has that word; then its access token is shown, not its ID token.
    #[serde(default)]
    pub audience: Option<String>,
    /// Whom to trust as the API server: PEM. The system's authorities when absent.
    #[serde(default)]
    pub certificate_authority: Option<String>,
    /// The name that its certificate carries, where that is not the address.
    #[serde(default)]
    pub tls_server_name: Option<String>,
    /// Bearer tokens of upstreams, and names of secrets that hold them.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub prometheus_token: Option<Secret>,
    #[serde(default)]
    pub prometheus_token_secret_ref: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub tempo_token: Option<Secret>,
    #[serde(default)]
    pub tempo_token_secret_ref: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub loki_token: Option<Secret>,
    #[serde(default)]
    pub loki_token_secret_ref: Option<String>,
}

impl fmt::Debug for NewCredential {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "NewCredential({}, …)", self.auth_type.as_str())
    }
}

impl NewCredential {
    /// Nothing of this type yet.
    pub const fn empty(auth_type: AuthType) -> Self {
        Self {
            auth_type,
            kubeconfig: None,
            context: None,
            client_certificate: None,
            client_key: None,
            token: None,
            service_account_token_secret_ref: None,
            issuer_url: None,
            client_id: None,
            client_secret: None,
            refresh_token: None,
            scope: None,
            audience: None,
            certificate_authority: None,
            tls_server_name: None,
            prometheus_token: None,
            prometheus_token_secret_ref: None,
            tempo_token: None,
            tempo_token_secret_ref: None,
            loki_token: None,
            loki_token_secret_ref: None,
        }
    }

    /// What belongs to the type, and nothing else; that kubeconfigs and PEM are such is the server's to say.
    pub fn check(&self) -> Result<(), ApiError> {
        let mut wrong = Vec::new();
        self.check_belongs(&mut wrong);
        self.check_sizes(&mut wrong);
        let refs = [
            ("service_account_token_secret_ref", &self.service_account_token_secret_ref),
            ("prometheus_token_secret_ref", &self.prometheus_token_secret_ref),
            ("tempo_token_secret_ref", &self.tempo_token_secret_ref),
            ("loki_token_secret_ref", &self.loki_token_secret_ref),
        ];
        for (field, given) in refs {
            let Some(text) = given else { continue };
            if SecretRef::read(text).is_none() {
                wrong.push(Violation::new(field, malformed(Expected::SecretRef)));
            }
        }
        let twice = [
            ("token", self.token.is_some(), self.service_account_token_secret_ref.is_some()),
            (
                "prometheus_token",
                self.prometheus_token.is_some(),
                self.prometheus_token_secret_ref.is_some(),
            ),
            ("tempo_token", self.tempo_token.is_some(), self.tempo_token_secret_ref.is_some()),
            ("loki_token", self.loki_token.is_some(), self.loki_token_secret_ref.is_some()),
        ];
        for (field, one, other) in twice {
            if one && other {
                wrong.push(Violation::new(field, Rule::Repeated));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(ApiError::Invalid(wrong)) }
    }

    /// Each given field, with the types that it belongs to.
    fn check_belongs(&self, wrong: &mut Vec<Violation>) {
        use AuthType::{Kubeconfig, Oidc, ServiceAccount};
        let given: [(&str, bool, &[AuthType]); 12] = [
            ("kubeconfig", self.kubeconfig.is_some(), &[Kubeconfig]),
            ("context", self.context.is_some(), &[Kubeconfig]),
            ("client_certificate", self.client_certificate.is_some(), &[Kubeconfig]),
            ("client_key", self.client_key.is_some(), &[Kubeconfig]),
            ("token", self.token.is_some(), &[ServiceAccount]),
            (
                "service_account_token_secret_ref",
                self.service_account_token_secret_ref.is_some(),
                &[ServiceAccount],
            ),
            ("issuer_url", self.issuer_url.is_some(), &[Oidc]),
            ("client_id", self.client_id.is_some(), &[Oidc]),
            ("client_secret", self.client_secret.is_some(), &[Oidc]),
            ("refresh_token", self.refresh_token.is_some(), &[Oidc]),
            ("scope", self.scope.is_some(), &[Oidc]),
            ("audience", self.audience.is_some(), &[Oidc]),
        ];
        for (field, is_given, types) in given {
            if is_given && !types.contains(&self.auth_type) {
                wrong.push(Violation::new(field, Rule::UnknownField));
            }
        }
        let mut need = |field: &str, is_given: bool| {
            if !is_given {
                wrong.push(Violation::new(field, Rule::Required));
            }
        };
        match self.auth_type {
            Kubeconfig if self.client_certificate.is_some() || self.client_key.is_some() => {
                need("client_certificate", self.client_certificate.is_some());
                need("client_key", self.client_key.is_some());
                if self.kubeconfig.is_some() {
                    wrong.push(Violation::new("kubeconfig", Rule::Repeated));
                }
            }
            Kubeconfig => need("kubeconfig", self.kubeconfig.is_some()),
            ServiceAccount => need(
                "token",
                self.token.is_some() || self.service_account_token_secret_ref.is_some(),
            ),
            Oidc => {
                need("issuer_url", self.issuer_url.is_some());
                need("client_id", self.client_id.is_some());
                need("client_secret", self.client_secret.is_some() || self.refresh_token.is_some());
            }
        }
    }

    fn check_sizes(&self, wrong: &mut Vec<Violation>) {
        let secret = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.0.len());
        let text = |text: &Option<String>| text.as_ref().map(String::len);
        let sizes = [
            ("kubeconfig", secret(&self.kubeconfig), KUBECONFIG_MAX),
            ("client_key", secret(&self.client_key), PEM_MAX),
            ("client_certificate", text(&self.client_certificate), PEM_MAX),
            ("certificate_authority", text(&self.certificate_authority), PEM_MAX),
            ("token", secret(&self.token), TOKEN_MAX),
            ("client_secret", secret(&self.client_secret), TOKEN_MAX),
            ("refresh_token", secret(&self.refresh_token), TOKEN_MAX),
            ("prometheus_token", secret(&self.prometheus_token), TOKEN_MAX),
            ("tempo_token", secret(&self.tempo_token), TOKEN_MAX),
            ("loki_token", secret(&self.loki_token), TOKEN_MAX),
            ("client_id", text(&self.client_id), 512),
            ("issuer_url", text(&self.issuer_url), 512),
            ("scope", text(&self.scope), 1_024),
            ("audience", text(&self.audience), 512),
            ("context", text(&self.context), 512),
            ("tls_server_name", text(&self.tls_server_name), 253),
        ];
        for (field, length, max) in sizes {
            let Some(length) = length else { continue };
            if length == 0 || length > max {
                let max = u32::try_from(max).unwrap_or(u32::MAX);
                wrong.push(Violation::new(field, Rule::Length { min: 1, max }));
            }
        }
        // What a header cannot carry would be refused at the first use, far from who typed it.
        let tokens = [
            ("token", &self.token),
            ("prometheus_token", &self.prometheus_token),
            ("tempo_token", &self.tempo_token),
            ("loki_token", &self.loki_token),
        ];
        for (field, token) in tokens {
            let Some(Secret(token)) = token else { continue };
            if !token.trim().bytes().all(|byte| (b'!'..=b'~').contains(&byte)) {
                wrong.push(Violation::new(field, malformed(Expected::Token)));
            }
        }
    }
}

fn malformed(expected: Expected) -> Rule {
    Rule::Malformed { expected }
}

/// `namespace/name[:key]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRef {
    pub namespace: String,
    pub name: String,
    /// `token` when none is named.
    pub key: String,
}

impl SecretRef {
    pub fn read(text: &str) -> Option<Self> {
        let (namespace, rest) = text.split_once('/')?;
        let (name, key) = rest.split_once(':').unwrap_or((rest, "token"));
        let label = |text: &str| {
            (1..=63).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !text.starts_with('-')
                && !text.ends_with('-')
        };
        let named = name.len() <= 253 && name.split('.').all(label);
        let keyed = (1..=253).contains(&key.len())
            && key != ".."
            && key != "."
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        (label(namespace) && named && keyed).then(|| Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            key: key.to_owned(),
        })
    }
}

/// How it stands with the end of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Expiry {
    /// It names no end.
    Never,
    Later,
    /// Within seven days.
    Soon,
    Over,
}

impl Expiry {
    pub fn of(expires_at: Option<Micros>, now: Micros) -> Self {
        match expires_at {
            None => Self::Never,
            Some(at) if at <= now => Self::Over,
            Some(at) if at.since(now) <= WARN_BEFORE => Self::Soon,
            Some(_) => Self::Later,
        }
    }
}

/// What may be said of a stored credential. Holds nothing that opens anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CredentialMeta {
    #[schema(format = "uuid")]
    pub cluster_id: String,
    pub auth_type: AuthType,
    /// Counts every credential that this cluster had.
    pub version: i64,
    /// Who it is, as the cluster or the certificate said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_token_secret_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prometheus_token_secret_ref: Option<String>,
    /// Upstreams with a token of their own: `prometheus`, `tempo`, `loki`.
    pub upstream_tokens: Vec<String>,
    pub created_at: Micros,
    pub created_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Micros>,
    /// By the console's clock, when this was asked.
    pub expiry: Expiry,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validated_at: Option<Micros>,
    /// What the last validation said: `valid`, `expired`, `unauthorized`, `forbidden`, `unreachable`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret(text.to_owned())
    }

    fn broken(credential: &NewCredential) -> Vec<String> {
        match credential.check() {
            Ok(()) => Vec::new(),
            Err(ApiError::Invalid(violations)) => {
                violations.into_iter().map(|violation| violation.field).collect()
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_type_takes_its_own_and_nothing_else() {
        let mut token = NewCredential::empty(AuthType::ServiceAccount);
        assert_eq!(broken(&token), ["token"]);
        token.token = Some(secret("eyJhbGciOi.x.y"));
        assert!(broken(&token).is_empty());
        token.kubeconfig = Some(secret("apiVersion: v1"));
        assert_eq!(broken(&token), ["kubeconfig"]);
        token.kubeconfig = None;
        token.service_account_token_secret_ref = Some("ns/name".to_owned());
        assert_eq!(broken(&token), ["token"], "given twice");
        let mut certificate = NewCredential::empty(AuthType::Kubeconfig);
        certificate.client_certificate = Some("PEM".to_owned());
        assert_eq!(broken(&certificate), ["client_key"]);
        certificate.client_key = Some(secret("PEM"));
        assert!(broken(&certificate).is_empty());
        let mut oidc = NewCredential::empty(AuthType::Oidc);
        assert_eq!(broken(&oidc), ["issuer_url", "client_id", "client_secret"]);
        oidc.issuer_url = Some("https://idp.example".to_owned());
        oidc.client_id = Some("console".to_owned());
        oidc.refresh_token = Some(secret("r"));
        assert!(broken(&oidc).is_empty());
    }

    #[test]
    fn a_token_is_what_a_header_can_carry() {
        for bad in ["two words", "line\nbreak", "é", ""] {
            let mut token = NewCredential::empty(AuthType::ServiceAccount);
            token.token = Some(secret(bad));
            assert_eq!(broken(&token).first().map(String::as_str), Some("token"), "{bad:?}");
        }
    }

    #[test]
    fn a_reference_names_a_namespace_and_a_secret() {
        let read = SecretRef::read("agents/token.of-hub:value").expect("a reference");
        assert_eq!((read.namespace.as_str(), read.key.as_str()), ("agents", "value"));
        assert_eq!(SecretRef::read("a/b").expect("a reference").key, "token");
        for bad in
            ["", "name", "a/", "/b", "a/b:", "A/b", "a/b:..", "a/../b", "a/b/c", "a/b:x/y", "-a/b"]
        {
            assert_eq!(SecretRef::read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_end_within_seven_days_is_soon() {
        let now = Micros(0);
        let of = |at: i64| Expiry::of(Some(Micros(at)), now);
        assert_eq!(Expiry::of(None, now), Expiry::Never);
        assert_eq!(of(0), Expiry::Over);
        assert_eq!(of(WARN_BEFORE), Expiry::Soon);
        assert_eq!(of(WARN_BEFORE + 1), Expiry::Later);
    }

    #[test]
    fn no_secret_is_ever_printed() {
        let mut token = NewCredential::empty(AuthType::ServiceAccount);
        token.token = Some(secret("hunter2"));
        assert_eq!(format!("{token:?}"), "NewCredential(SERVICE_ACCOUNT, …)");
    }
}

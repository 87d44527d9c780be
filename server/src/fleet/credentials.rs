//! From what somebody gave to what is sealed, and back to what a client is made from.
//!
//! Must not log, print or hand on what it holds: [`Key`] has no `Debug` that shows anything.

mod renewable;

use std::{fmt, time::Duration};

use app::{
    error::{ApiError, Expected, Rule},
    fleet::{
        credentials::{AuthType, NewCredential},
        trouble::Trouble,
    },
    identity::model::Secret,
    time::Micros,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

pub use self::renewable::Renewable;
use super::{kubeconfig, tls};

/// What opens one API server, as it lies sealed in the store.
#[derive(Clone, Serialize, Deserialize)]
pub struct Key {
    /// PEM; the system's authorities when absent.
    pub authority: Option<String>,
    pub server_name: Option<String>,
    pub opens: Opens,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Opens {
    Token {
        token: String,
    },
    Certificate {
        certificate: String,
        key: String,
    },
    /// The row names the secret.
    SecretRef,
    Oidc(Provider),
}

/// An identity provider that gives tokens, and what it gives them for.
#[derive(Clone, Serialize, Deserialize)]
pub struct Provider {
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<String>,
    /// Shared by all copies: whoever spends it leaves the next one to the others.
    pub refresh_token: Option<Renewable>,
    /// What is asked for, where `openid` is not it.
    #[serde(default)]
    pub scope: Option<String>,
    #[serde(default)]
    pub audience: Option<String>,
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key(…)")
    }
}

impl Drop for Opens {
    fn drop(&mut self) {
        match self {
            Self::Token { token } => token.zeroize(),
            Self::Certificate { key, .. } => key.zeroize(),
            Self::SecretRef => {}
            // The refresh token wipes itself, when the last copy is let go.
            Self::Oidc(provider) => provider.client_secret.zeroize(),
        }
    }
}

impl Key {
    pub fn bytes(&self) -> Zeroizing<Vec<u8>> {
        // Strings and options of them have a spelling.
        Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }

    pub fn read(bytes: &[u8]) -> Result<Self, Trouble> {
        serde_json::from_slice(bytes).map_err(|_| Trouble::Credential)
    }
}

/// A credential that was read and found to be one.
#[derive(Debug)]
pub struct Prepared {
    pub auth_type: AuthType,
    pub key: Key,
    pub secret_ref: Option<String>,
    /// As the certificate or the token has it; the cluster's own word replaces it.
    pub identity: Option<String>,
    pub expires_at: Option<Micros>,
    /// Where a kubeconfig says that it is good for.
    pub server: Option<String>,
    /// Bearer tokens of upstreams: the part, the token or the reference to one.
    pub upstreams: Vec<(super::store::credentials::Part, Upstream)>,
}

pub enum Upstream {
    Token(Zeroizing<String>),
    Ref(String),
}

impl fmt::Debug for Upstream {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Token(_) => "Token(…)",
            Self::Ref(_) => "Ref(…)",
        })
    }
}

/// Reads what was given; says which field is wrong and why, never what stands in it.
pub fn prepare(new: &NewCredential) -> Result<Prepared, ApiError> {
    new.check()?;
    let authority = new.certificate_authority.as_deref().map(authority).transpose()?;
    let server_name = new.tls_server_name.as_deref().map(|name| name.trim().to_owned());
    if tls::server_name(server_name.as_deref()).is_err() {
        return Err(malformed("tls_server_name", Expected::Text));
    }
    let mut prepared = match new.auth_type {
        AuthType::Kubeconfig => of_kubeconfig(new)?,
        AuthType::ServiceAccount => of_service_account(new),
        AuthType::Oidc => of_provider(new)?,
    };
    // What is given beside a kubeconfig counts more than what stands in it.
    prepared.key.authority = authority.or(prepared.key.authority.take());
    prepared.key.server_name = server_name.or(prepared.key.server_name.take());
    prepared.upstreams = upstreams(new);
    Ok(prepared)
}

impl Prepared {
    /// A look may have spent the refresh token that was typed: what is kept of it is the one that came in its place.
    pub fn carry_over(&self, given: Option<&mut NewCredential>) {
        if let (Opens::Oidc(provider), Some(given)) = (&self.key.opens, given)
            && let Some(token) = &provider.refresh_token
        {
            given.refresh_token = Some(Secret(token.get().to_string()));
        }
    }
}

fn malformed(field: &'static str, expected: Expected) -> ApiError {
    ApiError::invalid(field, Rule::Malformed { expected })
}

fn authority(pem: &str) -> Result<String, ApiError> {
    crate::egress::authorities(pem.as_bytes())
        .map(|_| pem.to_owned())
        .map_err(|_| malformed("certificate_authority", Expected::Pem))
}

fn prepared(auth_type: AuthType, opens: Opens) -> Prepared {
    Prepared {
        auth_type,
        key: Key { authority: None, server_name: None, opens },
        secret_ref: None,
        identity: None,
        expires_at: None,
        server: None,
        upstreams: Vec::new(),
    }
}

fn of_kubeconfig(new: &NewCredential) -> Result<Prepared, ApiError> {
    if let (Some(certificate), Some(Secret(key))) = (&new.client_certificate, &new.client_key) {
        let opens = Opens::Certificate { certificate: certificate.clone(), key: key.clone() };
        return of_certificate(prepared(AuthType::Kubeconfig, opens), "client_certificate");
    }
    let text = new.kubeconfig.as_ref().map_or("", |Secret(text)| text.as_str());
    let file = kubeconfig::File::read(text)?;
    let chosen = file.choose(new.context.as_deref())?;
    let mut found = prepared(AuthType::Kubeconfig, chosen.opens);
    found.key.authority = chosen.authority;
    found.key.server_name = chosen.server_name;
    found.server = Some(chosen.server);
    of_certificate(found, "kubeconfig")
}

/// Identity and end, from the certificate or the token; that a certificate fits its key is tried.
fn of_certificate(mut found: Prepared, field: &'static str) -> Result<Prepared, ApiError> {
    match &found.key.opens {
        Opens::Certificate { certificate, key } => {
            let trust = tls::Trust { client: Some((certificate, key)), ..tls::Trust::default() };
            let read = tls::read_certificate(certificate);
            let fits = tls::config(&trust, &tls::Handshakes::default());
            let (Some((name, end)), true) = (read, !matches!(fits, Err(Trouble::Credential)))
            else {
                return Err(malformed(field, Expected::Pem));
            };
            found.identity = Some(name);
            found.expires_at = Some(end);
        }
        Opens::Token { token } => {
            let token = read_token(token);
            found.identity = token.identity;
            found.expires_at = token.expires_at;
        }
        Opens::SecretRef | Opens::Oidc(_) => {}
    }
    Ok(found)
}

fn of_service_account(new: &NewCredential) -> Prepared {
    if let Some(Secret(token)) = &new.token {
        let read = read_token(token);
        let opens = Opens::Token { token: token.trim().to_owned() };
        let mut found = prepared(AuthType::ServiceAccount, opens);
        found.identity = read.identity;
        found.expires_at = read.expires_at;
        return found;
    }
    let mut found = prepared(AuthType::ServiceAccount, Opens::SecretRef);
    found.secret_ref.clone_from(&new.service_account_token_secret_ref);
    found
}

fn of_provider(new: &NewCredential) -> Result<Prepared, ApiError> {
    let text = |secret: &Option<Secret>| secret.as_ref().map(|Secret(text)| text.trim().to_owned());
    let issuer = new.issuer_url.as_deref().unwrap_or_default();
    let issuer = app::fleet::registration::https("issuer_url", issuer)?;
    Ok(prepared(
        AuthType::Oidc,
        Opens::Oidc(Provider {
            issuer,
            client_id: new.client_id.clone().unwrap_or_default(),
            client_secret: text(&new.client_secret),
            refresh_token: text(&new.refresh_token).map(Renewable::new),
            scope: new.scope.clone(),
            audience: new.audience.clone(),
        }),
    ))
}

fn upstreams(new: &NewCredential) -> Vec<(super::store::credentials::Part, Upstream)> {
    use super::store::credentials::Part;
    let given = [
        (Part::Prometheus, &new.prometheus_token, &new.prometheus_token_secret_ref),
        (Part::Tempo, &new.tempo_token, &new.tempo_token_secret_ref),
        (Part::Loki, &new.loki_token, &new.loki_token_secret_ref),
    ];
    let one = |(part, token, reference): (Part, &Option<Secret>, &Option<String>)| {
        let token = token
            .as_ref()
            .map(|Secret(token)| Upstream::Token(Zeroizing::new(token.trim().to_owned())));
        let reference = reference.clone().map(Upstream::Ref);
        token.or(reference).map(|upstream| (part, upstream))
    };
    given.into_iter().filter_map(one).collect()
}

/// What a token says of itself. Not verified: the API server does that, and its word replaces this.
#[derive(Default)]
pub struct TokenSays {
    pub identity: Option<String>,
    pub expires_at: Option<Micros>,
    /// From when it was made, by the clock of who made it.
    pub lives: Option<Duration>,
}

pub fn read_token(token: &str) -> TokenSays {
    #[derive(Deserialize)]
    struct Claims {
        sub: Option<String>,
        exp: Option<f64>,
        iat: Option<f64>,
    }
    let payload = token.trim().split('.').nth(1);
    let bytes = payload.and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    let claims = bytes.and_then(|bytes| serde_json::from_slice::<Claims>(&bytes).ok());
    let Some(Claims { sub, exp, iat }) = claims else { return TokenSays::default() };
    let printable = |sub: &String| sub.len() <= 512 && !sub.chars().any(char::is_control);
    #[expect(clippy::cast_possible_truncation, reason = "clamped before")]
    let expires_at = exp
        .filter(|exp| exp.is_finite())
        .map(|exp| Micros(exp.clamp(0.0, 4e12) as i64 * Micros::SECOND));
    let lives = exp.zip(iat).map(|(exp, iat)| exp - iat);
    let lives = lives.filter(|seconds| seconds.is_finite()).map(|seconds| seconds.clamp(0.0, 1e9));
    TokenSays {
        identity: sub.filter(printable),
        expires_at,
        lives: lives.map(Duration::from_secs_f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_whose_it_is_and_when_it_ends() {
        let claims = br#"{"sub":"system:serviceaccount:qd:viewer","exp":1763716191}"#;
        let says = read_token(&format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims)));
        assert_eq!(says.identity.as_deref(), Some("system:serviceaccount:qd:viewer"));
        assert_eq!(says.expires_at, Some(Micros(1_763_716_191_000_000)));
        for odd in ["", "opaque", "a.b.c", "..", "a.e30.c"] {
            let says = read_token(odd);
            assert!(says.identity.is_none() && says.expires_at.is_none(), "{odd}");
        }
    }

    #[test]
    fn a_key_comes_back_as_it_was_sealed_and_shows_nothing() {
        let opens = Opens::Token { token: "hunter2".to_owned() };
        let key = Key { authority: None, server_name: Some("api".to_owned()), opens };
        let read = Key::read(&key.bytes()).expect("what was written");
        assert!(matches!(&read.opens, Opens::Token { token } if token == "hunter2"));
        assert_eq!(format!("{key:?}"), "Key(…)");
        assert!(Key::read(b"{}").is_err());
    }
}

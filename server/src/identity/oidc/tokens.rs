//! Judging tokens. The checks of OpenID Connect Core §3.1.3.7 are openidconnect's; here stand those that it leaves
//! to us (`azp`, `nbf`, `iat`, `at_hash`), the skew that clocks may have, and which keys and signatures count.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use openidconnect::{
    AccessToken, AccessTokenHash, ClientId, IdTokenVerifier, Nonce, NonceVerifier,
    ProviderMetadataWithLogout as Metadata,
    core::{CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKey, CoreJwsSigningAlgorithm},
};
use serde_json::Value;

use super::{claims::Claims, error::TokenFault};
use crate::{clock::Clock, config::OidcConfig};

/// How far the provider's clock may be from ours.
pub const SKEW_S: i64 = 60;

/// What every token is held against.
pub struct Judge<'a> {
    pub metadata: &'a Metadata,
    pub config: &'a OidcConfig,
    pub clock: &'a Clock,
}

/// What an id token must answer.
pub enum Expected<'a> {
    SignIn {
        nonce: &'a Nonce,
    },
    /// A refresh has no nonce of its own; it must be about the same person.
    Refresh {
        subject: &'a str,
    },
}

impl Judge<'_> {
    pub fn now_s(&self) -> i64 {
        self.clock.now().0.div_euclid(1_000_000)
    }

    fn verifier(&self) -> CoreIdTokenVerifier<'static> {
        let now = self.now_s();
        let at =
            |seconds: i64| DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let client = ClientId::new(self.config.client_id.clone());
        let issuer = self.metadata.issuer().clone();
        // Public: without a secret at hand, no signature with a shared one can ever be right.
        IdTokenVerifier::new_public_client(client, issuer, self.metadata.jwks().clone())
            .set_allowed_algs(algorithms(&self.config.algorithms))
            .set_time_fn(move || at(now - SKEW_S))
    }

    /// The claims of an id token that holds.
    pub fn id_token(
        &self,
        token: &CoreIdToken,
        access: &AccessToken,
        expected: &Expected<'_>,
    ) -> Result<Claims, TokenFault> {
        let verifier = self.verifier();
        let checked = token.claims(&verifier, ByExpectation(expected))?;
        if let Some(hash) = checked.access_token_hash() {
            let alg = token.signing_alg().map_err(|_| TokenFault::Algorithm)?;
            let key = token.signing_key(&verifier).map_err(|_| TokenFault::UnknownKey)?;
            let own = AccessTokenHash::from_token(access, alg, key);
            if own.ok().as_ref() != Some(hash) {
                return Err(TokenFault::AccessToken);
            }
        }
        let claims = payload(&token.to_string())?;
        if let Expected::Refresh { subject } = expected
            && checked.subject().as_str() != *subject
        {
            return Err(TokenFault::Subject);
        }
        self.times_and_party(&claims)?;
        Ok(claims)
    }

    /// What openidconnect does not look at.
    fn times_and_party(&self, claims: &Claims) -> Result<(), TokenFault> {
        let early = |at: i64| at > self.now_s() + SKEW_S;
        for time in ["nbf", "iat"] {
            if seconds(claims, time)?.is_some_and(early) {
                return Err(TokenFault::Early);
            }
        }
        match claims.get("azp") {
            None | Some(Value::Null) => Ok(()),
            Some(party) if party.as_str() == Some(self.config.client_id.as_str()) => Ok(()),
            Some(_) => Err(TokenFault::Audience),
        }
    }

    /// The claims of any signed token whose signature holds, whatever they say. For logout tokens, which are no id
    /// tokens; whoever calls this judges the claims.
    pub fn signed(&self, token: &str, kinds: &[&str]) -> Result<Claims, TokenFault> {
        let (message, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
        let (header, _) = message.split_once('.').ok_or(TokenFault::Malformed)?;
        let header: Claims = decoded(header)?;
        let word = |name: &str| header.get(name).and_then(Value::as_str);
        let kind = word("typ").unwrap_or("JWT").to_ascii_lowercase();
        let kind = kind.strip_prefix("application/").unwrap_or(&kind);
        if !kinds.contains(&kind) || header.contains_key("crit") {
            return Err(TokenFault::Malformed);
        }
        let named = word("alg").unwrap_or_default();
        if !self.config.algorithms.iter().any(|allowed| allowed == named) {
            return Err(TokenFault::Algorithm);
        }
        let alg = algorithm(named).ok_or(TokenFault::Algorithm)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenFault::Malformed)?;
        self.by_some_key(word("kid"), &alg, message.as_bytes(), &signature)?;
        payload(token)
    }

    fn by_some_key(
        &self,
        kid: Option<&str>,
        alg: &CoreJwsSigningAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenFault> {
        use openidconnect::JsonWebKey as _;
        let mut fault = TokenFault::UnknownKey;
        for key in self.metadata.jwks().keys() {
            let other = kid.is_some() && key.key_id().map(|id| id.as_str()) != kid;
            if other || !fits(key, alg) {
                continue;
            }
            if key.verify_signature(alg, message, signature).is_ok() {
                return Ok(());
            }
            fault = TokenFault::Signature;
        }
        Err(fault)
    }
}

fn fits(key: &CoreJsonWebKey, alg: &CoreJwsSigningAlgorithm) -> bool {
    use openidconnect::{
        JsonWebKey as _, JsonWebKeyAlgorithm, JsonWebKeyUse as _, JwsSigningAlgorithm as _,
    };
    let right_type = alg.key_type().as_ref() == Some(key.key_type());
    let right_use = key.key_use().is_none_or(|purpose| purpose.allows_signature());
    let right_alg = match key.signing_alg() {
        JsonWebKeyAlgorithm::Algorithm(own) => own == alg,
        JsonWebKeyAlgorithm::Unspecified => true,
        JsonWebKeyAlgorithm::Unsupported => false,
    };
    right_type && right_use && right_alg
}

struct ByExpectation<'a>(&'a Expected<'a>);

impl NonceVerifier for ByExpectation<'_> {
    fn verify(self, nonce: Option<&Nonce>) -> Result<(), String> {
        match self.0 {
            Expected::SignIn { nonce: wanted } => wanted.verify(nonce),
            Expected::Refresh { .. } => Ok(()),
        }
    }
}

/// A number that is none is no answer to the question when.
pub fn seconds(claims: &Claims, name: &'static str) -> Result<Option<i64>, TokenFault> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a fraction of a second does not matter"
        )]
        Some(value) => {
            let read = value.as_i64().or_else(|| value.as_f64().map(|at| at as i64));
            read.map(Some).ok_or(TokenFault::Claim(name))
        }
    }
}

pub fn payload(token: &str) -> Result<Claims, TokenFault> {
    decoded(token.split('.').nth(1).ok_or(TokenFault::Malformed)?)
}

fn decoded(part: &str) -> Result<Claims, TokenFault> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenFault::Malformed)
}

fn algorithms(names: &[String]) -> impl Iterator<Item = CoreJwsSigningAlgorithm> {
    names.iter().filter_map(|name| algorithm(name))
}

/// None for everything that does not prove who signed; the configuration refuses those already.
fn algorithm(name: &str) -> Option<CoreJwsSigningAlgorithm> {
    use openidconnect::JwsSigningAlgorithm as _;
    let read: CoreJwsSigningAlgorithm = serde_json::from_value(Value::from(name)).ok()?;
    let proves = !read.uses_shared_secret() && read != CoreJwsSigningAlgorithm::None;
    proves.then_some(read)
}

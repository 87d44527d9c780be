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
    use openidconnect::{JsonWebKey as _, JsonWebKeyAlgorithm, JwsSigningAlgorithm as _};
    let right_type = alg.key_type().as_ref() == Some(key.key_type());
    let right_use = key.key_use().is_none_or(openidconnect::JsonWebKeyUse::allows_signature);
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

#[cfg(test)]
mod tests {
    use app::time::Micros;
    use proptest::{collection::vec, prelude::*, sample::select};
    use serde_json::json;

    use super::{super::logout, *};
    use crate::config::oidc::ClaimPaths;

    const NOW_S: i64 = 1_700_000_000;
    const ISSUER: &str = "https://login.example";

    /// A provider with keys of each kind, whose private halves nobody has.
    fn metadata() -> Metadata {
        let at = |path: &str| format!("{ISSUER}/{path}");
        let odd = |n: usize| URL_SAFE_NO_PAD.encode([vec![0xc1; n - 1], vec![0xab]].concat());
        // The generator of P-256: a point of the curve, as a public key is one.
        let (x, y) = (
            "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
            "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
        );
        let keys = json!({"keys": [
            {"kty": "RSA", "use": "sig", "kid": "r", "n": odd(256), "e": "AQAB"},
            {"kty": "EC", "use": "sig", "crv": "P-256", "kid": "e", "x": x, "y": y},
            {"kty": "OKP", "use": "sig", "crv": "Ed25519", "kid": "o", "x": odd(32)},
        ]});
        let told: Metadata = serde_json::from_value(json!({
            "issuer": ISSUER,
            "authorization_endpoint": at("auth"),
            "token_endpoint": at("token"),
            "jwks_uri": at("jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
        }))
        .expect("what a provider says");
        let keys = serde_json::from_value(keys).expect("keys");
        told.set_jwks(keys)
    }

    fn config() -> OidcConfig {
        OidcConfig {
            issuer: ISSUER.to_owned(),
            client_id: "quarterdeck".to_owned(),
            client_secret: Some("secret".to_owned()),
            scopes: Vec::new(),
            ca_file: None,
            claims: ClaimPaths::default(),
            algorithms: ["RS256", "PS256", "ES256", "EdDSA"].map(str::to_owned).to_vec(),
            graph_url: None,
            require_verified_email: false,
        }
    }

    /// Whether anybody believes it.
    fn is_believed(token: &str) -> bool {
        let (metadata, config) = (metadata(), config());
        let (clock, _) = Clock::manual(Micros(NOW_S * 1_000_000));
        let judge = Judge { metadata: &metadata, config: &config, clock: &clock };
        let (nonce, access) = (Nonce::new("n".to_owned()), AccessToken::new("a".to_owned()));
        let as_id = token.parse::<CoreIdToken>().is_ok_and(|token| {
            let sign_in = judge.id_token(&token, &access, &Expected::SignIn { nonce: &nonce });
            let refresh = judge.id_token(&token, &access, &Expected::Refresh { subject: "s" });
            sign_in.is_ok() || refresh.is_ok()
        });
        as_id || judge.signed(token, &["jwt"]).is_ok() || logout::read(&judge, token).is_ok()
    }

    /// Everything right but the signature.
    fn claims() -> Value {
        json!({
            "iss": ISSUER, "aud": "quarterdeck", "sub": "s", "jti": "j", "nonce": "n",
            "iat": NOW_S, "exp": NOW_S + 60,
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        })
    }

    fn written(header: &Value, claims: &Value, signature: &[u8]) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
    }

    /// Any JSON, as deep as an attacker may nest it in a few lines.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                vec(("[a-z]{1,6}", inner), 0..4)
                    .prop_map(|all| Value::Object(all.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn the_kit_of_these_tests_would_believe_a_right_signature() {
        // All that stands between these tokens and belief is the signature: each other fault comes later.
        for (alg, kid) in [("RS256", "r"), ("PS256", "r"), ("ES256", "e"), ("EdDSA", "o")] {
            let token = written(&json!({"alg": alg, "kid": kid}), &claims(), &[1; 64]);
            let (metadata, config) = (metadata(), config());
            let (clock, _) = Clock::manual(Micros(NOW_S * 1_000_000));
            let judge = Judge { metadata: &metadata, config: &config, clock: &clock };
            assert_eq!(judge.signed(&token, &["jwt"]), Err(TokenFault::Signature), "{alg}");
        }
    }

    #[test]
    fn nesting_without_end_is_no_token() {
        let deep = URL_SAFE_NO_PAD.encode("[".repeat(200_000));
        assert!(!is_believed(&format!("{deep}.{deep}.{deep}")));
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"r"}"#);
        assert!(!is_believed(&format!("{header}.{}.AAAA", URL_SAFE_NO_PAD.encode(deep))));
    }

    proptest! {
        #[test]
        fn no_text_is_a_token(text in "\\PC{0,200}", bytes in vec(any::<u8>(), 0..200)) {
            prop_assert!(!is_believed(&text));
            prop_assert!(!is_believed(&String::from_utf8_lossy(&bytes)));
            let part = URL_SAFE_NO_PAD.encode(&bytes);
            let token = format!("{part}.{part}.{part}");
            prop_assert!(!is_believed(&token));
        }

        #[test]
        fn no_header_makes_up_for_a_signature(
            alg in select(vec!["RS256", "PS256", "ES256", "EdDSA", "HS256", "none", "None", "", "RS1"]),
            kid in prop_oneof![Just(json!("r")), Just(json!("e")), Just(json!("o")), any_json()],
            extra in any_json(),
            signature in vec(any::<u8>(), 0..300),
        ) {
            let header = json!({"alg": alg, "kid": kid, "typ": "JWT", "jwk": extra, "x5u": extra});
            prop_assert!(!is_believed(&written(&header, &claims(), &signature)));
            prop_assert!(!is_believed(&written(&extra, &claims(), &signature)));
        }

        #[test]
        fn no_claims_make_it_panic(
            name in select(vec!["iss", "aud", "sub", "jti", "iat", "exp", "nbf", "azp", "events", "nonce"]),
            value in any_json(),
            whole in any_json(),
        ) {
            let mut claims = claims();
            claims[name] = value;
            let header = json!({"alg": "RS256", "kid": "r"});
            prop_assert!(!is_believed(&written(&header, &claims, &[0; 256])));
            prop_assert!(!is_believed(&written(&header, &whole, &[0; 256])));
            // What is read from claims that were believed already.
            if let Some(claims) = claims.as_object() {
                for name in ["iat", "exp", "nbf"] {
                    let _ = seconds(claims, name);
                }
            }
        }
    }
}

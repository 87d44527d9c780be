//! The provider says that somebody signed out (OpenID Connect Back-Channel Logout §2.6). Whether a token was used
//! before is for the store to know.

use serde_json::Value;

use super::{
    claims::Claims,
    error::TokenFault,
    tokens::{Judge, SKEW_S, seconds},
};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// A token that was caught on its way is worth nothing after this.
const OLDEST_S: i64 = 10 * 60;

/// Whose sessions end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logout {
    pub subject: Option<String>,
    /// The provider's name for one session.
    pub sid: Option<String>,
    /// Each is used once.
    pub id: String,
    /// When it would be too old anyhow, in seconds.
    pub forget_after_s: i64,
}

pub fn read(judge: &Judge<'_>, token: &str) -> Result<Logout, TokenFault> {
    let claims = judge.signed(token, &["logout+jwt", "jwt"])?;
    if claims.get("iss").and_then(Value::as_str) != Some(judge.metadata.issuer().as_str()) {
        return Err(TokenFault::Issuer);
    }
    if !is_for(&claims, &judge.config.client_id) {
        return Err(TokenFault::Audience);
    }
    let issued = seconds(&claims, "iat")?.ok_or(TokenFault::Claim("iat"))?;
    let now = judge.now_s();
    if issued > now + SKEW_S {
        return Err(TokenFault::Early);
    }
    let expired = seconds(&claims, "exp")?.is_some_and(|at| at <= now - SKEW_S);
    if expired || issued < now - OLDEST_S {
        return Err(TokenFault::Expired);
    }
    let events = claims.get("events").and_then(Value::as_object);
    if !events.is_some_and(|events| events.get(EVENT).is_some_and(Value::is_object)) {
        return Err(TokenFault::Claim("events"));
    }
    // An id token must never pass for a logout token.
    if claims.contains_key("nonce") {
        return Err(TokenFault::Nonce);
    }
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let (subject, sid) = (text("sub"), text("sid"));
    if subject.is_none() && sid.is_none() {
        return Err(TokenFault::Claim("sub"));
    }
    let id = text("jti").filter(|id| !id.is_empty()).ok_or(TokenFault::Claim("jti"))?;
    Ok(Logout { subject, sid, id, forget_after_s: issued + OLDEST_S + SKEW_S })
}

fn is_for(claims: &Claims, client: &str) -> bool {
    match claims.get("aud") {
        Some(Value::String(one)) => one == client,
        Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(client)),
        _ => false,
    }
}

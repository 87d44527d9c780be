//! What the provider tells the bearer of an access token. Believed only about the person that the id token is about.

use http::{
    Request, StatusCode,
    header::{ACCEPT, AUTHORIZATION},
};
use openidconnect::{AccessToken, ProviderMetadataWithLogout as Metadata};
use serde_json::Value;

use super::{
    claims::Claims,
    error::{Leg, OidcError, TokenFault},
};
use crate::egress::Client;

/// None when the provider has no such address.
pub async fn fetch(
    http: &Client,
    metadata: &Metadata,
    access: &AccessToken,
    subject: &str,
) -> Result<Option<Claims>, OidcError> {
    let Some(endpoint) = metadata.userinfo_endpoint() else { return Ok(None) };
    let request = Request::get(endpoint.as_str())
        .header(ACCEPT, "application/json")
        .header(AUTHORIZATION, format!("Bearer {}", access.secret()))
        .body(Vec::new())
        .map_err(|_| OidcError::answer(Leg::Token, "an access token that cannot be sent"))?;
    let sent = http.send(request).await;
    let response = sent.map_err(|error| OidcError::unreachable(Leg::Userinfo, &error))?;
    if response.status() != StatusCode::OK {
        return Err(OidcError::status(Leg::Userinfo, response.status()));
    }
    let claims: Claims = serde_json::from_slice(response.body())
        .map_err(|_| OidcError::answer(Leg::Userinfo, "it is no object of claims"))?;
    // Core §5.3.2: an answer about somebody else must not be used.
    if claims.get("sub").and_then(Value::as_str) != Some(subject) {
        return Err(TokenFault::Subject.into());
    }
    Ok(Some(claims))
}

//! One exchange with an identity provider: where its tokens are given, what is shown there, and what its refusals mean.
//!
//! Of what a provider answers nothing is repeated but the codes that RFC 6749 knows.

use std::time::Duration;

use app::fleet::trouble::Trouble;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Request, Response, StatusCode, header};
use serde::{Deserialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use crate::{
    egress::{Cause, Client, EgressError, Limits},
    fleet::credentials::Provider,
};

/// What a provider says of itself is there at once.
const METADATA_WITHIN: Duration = Duration::from_secs(5);
/// Giving up here may lose the next refresh token, so that it is done late, and sooner than a look at a cluster ends.
const TOKENS_WITHIN: Duration = Duration::from_secs(15);

pub struct Exchange {
    metadata: Client,
    tokens: Client,
}

/// What an exchange gave.
pub struct Given {
    pub token: Zeroizing<String>,
    pub refresh: Option<Zeroizing<String>>,
    pub expires_in: Option<Duration>,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    token_endpoint: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Answer {
    id_token: Option<String>,
    access_token: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<u64>,
}

/// RFC 6749, 5.2.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: String,
}

/// How the client says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// It has no secret.
    Name,
    Header,
    Form,
}

/// Why no token was given, as far as another way of asking could help.
enum No {
    Client,
    Scope,
    Trouble(Trouble),
}

impl Exchange {
    pub fn new(http: &Client) -> Self {
        let within = |limit| {
            let limits = move |limits| Limits { headers: limit, total: limit, ..limits };
            http.clone().within(limits)
        };
        Self { metadata: within(METADATA_WITHIN), tokens: within(TOKENS_WITHIN) }
    }

    pub async fn tokens(&self, provider: &Provider) -> Result<Given, Trouble> {
        let metadata = self.metadata(&provider.issuer).await?;
        // A refresh token brings its own scope. Without one some providers want this word, and some must not see it;
        // what somebody chose is asked for as it stands.
        let mut usual = provider.refresh_token.is_none().then_some("openid");
        let mut ways = ways(provider, &metadata).into_iter().peekable();
        while let Some(shown) = ways.next() {
            let answer = loop {
                let scope = provider.scope.as_deref().or(usual);
                match self.ask(&metadata.token_endpoint, provider, shown, scope).await {
                    Err(No::Scope) if provider.scope.is_none() && usual.take().is_some() => {}
                    answer => break answer,
                }
            };
            match answer {
                Ok(answer) => return given(answer, provider.audience.is_some()),
                // Who is not known spends nothing: the other way may be the one that was agreed upon.
                Err(No::Client) if ways.peek().is_some() => {}
                Err(No::Client) => return Err(Trouble::OidcClient),
                Err(No::Scope) => return Err(Trouble::OidcScope),
                Err(No::Trouble(trouble)) => return Err(trouble),
            }
        }
        Err(Trouble::OidcClient)
    }

    async fn metadata(&self, issuer: &str) -> Result<Metadata, Trouble> {
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let request = Request::get(url).header(header::ACCEPT, "application/json");
        let request = request.body(Vec::new()).map_err(|_| Trouble::OidcAnswer)?;
        let answer = send(&self.metadata, request).await?;
        let metadata: Metadata = match answer.status() {
            StatusCode::OK => read(&answer)?,
            status => return Err(of_status(status)),
        };
        // One that speaks for another issuer speaks for nobody; and a token goes out encrypted only.
        if metadata.issuer.trim_end_matches('/') != issuer.trim_end_matches('/') {
            return Err(Trouble::OidcIssuer);
        }
        if !metadata.token_endpoint.starts_with("https://") {
            return Err(Trouble::OidcAnswer);
        }
        Ok(metadata)
    }

    async fn ask(
        &self,
        endpoint: &str,
        provider: &Provider,
        shown: Shown,
        scope: Option<&str>,
    ) -> Result<Answer, No> {
        let unusable = || No::Trouble(Trouble::OidcAnswer);
        let form = form(provider, shown, scope).map_err(No::Trouble)?;
        let mut request = Request::post(endpoint)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json");
        if shown == Shown::Header {
            request = request.header(header::AUTHORIZATION, basic(provider).map_err(No::Trouble)?);
        }
        let request = request.body(form.as_bytes().to_vec()).map_err(|_| unusable())?;
        let answer = send(&self.tokens, request).await.map_err(No::Trouble)?;
        if answer.status() == StatusCode::OK {
            return read(&answer).map_err(No::Trouble);
        }
        let Refusal { error } = serde_json::from_slice(answer.body()).unwrap_or_default();
        let no = match error.as_str() {
            "invalid_grant" => No::Trouble(Trouble::OidcGrant),
            "invalid_client" => No::Client,
            "unauthorized_client" | "unsupported_grant_type" => No::Trouble(Trouble::OidcClient),
            // RFC 8707 has the other word.
            "invalid_scope" | "invalid_target" => No::Scope,
            _ if answer.status() == StatusCode::UNAUTHORIZED => No::Client,
            _ => No::Trouble(of_status(answer.status())),
        };
        tracing::warn!(
            status = answer.status().as_u16(),
            known = !matches!(no, No::Trouble(Trouble::Oidc)),
            "an identity provider of a cluster gave no token"
        );
        Err(no)
    }
}

async fn send(http: &Client, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Trouble> {
    http.send(request).await.map_err(|error| {
        tracing::warn!(%error, "an identity provider of a cluster does not answer");
        of_egress(&error)
    })
}

fn of_egress(error: &EgressError) -> Trouble {
    match error.cause {
        Cause::Tls(_) => Trouble::OidcTls,
        Cause::NotTls | Cause::NotHttp | Cause::TooLarge { .. } => Trouble::OidcAnswer,
        _ => Trouble::OidcUnreachable,
    }
}

fn of_status(status: StatusCode) -> Trouble {
    match status.as_u16() {
        500..=599 | 429 => Trouble::OidcUnreachable,
        // Also a redirect, which is not followed: what the issuer has is at the issuer's address.
        200..=399 | 404 | 405 => Trouble::OidcAnswer,
        _ => Trouble::Oidc,
    }
}

fn read<T: DeserializeOwned>(answer: &Response<Vec<u8>>) -> Result<T, Trouble> {
    serde_json::from_slice(answer.body()).map_err(|_| Trouble::OidcAnswer)
}

/// API servers check ID tokens; a client's own credentials often give none, and what is for a named audience is the other.
fn given(answer: Answer, for_audience: bool) -> Result<Given, Trouble> {
    let Answer { id_token, access_token, .. } = answer;
    let token = if for_audience { access_token.or(id_token) } else { id_token.or(access_token) };
    let token = Zeroizing::new(token.unwrap_or_default());
    // What no header can carry is no token.
    if token.is_empty() || !token.bytes().all(|byte| (b'!'..=b'~').contains(&byte)) {
        return Err(Trouble::OidcAnswer);
    }
    Ok(Given {
        token,
        refresh: answer.refresh_token.filter(|next| !next.is_empty()).map(Zeroizing::new),
        expires_in: answer.expires_in.map(Duration::from_secs),
    })
}

/// The ways that the provider knows, in the order in which they are tried. Where it does not say, the header is meant.
fn ways(provider: &Provider, metadata: &Metadata) -> Vec<Shown> {
    if provider.client_secret.is_none() {
        return vec![Shown::Name];
    }
    let Some(known) = &metadata.token_endpoint_auth_methods_supported else {
        return vec![Shown::Header, Shown::Form];
    };
    let ways = [("client_secret_basic", Shown::Header), ("client_secret_post", Shown::Form)];
    let ways = ways.into_iter().filter(|(name, _)| known.iter().any(|known| known == name));
    ways.map(|(_, shown)| shown).collect()
}

fn form(
    provider: &Provider,
    shown: Shown,
    scope: Option<&str>,
) -> Result<Zeroizing<String>, Trouble> {
    let refresh = provider.refresh_token.as_ref().map(super::super::credentials::Renewable::get);
    let mut fields = Vec::with_capacity(6);
    match &refresh {
        Some(token) => {
            fields.extend([("grant_type", "refresh_token"), ("refresh_token", token.as_str())]);
        }
        None => fields.push(("grant_type", "client_credentials")),
    }
    fields.extend(scope.map(|scope| ("scope", scope)));
    fields.extend(provider.audience.as_deref().map(|audience| ("audience", audience)));
    if shown != Shown::Header {
        fields.push(("client_id", provider.client_id.as_str()));
    }
    if let (Shown::Form, Some(secret)) = (shown, &provider.client_secret) {
        fields.push(("client_secret", secret.as_str()));
    }
    serde_html_form::to_string(fields).map(Zeroizing::new).map_err(|_| Trouble::Oidc)
}

/// RFC 6749, 2.3.1: both parts are written as in a form before they are joined.
fn basic(provider: &Provider) -> Result<http::HeaderValue, Trouble> {
    let written =
        |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let secret = Zeroizing::new(written(provider.client_secret.as_deref().unwrap_or_default()));
    let pair = Zeroizing::new(format!("{}:{}", written(&provider.client_id), *secret));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = http::HeaderValue::from_str(&text).map_err(|_| Trouble::OidcClient)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(secret: Option<&str>) -> Provider {
        Provider {
            issuer: "https://idp.example".to_owned(),
            client_id: "a b".to_owned(),
            client_secret: secret.map(str::to_owned),
            refresh_token: None,
            scope: None,
            audience: None,
        }
    }

    fn metadata(known: Option<&[&str]>) -> Metadata {
        let known = known.map(|known| known.iter().map(|&name| name.to_owned()).collect());
        Metadata {
            issuer: String::new(),
            token_endpoint: String::new(),
            token_endpoint_auth_methods_supported: known,
        }
    }

    #[test]
    fn a_secret_is_shown_in_a_way_that_the_provider_knows() {
        let secret = provider(Some("s:c/r+"));
        let both = [Shown::Header, Shown::Form];
        assert_eq!(ways(&secret, &metadata(None)), both);
        assert_eq!(ways(&secret, &metadata(Some(&["client_secret_post"]))), [Shown::Form]);
        assert_eq!(ways(&secret, &metadata(Some(&["private_key_jwt"]))), []);
        assert_eq!(ways(&provider(None), &metadata(None)), [Shown::Name]);
        let header = basic(&secret).expect("a header");
        let shown = header.to_str().expect("ASCII").strip_prefix("Basic ").expect("basic");
        let shown = STANDARD.decode(shown).expect("base64");
        assert_eq!(String::from_utf8(shown).expect("text"), "a+b:s%3Ac%2Fr%2B");
        let form = form(&secret, Shown::Header, Some("openid")).expect("a form");
        assert_eq!(form.as_str(), "grant_type=client_credentials&scope=openid");
    }
}

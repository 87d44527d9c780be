//! Leaving for the provider, coming back, and what the provider posts. Thin: judges the shape of a request and writes
//! cookies; everything else is [`SignIn`]'s. Codes and tokens come by here and must not be logged.

use std::sync::Arc;

use app::{
    error::{ApiError, Conflict, SignInFailure, Thing},
    paths,
};
use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE, USER_AGENT},
};

use super::{
    OidcError,
    sign_in::{FLOW_LASTS, Return, SignIn, SignInError},
};
use crate::{
    config::Config,
    console::Console,
    identity::forms::of_session,
    web::{Failed, arrival::Arrival, cookies, json, pages, query},
};

pub const START: &str = "/sign-in/oidc";
pub const CALLBACK: &str = "/sign-in/oidc/callback";
pub const LOGOUT: &str = "/sign-in/oidc/logout";

/// Where the provider sends people back to.
pub fn callback_url(config: &Config) -> String {
    published(config, CALLBACK)
}

/// Where it sends those who signed out there.
pub fn home_url(config: &Config) -> String {
    published(config, "/")
}

fn published(config: &Config, path: &str) -> String {
    let origin = config.public_url.as_ref().map_or("", |url| url.origin.as_str());
    format!("{origin}{}{path}", config.base())
}

/// `GET /sign-in/oidc?to=…`
pub async fn depart(
    State(console): State<&'static Console>,
    arrival: Arrival,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let sign_in = configured(console)?;
    console.limits.depart(&arrival)?;
    let to = Told::read(&arrival)?.one("to")?;
    let browser = cookies::find(&headers, flow_cookie(&console.config));
    let gone = sign_in.depart(to.as_deref(), browser).await.map_err(told)?;
    let lasts = FLOW_LASTS.as_secs();
    let name = flow_cookie(&console.config);
    let cookie = cookies::set_own(&console.config, name, &gone.browser, lasts);
    let mut response = pages::lead_to(gone.url.as_str());
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// `GET /sign-in/oidc/callback?code=…&state=…`, or `error=…`
pub async fn arrive(
    State(console): State<&'static Console>,
    arrival: Arrival,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let sign_in = configured(console)?;
    let answer = Told::read(&arrival)?;
    let browser = cookies::find(&headers, flow_cookie(&console.config));
    let lost = || Failed(ApiError::SignInFailed(SignInFailure::FlowLost));
    let state = answer.one("state")?.ok_or_else(lost)?;
    if let Some(error) = answer.one("error")? {
        sign_in.give_up(&state, browser).await.map_err(told)?;
        return Err(refused_there(&error));
    }
    // RFC 9207: an answer that another provider gave.
    if answer.one("iss")?.is_some_and(|issuer| issuer != sign_in.oidc().issuer()) {
        return Err(Failed(ApiError::SignInFailed(SignInFailure::ProviderAnswer)));
    }
    let code = answer.one("code")?.ok_or_else(lost)?;
    let back = Return {
        state: &state,
        code: &code,
        browser,
        address: arrival.address,
        device: headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()),
        request_id: &arrival.request_id,
    };
    let arrived = sign_in.arrive(back).await.map_err(told)?;
    let cookie = of_session(console, &arrived.token, arrived.expires_at);
    let mut response = pages::lead_to(&arrived.to.unwrap_or_else(paths::home));
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// `POST /sign-in/oidc/logout` with `logout_token=…`, from the provider itself (Back-Channel Logout §2.8).
pub async fn log_out(
    State(console): State<&'static Console>,
    request: Request,
) -> Result<Response, Failed> {
    let sign_in = configured(console)?;
    if !is_form(request.headers()) {
        return Err(Failed(ApiError::UnsupportedMediaType));
    }
    let body = json::body(request, &()).await?;
    let mut tokens = url::form_urlencoded::parse(&body)
        .filter_map(|(name, value)| (name == "logout_token").then(|| value.into_owned()));
    // One that stands there twice is none.
    let token = tokens.next().filter(|_| tokens.next().is_none()).unwrap_or_default();
    let mut response = match sign_in.log_out(&token).await {
        Ok(ended) => {
            tracing::info!(ended, "the provider told of a sign-out");
            StatusCode::OK.into_response()
        }
        Err(error @ SignInError::Provider(OidcError::Unreachable { .. })) => {
            return Err(told(error));
        }
        Err(error @ SignInError::Provider(_)) => {
            tracing::warn!(%error, "a logout token was not believed");
            let json = HeaderValue::from_static("application/json");
            let body = r#"{"error":"invalid_request"}"#;
            (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, json)], body).into_response()
        }
        Err(error) => return Err(told(error)),
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn configured(console: &'static Console) -> Result<&'static Arc<SignIn>, Failed> {
    let sign_in = console.oidc.as_ref().ok_or(Failed(ApiError::NotFound(Thing::Page)))?;
    if console.config.read_only {
        return Err(Failed(ApiError::Conflict(Conflict::ReadOnly)));
    }
    Ok(sign_in)
}

/// Logs the detail; the person gets the sentence.
fn told(error: SignInError) -> Failed {
    match &error {
        SignInError::Store(_) | SignInError::Sealed(_) => {
            tracing::error!(%error, "a sign-in failed on our side");
        }
        _ => tracing::info!(%error, "nobody was signed in"),
    }
    Failed(error.into())
}

/// The provider's word is logged only where it is one of the words of the protocol.
fn refused_there(error: &str) -> Failed {
    const WORDS: [&str; 9] = [
        "access_denied",
        "consent_required",
        "interaction_required",
        "invalid_request",
        "invalid_scope",
        "login_required",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
    ];
    let word = WORDS.into_iter().find(|word| *word == error).unwrap_or("something else");
    tracing::info!(error = word, "the provider let nobody in");
    let failure = match word {
        "server_error" | "temporarily_unavailable" => SignInFailure::ProviderUnreachable,
        _ => SignInFailure::ProviderRefused,
    };
    Failed(ApiError::SignInFailed(failure))
}

/// What stands in the address. A name that stands there twice was put there by somebody else.
struct Told(Vec<(String, String)>);

impl Told {
    fn read(arrival: &Arrival) -> Result<Self, Failed> {
        Ok(Self(query::pairs(arrival.query.as_deref().unwrap_or_default())?))
    }

    fn one(&self, name: &str) -> Result<Option<String>, Failed> {
        let mut found = self.0.iter().filter(|(key, _)| key == name);
        let first = found.next().map(|(_, value)| value.clone());
        match found.next() {
            None => Ok(first),
            Some(_) => Err(Failed(ApiError::SignInFailed(SignInFailure::FlowLost))),
        }
    }
}

fn flow_cookie(config: &Config) -> &'static str {
    let https = config.public_url.as_ref().is_some_and(|url| url.https);
    if https { "__Host-qd_flow" } else { "qd_flow" }
}

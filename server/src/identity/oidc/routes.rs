//! Leaving for the provider, coming back, and what the provider posts. Thin: judges the shape of a request and writes
//! cookies; everything else is [`SignIn`]'s. Codes and tokens come by here and must not be logged.

use std::sync::Arc;

use app::{
    error::{ApiError, Conflict, SignInFailure, Thing},
    paths,
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE, USER_AGENT},
};

use super::sign_in::{FLOW_LASTS, Return, SignIn, SignInError};
use crate::{
    config::Config,
    console::Console,
    identity::callers::session_cookie,
    web::{Failed, arrival::Arrival, cookies, query},
};

pub const START: &str = "/sign-in/oidc";
pub const CALLBACK: &str = "/sign-in/oidc/callback";
pub const LOGOUT: &str = "/sign-in/oidc/logout";

/// Where the provider sends people back to.
pub fn callback_url(config: &Config) -> String {
    let origin = config.public_url.as_ref().map_or("", |url| url.origin.as_str());
    format!("{origin}{}{CALLBACK}", config.base())
}

/// `GET /sign-in/oidc?to=…`
pub async fn depart(
    State(console): State<&'static Console>,
    arrival: Arrival,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let sign_in = configured(console)?;
    let to = Told::read(&arrival)?.one("to")?;
    let browser = cookies::find(&headers, flow_cookie(&console.config));
    let gone = sign_in.depart(to.as_deref(), browser).await.map_err(told)?;
    let lasts = FLOW_LASTS.as_secs();
    let cookie = cookie(&console.config, flow_cookie(&console.config), &gone.browser, lasts)?;
    let mut response = see_other(gone.url.as_str())?;
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
    let left = arrived.expires_at.since(console.clock.now()).max(0) / app::time::Micros::SECOND;
    let name = session_cookie(&console.config);
    let cookie = cookie(&console.config, name, arrived.token.reveal(), left.unsigned_abs())?;
    let mut response = see_other(&arrived.to.unwrap_or_else(paths::home))?;
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// `POST /sign-in/oidc/logout` with `logout_token=…`, from the provider itself (Back-Channel Logout §2.8).
pub async fn log_out(
    State(console): State<&'static Console>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, Failed> {
    let sign_in = configured(console)?;
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(Failed(ApiError::UnsupportedMediaType));
    }
    let token = url::form_urlencoded::parse(body.as_bytes())
        .find_map(|(name, value)| (name == "logout_token").then(|| value.into_owned()));
    let ended = sign_in.log_out(&token.unwrap_or_default()).await;
    let (status, body) = match ended {
        Ok(ended) => {
            tracing::info!(ended, "the provider told of a sign-out");
            (StatusCode::OK, "")
        }
        Err(error @ SignInError::Provider(_)) => {
            tracing::warn!(%error, "a logout token was not believed");
            (StatusCode::BAD_REQUEST, r#"{"error":"invalid_request"}"#)
        }
        Err(error) => return Err(told(error)),
    };
    let json = HeaderValue::from_static("application/json");
    let never = HeaderValue::from_static("no-store");
    Ok((status, [(CONTENT_TYPE, json), (CACHE_CONTROL, never)], body).into_response())
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

/// Lax: the way back from the provider is a link from another site.
fn cookie(config: &Config, name: &str, value: &str, seconds: u64) -> Result<HeaderValue, Failed> {
    let secure =
        if config.public_url.as_ref().is_some_and(|url| url.https) { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).map_err(Failed::internal)
}

fn see_other(to: &str) -> Result<Response, Failed> {
    let to = HeaderValue::from_str(to).map_err(Failed::internal)?;
    let never = HeaderValue::from_static("no-store");
    Ok((StatusCode::SEE_OTHER, [(LOCATION, to), (CACHE_CONTROL, never)]).into_response())
}

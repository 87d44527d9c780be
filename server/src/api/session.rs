//! Signing in over JSON, and who one is. Thin: reads the request, asks, answers.

use app::identity::model::{Me, NewSession};
use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{
    HeaderMap, StatusCode,
    header::{SET_COOKIE, USER_AGENT},
};

use crate::{
    console::Console,
    identity::{Asking, callers::session_cookie, forms::of_session, local::Knock},
    web::{Failed, arrival::Arrival, cookies, errors::ErrorResponse, json::Json, query::Query},
};

/// Signs in with name and password: the answer sets the session's cookie.
#[utoipa::path(
    post,
    path = "/api/v1/session",
    tag = "identity",
    security(()),
    request_body = NewSession,
    responses(
        (status = 201, description = "Signed in", headers(("Set-Cookie" = String, description = "The session"))),
        (status = 401, body = ErrorResponse, description = "Name and password do not belong together"),
        (status = 409, body = ErrorResponse, description = "The console runs read-only"),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
        (status = 429, body = ErrorResponse, description = "Too many wrong tries; `Retry-After` says how long to wait"),
    )
)]
pub async fn begin(
    State(console): State<&'static Console>,
    arrival: Arrival,
    query: Query,
    headers: HeaderMap,
    Json(asked): Json<NewSession>,
) -> Result<Response, Failed> {
    query.none()?;
    let knock = Knock {
        address: arrival.address,
        device: headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()),
        request_id: &arrival.request_id,
    };
    let password = zeroize::Zeroizing::new(asked.password);
    let begun = console.accounts.accounts.sign_in(&asked.name, &password, knock).await?;
    let mut response = StatusCode::CREATED.into_response();
    response.headers_mut().append(SET_COOKIE, of_session(console, &begun.token, begun.expires_at));
    Ok(response)
}

/// Ends the session that asks.
#[utoipa::path(
    delete,
    path = "/api/v1/session",
    tag = "identity",
    responses(
        (status = 204, description = "Signed out; a key that asks stays as it is"),
        (status = 401, body = ErrorResponse),
    )
)]
pub async fn end(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Response, Failed> {
    query.none()?;
    console.accounts.sign_out(&caller).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    let cookie = cookies::clear_own(&console.config, session_cookie(&console.config));
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// Who asks, and what they may do.
#[utoipa::path(
    get,
    path = "/api/v1/me",
    tag = "identity",
    responses((status = 200, body = Me), (status = 401, body = ErrorResponse))
)]
pub async fn me(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Me>, Failed> {
    query.none()?;
    Ok(Json(console.accounts.me(&caller).await?))
}

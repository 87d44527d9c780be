//! From an [`ApiError`] to what the client gets: by the prefix of the address, whoever refused.
//!
//! | prefix | body |
//! |---|---|
//! | `/api/ui/…` | the error itself as JSON, since an island of ours reads it |
//! | `/api/…`, `/events/…` | seed 002's `ErrorResponse` |
//! | anything else | a page, drawn by the shell |

use app::{
    error::{ApiError, Rule, Violation},
    paths,
    time::Micros,
};
use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};
use leptos::server_fn::error::FromServerFnError as _;
use serde::Serialize;
use utoipa::ToSchema;

use super::{arrival::Arrival, pages};
use crate::console::Console;

/// What a handler or a layer answers when it does not do what was asked.
#[derive(Clone, Debug)]
pub struct Failed(pub ApiError);

impl From<ApiError> for Failed {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl Failed {
    /// Something that must not happen did: the cause goes to the log, the client gets the request's id.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed on our side");
        Self(ApiError::Internal(String::new()))
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status(&error);
        response.extensions_mut().insert(error);
        response
    }
}

/// Seed 002's error body.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorResponse {
    #[schema(example = "OPERATION_NOT_FOUND")]
    pub error_code: &'static str,
    #[schema(example = "Operation not found.")]
    pub message: String,
    pub details: ErrorDetails,
    /// The W3C trace id of the request; the server's log has it too.
    pub trace_id: String,
    pub timestamp: Micros,
}

/// Which fields broke which rules; empty when the error is not about fields.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ErrorDetails {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<ExplainedViolation>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ExplainedViolation {
    /// As the client spelled it.
    #[schema(example = "type")]
    pub field: String,
    #[serde(flatten)]
    pub rule: Rule,
    /// The rule as a sentence.
    pub message: String,
}

/// The layer that gives a failed answer its body.
pub async fn layer(
    State(console): State<&'static Console>,
    arrival: Arrival,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    let Some(error) = response.extensions_mut().remove::<ApiError>() else { return response };
    let error = named(error, &arrival);
    let mut shaped = match arrival.path.as_str() {
        path if path.starts_with("/api/ui/") => of_server_fn(&error),
        path if path.starts_with("/api/") || path.starts_with("/events/") => {
            json(&error, &arrival, console.clock.now())
        }
        _ if error == ApiError::SignIn => return to_sign_in(&arrival),
        _ => pages::failed(console, &arrival, &error).await,
    };
    *shaped.status_mut() = response.status();
    // `Allow` of a wrong method, cookies that were to be cleared.
    for (name, value) in response.headers() {
        if !matches!(*name, http::header::CONTENT_LENGTH | CONTENT_TYPE) {
            shaped.headers_mut().append(name, value.clone());
        }
    }
    let retry = match error {
        ApiError::RateLimited { retry_after_s } => Some(retry_after_s),
        ApiError::Unavailable(_) => Some(5),
        _ => None,
    };
    if let Some(seconds) = retry {
        shaped.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    shaped.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    shaped
}

/// An error on our side is told by the id under which the log has it.
fn named(error: ApiError, arrival: &Arrival) -> ApiError {
    match error {
        ApiError::Internal(id) if id.is_empty() => {
            ApiError::Internal(arrival.trace.trace_id.clone())
        }
        error => error,
    }
}

/// A page that needs somebody leads to where one becomes somebody, and back afterwards.
fn to_sign_in(arrival: &Arrival) -> Response {
    let asked = arrival
        .query
        .as_ref()
        .map_or_else(|| arrival.path.clone(), |query| format!("{}?{query}", arrival.path));
    // What a form wanted to do is not done by coming back.
    let reads = matches!(arrival.method, http::Method::GET | http::Method::HEAD);
    pages::lead_to(&paths::sign_in(reads.then_some(asked.as_str())))
}

pub fn status(error: &ApiError) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn of_server_fn(error: &ApiError) -> Response {
    let parts = error.ser();
    let content_type = HeaderValue::from_static(parts.content_type);
    ([(CONTENT_TYPE, content_type)], parts.body).into_response()
}

fn json(error: &ApiError, arrival: &Arrival, now: Micros) -> Response {
    let violations = match error {
        ApiError::Invalid(violations) => violations.as_slice(),
        _ => &[],
    };
    let explained = |violation: &Violation| ExplainedViolation {
        field: violation.field.clone(),
        rule: violation.rule.clone(),
        message: violation.sentence(),
    };
    let body = ErrorResponse {
        error_code: error.code(),
        message: error.to_string(),
        details: ErrorDetails { violations: violations.iter().map(explained).collect() },
        trace_id: arrival.trace.trace_id.clone(),
        timestamp: now,
    };
    axum::Json(body).into_response()
}

//! Operations over JSON: the same service, permits and answers as the pages. Thin: reads the request, asks,
//! answers.

use app::{
    error::{ApiError, Expected, Rule},
    identity::permit,
    operations::{
        Operations as _, View,
        model::{OperationRun, OperationType, StartOperation},
    },
    paths,
};
use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header::LOCATION};

use crate::{
    console::Console,
    identity::Asking,
    web::{Failed, errors::ErrorResponse, json::Json, query::Query},
};

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// What can be started here, and whether you may.
#[utoipa::path(
    get,
    path = "/api/v1/operations/types",
    tag = "operations",
    responses(
        (status = 200, body = Vec<OperationType>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
    )
)]
pub async fn types(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Vec<OperationType>>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.operations.catalog(&permit).await?))
}

/// Starts an operation. Needs the type's own capability.
///
/// With an `Idempotency-Key`, the same request again answers 200 with the operation that the first one made.
#[utoipa::path(
    post,
    path = "/api/v1/operations",
    tag = "operations",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 200 printable characters", min_length = 1, max_length = 200),
    ),
    request_body = StartOperation,
    responses(
        (status = 201, body = OperationRun, headers(("Location" = String, description = "The operation"))),
        (status = 200, body = OperationRun, description = "This key made it before"),
        (status = 400, body = ErrorResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "The workspace or tenant is not there, or not within reach"),
        (status = 409, body = ErrorResponse, description = "The key was used for another request"),
        (status = 415, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
        (status = 503, body = ErrorResponse),
    )
)]
pub async fn start(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
    headers: HeaderMap,
    Json(request): Json<StartOperation>,
) -> Result<Response, Failed> {
    query.none()?;
    let key = idempotency_key(&headers)?;
    let started = console.operations.start(&caller, request, key).await?;
    let status = if started.created { StatusCode::CREATED } else { StatusCode::OK };
    let location = paths::api_operation(started.run.id);
    let mut response = (status, Json(started.run)).into_response();
    // Our own addresses are ASCII.
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// One key at most: of two, which one counts?
fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    if keys.next().is_some() {
        return Err(ApiError::invalid(IDEMPOTENCY_KEY, Rule::Repeated));
    }
    let unreadable = Rule::Malformed { expected: Expected::Text };
    key.to_str().map(Some).map_err(|_| ApiError::invalid(IDEMPOTENCY_KEY, unreadable))
}

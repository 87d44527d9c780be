//! Triage over JSON: the same decisions as in the detail page's header. Thin.

use app::{
    operations::{
        Operations as _, View,
        model::OperationDetail,
        triage::{CancelOperation, Cancelled, InvestigateOperation, RetryOperation, Triages as _},
    },
    paths,
};
use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header::LOCATION};

use crate::{
    console::Console,
    identity::Asking,
    web::{
        Failed,
        errors::ErrorResponse,
        json::{Json, OptionalJson},
        query::{PathId, Query},
    },
};

/// Tries a failed operation again.
///
/// Queues a new one that does the same. Of two requests at once one answers 201, the other 200 with the same
/// operation; one that was tried again before answers 409 and names the newest.
#[utoipa::path(
    post,
    path = "/api/v1/operations/{id}/retry",
    tag = "operations",
    params(("id" = i64, Path, description = "The operation's number")),
    request_body = RetryOperation,
    responses(
        (status = 201, body = app::operations::model::OperationRun, headers(("Location" = String, description = "The new operation"))),
        (status = 200, body = app::operations::model::OperationRun, description = "Another request at the same moment made it"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
        (status = 409, body = ErrorResponse, description = "It did not fail, cannot be tried again, or was"),
        (status = 422, body = ErrorResponse, description = "A type that is not safe to do twice asks for a reason"),
        (status = 503, body = ErrorResponse),
    )
)]
pub async fn retry(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathId(id): PathId,
    query: Query,
    OptionalJson(request): OptionalJson<RetryOperation>,
) -> Result<Response, Failed> {
    query.none()?;
    let retried = console.operations.retry(&caller, id, request).await?;
    let status = if retried.created { StatusCode::CREATED } else { StatusCode::OK };
    let location = paths::api_operation(retried.run.id);
    let mut response = (status, Json(retried.run)).into_response();
    // Our own addresses are ASCII.
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Cancels an operation.
///
/// One that is queued has ended with the answer (200). One that runs is asked to end (202); it has when its worker
/// follows or is lost.
#[utoipa::path(
    post,
    path = "/api/v1/operations/{id}/cancel",
    tag = "operations",
    params(("id" = i64, Path, description = "The operation's number")),
    request_body = CancelOperation,
    responses(
        (status = 200, body = OperationDetail, description = "It has ended"),
        (status = 202, body = OperationDetail, description = "Its worker was asked"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
        (status = 409, body = ErrorResponse, description = "It has ended, moved on, or cannot be cancelled"),
        (status = 503, body = ErrorResponse),
    )
)]
pub async fn cancel(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathId(id): PathId,
    query: Query,
    OptionalJson(request): OptionalJson<CancelOperation>,
) -> Result<Response, Failed> {
    query.none()?;
    let status = match console.operations.cancel(&caller, id, request).await? {
        Cancelled::Ended => StatusCode::OK,
        Cancelled::Asked => StatusCode::ACCEPTED,
    };
    Ok((status, now(console, &caller, id).await?).into_response())
}

/// Ends an operation whose worker has not followed a cancellation for a minute.
#[utoipa::path(
    post,
    path = "/api/v1/operations/{id}/end",
    tag = "operations",
    params(("id" = i64, Path, description = "The operation's number")),
    request_body = CancelOperation,
    responses(
        (status = 200, body = OperationDetail),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
        (status = 409, body = ErrorResponse, description = "It has ended, or its worker still has time to follow"),
        (status = 503, body = ErrorResponse),
    )
)]
pub async fn end_anyway(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathId(id): PathId,
    query: Query,
    OptionalJson(request): OptionalJson<CancelOperation>,
) -> Result<Json<OperationDetail>, Failed> {
    query.none()?;
    console.operations.end_anyway(&caller, id, request).await?;
    now(console, &caller, id).await
}

/// Notes that somebody looked into an operation; it leaves the open work.
#[utoipa::path(
    post,
    path = "/api/v1/operations/{id}/investigate",
    tag = "operations",
    params(("id" = i64, Path, description = "The operation's number")),
    request_body = InvestigateOperation,
    responses(
        (status = 200, body = OperationDetail),
        (status = 400, body = ErrorResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
        (status = 409, body = ErrorResponse, description = "It is not as `expected`"),
        (status = 422, body = ErrorResponse, description = "The reason has 5 to 500 characters"),
        (status = 503, body = ErrorResponse),
    )
)]
pub async fn investigate(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathId(id): PathId,
    query: Query,
    Json(request): Json<InvestigateOperation>,
) -> Result<Json<OperationDetail>, Failed> {
    query.none()?;
    console.operations.investigate(&caller, id, request).await?;
    now(console, &caller, id).await
}

/// How the operation stands after the decision.
async fn now(
    console: &Console,
    caller: &app::identity::Caller,
    id: i64,
) -> Result<Json<OperationDetail>, Failed> {
    let permit = app::identity::permit::<View>(caller).await?;
    Ok(Json(console.operations.get(&permit, id).await?))
}

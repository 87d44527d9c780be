//! Runbooks over JSON: the same service, permits and answers as the pages.

use app::{
    error::{ApiError, Expected, Rule, Violation},
    identity::permit,
    operations::{
        View,
        runbooks::{ManageRunbooks, Runbook, RunbookVersion, Runbooks as _, SaveRunbook},
    },
};
use axum::extract::State;

use crate::{
    console::Console,
    identity::Asking,
    web::{
        Failed,
        errors::ErrorResponse,
        json::Json,
        query::{PathText, Query},
    },
};

/// The console's own workspace, where none is named.
const PLATFORM: i64 = 1;

fn workspace(query: Query) -> Result<i64, ApiError> {
    let (mut found, mut violations) = (None, Vec::new());
    for (key, value) in query.0 {
        match (key.as_str(), value.parse::<i64>()) {
            ("workspace_id", _) if found.is_some() => {
                violations.push(Violation::new(key, Rule::Repeated));
            }
            ("workspace_id", Ok(id)) => found = Some(id),
            ("workspace_id", Err(_)) => {
                let expected = Expected::Integer;
                violations.push(Violation::new(key, Rule::Malformed { expected }));
            }
            _ => violations.push(Violation::new(key, Rule::UnknownField)),
        }
    }
    if violations.is_empty() {
        Ok(found.unwrap_or(PLATFORM))
    } else {
        Err(ApiError::Invalid(violations))
    }
}

/// The runbook of every type, as it counts in a workspace.
#[utoipa::path(
    get,
    path = "/api/v1/runbooks",
    tag = "runbooks",
    params(("workspace_id" = Option<i64>, Query, description = "1 (`platform`) when absent")),
    responses(
        (status = 200, body = Vec<Runbook>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "The workspace is not there, or not within reach"),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn list(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Vec<Runbook>>, Failed> {
    let workspace_id = workspace(query)?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.operations.all(&permit, workspace_id).await?))
}

/// The runbook of one type, as it counts in a workspace.
#[utoipa::path(
    get,
    path = "/api/v1/runbooks/{type}",
    tag = "runbooks",
    params(
        ("type" = String, Path, description = "The operation type", example = "system.self_check"),
        ("workspace_id" = Option<i64>, Query, description = "1 (`platform`) when absent"),
    ),
    responses(
        (status = 200, body = Runbook),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "The type or the workspace is not there, or not within reach"),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn get(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(kind): PathText,
    query: Query,
) -> Result<Json<Runbook>, Failed> {
    let workspace_id = workspace(query)?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.operations.runbook(&permit, &kind, workspace_id).await?))
}

/// Writes what the workspace says instead of the product. Needs `platform.runbooks.manage` there.
///
/// Each saving is a version and stays to be read; the same text again is no new one. An empty text brings the
/// product's back.
#[utoipa::path(
    put,
    path = "/api/v1/runbooks/{type}",
    tag = "runbooks",
    params(
        ("type" = String, Path, description = "The operation type", example = "system.self_check"),
        ("workspace_id" = Option<i64>, Query, description = "1 (`platform`) when absent"),
    ),
    request_body = SaveRunbook,
    responses(
        (status = 200, body = Runbook),
        (status = 400, body = ErrorResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "The type or the workspace is not there, or not within reach"),
        (status = 409, body = ErrorResponse, description = "Somebody else saved since this version was read, or the workspace is archived"),
        (status = 415, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn save(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(kind): PathText,
    query: Query,
    Json(save): Json<SaveRunbook>,
) -> Result<Json<Runbook>, Failed> {
    let workspace_id = workspace(query)?;
    let permit = permit::<ManageRunbooks>(&caller).await?;
    Ok(Json(console.operations.save(&permit, &kind, workspace_id, save).await?))
}

/// What a workspace wrote about a type, newest first: at most 200 versions.
#[utoipa::path(
    get,
    path = "/api/v1/runbooks/{type}/versions",
    tag = "runbooks",
    params(
        ("type" = String, Path, description = "The operation type", example = "system.self_check"),
        ("workspace_id" = Option<i64>, Query, description = "1 (`platform`) when absent"),
    ),
    responses(
        (status = 200, body = Vec<RunbookVersion>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "The type or the workspace is not there, or not within reach"),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn versions(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(kind): PathText,
    query: Query,
) -> Result<Json<Vec<RunbookVersion>>, Failed> {
    let workspace_id = workspace(query)?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.operations.versions(&permit, &kind, workspace_id).await?))
}

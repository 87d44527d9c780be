//! Saved views over JSON: the same service, permits and answers as the filter bar.

use app::{
    identity::permit,
    list::Page,
    operations::{
        SavedViews, View,
        saved_views::{NewSavedView, RenameSavedView, SAVED_VIEW_FILTERS, SavedView},
    },
};
use axum::extract::State;
use http::StatusCode;

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

/// Views that are shared within your reach, and your own.
#[utoipa::path(
    get,
    path = "/api/v1/saved-views",
    tag = "saved views",
    operation_id = "list_saved_views",
    params(
        ("page" = Option<u32>, Query, description = "From 1; reaches row 10 000, then `cursor` goes on", minimum = 1),
        ("page_size" = Option<u32>, Query, description = "20 when absent", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` or `previous_cursor` of an earlier answer"),
    ),
    responses(
        (status = 200, body = Page<SavedView>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn list(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Page<SavedView>>, Failed> {
    let query = query.list(SAVED_VIEW_FILTERS)?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(SavedViews::list(&*console.operations, &permit, &query).await?))
}

/// Saves a list's filters under a name. A shared view needs `platform.operations.manage` in its workspace.
#[utoipa::path(
    post,
    path = "/api/v1/saved-views",
    tag = "saved views",
    operation_id = "create_saved_view",
    request_body = NewSavedView,
    responses(
        (status = 201, body = SavedView),
        (status = 400, body = ErrorResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "The workspace is not there, or not within reach"),
        (status = 409, body = ErrorResponse, description = "The name is taken, or the workspace is archived"),
        (status = 415, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn create(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
    Json(new): Json<NewSavedView>,
) -> Result<(StatusCode, Json<SavedView>), Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    let made = SavedViews::create(&*console.operations, &permit, new).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Gives a view another name: your own, or a shared one where you manage operations.
#[utoipa::path(
    patch,
    path = "/api/v1/saved-views/{id}",
    tag = "saved views",
    operation_id = "rename_saved_view",
    params(("id" = String, Path, description = "The view's id")),
    request_body = RenameSavedView,
    responses(
        (status = 200, body = SavedView),
        (status = 400, body = ErrorResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not yours to see"),
        (status = 409, body = ErrorResponse, description = "The name is taken"),
        (status = 415, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn rename(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
    Json(new): Json<RenameSavedView>,
) -> Result<Json<SavedView>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.operations.rename(&permit, &id, &new.name).await?))
}

/// Deletes a view: your own, or a shared one where you manage operations.
#[utoipa::path(
    delete,
    path = "/api/v1/saved-views/{id}",
    tag = "saved views",
    operation_id = "delete_saved_view",
    params(("id" = String, Path, description = "The view's id")),
    responses(
        (status = 204, description = "It is gone; what it showed is still there"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not yours to see"),
    )
)]
pub async fn delete(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
) -> Result<StatusCode, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    SavedViews::delete(&*console.operations, &permit, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! Grants over JSON: the same service, permits and answers as the pages.

use app::{
    identity::{
        Grants, Manage, View,
        model::{ConfiguredGrant, GRANT_FILTERS, Grant, NewGrant},
        permit,
    },
    list::Page,
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

/// What is granted to whom, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/grants",
    tag = "grants",
    params(
        ("page" = Option<u32>, Query, description = "From 1; reaches row 10 000, then `cursor` goes on", minimum = 1),
        ("page_size" = Option<u32>, Query, description = "20 when absent", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` or `previous_cursor` of an earlier answer"),
    ),
    responses(
        (status = 200, body = Page<Grant>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn list(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Page<Grant>>, Failed> {
    let query = query.list(GRANT_FILTERS)?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(Grants::list(&*console.admin, &permit, &query).await?))
}

/// What the configuration gives to groups of the identity provider; it is changed there.
#[utoipa::path(
    get,
    path = "/api/v1/grants/configured",
    tag = "grants",
    responses(
        (status = 200, body = Vec<ConfiguredGrant>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
    )
)]
pub async fn configured(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Vec<ConfiguredGrant>>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.admin.configured(&permit)))
}

/// Grants a role. You must hold each of its capabilities yourself, as far as the grant reaches.
#[utoipa::path(
    post,
    path = "/api/v1/grants",
    tag = "grants",
    request_body = NewGrant,
    responses(
        (status = 201, body = Grant),
        (status = 400, body = ErrorResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "The person, key or workspace is not there, or not within reach"),
        (status = 409, body = ErrorResponse, description = "Granted already, or the workspace is archived"),
        (status = 415, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn add(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
    Json(new): Json<NewGrant>,
) -> Result<(StatusCode, Json<Grant>), Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    Ok((StatusCode::CREATED, Json(Grants::add(&*console.admin, &permit, new).await?)))
}

/// Takes a grant back.
#[utoipa::path(
    delete,
    path = "/api/v1/grants/{id}",
    tag = "grants",
    params(("id" = String, Path, description = "The grant's id")),
    responses(
        (status = 204, description = "It counts no more"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
        (status = 409, body = ErrorResponse, description = "The last admin's"),
    )
)]
pub async fn remove(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
) -> Result<StatusCode, Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    Grants::remove(&*console.admin, &permit, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

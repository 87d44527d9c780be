//! API keys over JSON: the same service, permits and answers as the pages.

use app::{
    identity::{
        Keys, Manage, View,
        model::{ApiKey, KEY_FILTERS, MintedKey, NewKey},
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

/// Everybody's API keys, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/keys",
    tag = "keys",
    params(
        ("page" = Option<u32>, Query, description = "From 1; reaches row 10 000, then `cursor` goes on", minimum = 1),
        ("page_size" = Option<u32>, Query, description = "20 when absent", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` or `previous_cursor` of an earlier answer"),
    ),
    responses(
        (status = 200, body = Page<ApiKey>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn list(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Page<ApiKey>>, Failed> {
    let query = query.list(KEY_FILTERS)?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(Keys::list(&*console.admin, &permit, &query).await?))
}

/// Makes a key for a service, takes over an existing one, or makes one of your own.
#[utoipa::path(
    post,
    path = "/api/v1/keys",
    tag = "keys",
    request_body = NewKey,
    responses(
        (status = 201, body = MintedKey, description = "`token` stands here and never again"),
        (status = 400, body = ErrorResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "The workspace is not there, or not within reach; or you have no account"),
        (status = 409, body = ErrorResponse, description = "The key is known already, or the workspace is archived"),
        (status = 415, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn mint(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
    Json(new): Json<NewKey>,
) -> Result<(StatusCode, Json<MintedKey>), Failed> {
    query.none()?;
    Ok((StatusCode::CREATED, Json(console.admin.mint(&caller, new).await?)))
}

/// Revokes a key, with all that was made with it.
#[utoipa::path(
    delete,
    path = "/api/v1/keys/{id}",
    tag = "keys",
    params(("id" = String, Path, description = "The key's id")),
    responses(
        (status = 204, description = "It opens nothing any more"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
    )
)]
pub async fn revoke(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
) -> Result<StatusCode, Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    console.admin.revoke(&permit, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Your own API keys, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/me/keys",
    tag = "keys",
    params(
        ("page" = Option<u32>, Query, description = "From 1; reaches row 10 000, then `cursor` goes on", minimum = 1),
        ("page_size" = Option<u32>, Query, description = "20 when absent", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` or `previous_cursor` of an earlier answer"),
    ),
    responses(
        (status = 200, body = Page<ApiKey>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn list_own(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Page<ApiKey>>, Failed> {
    let query = query.list(KEY_FILTERS)?;
    Ok(Json(console.admin.list_own(&caller, &query).await?))
}

/// Makes a key of your own: with a subset of what you may do, and never more than you may do later.
#[utoipa::path(
    post,
    path = "/api/v1/me/keys",
    tag = "keys",
    request_body = NewKey,
    responses(
        (status = 201, body = MintedKey, description = "`token` stands here and never again"),
        (status = 400, body = ErrorResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "The workspace is not there, or not within reach; or you have no account"),
        (status = 409, body = ErrorResponse, description = "The workspace is archived"),
        (status = 415, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn mint_own(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
    Json(new): Json<NewKey>,
) -> Result<(StatusCode, Json<MintedKey>), Failed> {
    query.none()?;
    Ok((StatusCode::CREATED, Json(console.admin.mint(&caller, new).await?)))
}

/// Revokes a key of your own, with all that was made with it. A key revokes itself and what it made, no other.
#[utoipa::path(
    delete,
    path = "/api/v1/me/keys/{id}",
    tag = "keys",
    params(("id" = String, Path, description = "The key's id")),
    responses(
        (status = 204, description = "It opens nothing any more"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not yours"),
    )
)]
pub async fn revoke_own(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
) -> Result<StatusCode, Failed> {
    query.none()?;
    console.admin.revoke_own(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

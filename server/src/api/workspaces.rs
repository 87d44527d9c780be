//! Workspaces and tenants over JSON: the same service, permits and answers as the pages.

use app::{
    identity::{View, permit},
    list::Page,
    settings::Manage,
    workspaces::{
        Workspaces as _,
        model::{FILTERS, NewTenant, NewWorkspace, Rename, TENANT_FILTERS, Tenant, Workspace},
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
        query::{PathId, Query},
    },
};

/// Workspaces within reach, in the order of their names.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces",
    tag = "workspaces",
    params(
        ("page" = Option<u32>, Query, description = "From 1; reaches row 10 000, then `cursor` goes on", minimum = 1),
        ("page_size" = Option<u32>, Query, description = "20 when absent", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` or `previous_cursor` of an earlier answer"),
    ),
    responses(
        (status = 200, body = Page<Workspace>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn list(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Page<Workspace>>, Failed> {
    let query = query.list(FILTERS)?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.workspaces.list(&permit, &query).await?))
}

/// One workspace.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{id}",
    tag = "workspaces",
    params(("id" = i64, Path, description = "The workspace's number")),
    responses(
        (status = 200, body = Workspace),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
    )
)]
pub async fn get(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathId(id): PathId,
    query: Query,
) -> Result<Json<Workspace>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.workspaces.get(&permit, id).await?))
}

/// Creates a workspace.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces",
    tag = "workspaces",
    request_body = NewWorkspace,
    responses(
        (status = 201, body = Workspace),
        (status = 400, body = ErrorResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 409, body = ErrorResponse, description = "The name is taken"),
        (status = 415, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn create(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
    Json(new): Json<NewWorkspace>,
) -> Result<(StatusCode, Json<Workspace>), Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    Ok((StatusCode::CREATED, Json(console.workspaces.create(&permit, new).await?)))
}

/// Gives it another name.
#[utoipa::path(
    patch,
    path = "/api/v1/workspaces/{id}",
    tag = "workspaces",
    params(("id" = i64, Path, description = "The workspace's number")),
    request_body = Rename,
    responses(
        (status = 204, description = "It has this name"),
        (status = 400, body = ErrorResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there"),
        (status = 409, body = ErrorResponse, description = "The name is taken, or it is built in"),
        (status = 415, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn rename(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathId(id): PathId,
    query: Query,
    Json(change): Json<Rename>,
) -> Result<StatusCode, Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    console.workspaces.rename(&permit, id, &change.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Archives it: it takes nothing new, and what it has stays to be read.
#[utoipa::path(
    delete,
    path = "/api/v1/workspaces/{id}",
    tag = "workspaces",
    params(("id" = i64, Path, description = "The workspace's number")),
    responses(
        (status = 204, description = "It is archived"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there"),
        (status = 409, body = ErrorResponse, description = "It is built in"),
    )
)]
pub async fn archive(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathId(id): PathId,
    query: Query,
) -> Result<StatusCode, Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    console.workspaces.archive(&permit, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tenants within reach, in the order of their names.
#[utoipa::path(
    get,
    path = "/api/v1/tenants",
    tag = "tenants",
    params(
        ("page" = Option<u32>, Query, description = "From 1; reaches row 10 000, then `cursor` goes on", minimum = 1),
        ("page_size" = Option<u32>, Query, description = "20 when absent", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` or `previous_cursor` of an earlier answer"),
    ),
    responses(
        (status = 200, body = Page<Tenant>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn tenants_list(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Page<Tenant>>, Failed> {
    let query = query.list(TENANT_FILTERS)?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.workspaces.tenants(&permit, &query).await?))
}

/// One tenant.
#[utoipa::path(
    get,
    path = "/api/v1/tenants/{id}",
    tag = "tenants",
    params(("id" = i64, Path, description = "The tenant's number")),
    responses(
        (status = 200, body = Tenant),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
    )
)]
pub async fn tenants_get(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathId(id): PathId,
    query: Query,
) -> Result<Json<Tenant>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.workspaces.tenant(&permit, id).await?))
}

/// Creates a tenant.
#[utoipa::path(
    post,
    path = "/api/v1/tenants",
    tag = "tenants",
    request_body = NewTenant,
    responses(
        (status = 201, body = Tenant),
        (status = 400, body = ErrorResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "The workspace is not there"),
        (status = 409, body = ErrorResponse, description = "The name is taken, or the workspace is archived"),
        (status = 415, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn tenants_create(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
    Json(new): Json<NewTenant>,
) -> Result<(StatusCode, Json<Tenant>), Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    Ok((StatusCode::CREATED, Json(console.workspaces.create_tenant(&permit, new).await?)))
}

/// Gives it another name.
#[utoipa::path(
    patch,
    path = "/api/v1/tenants/{id}",
    tag = "tenants",
    params(("id" = i64, Path, description = "The tenant's number")),
    request_body = Rename,
    responses(
        (status = 204, description = "It has this name"),
        (status = 400, body = ErrorResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there"),
        (status = 409, body = ErrorResponse, description = "The name is taken"),
        (status = 415, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn tenants_rename(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathId(id): PathId,
    query: Query,
    Json(change): Json<Rename>,
) -> Result<StatusCode, Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    console.workspaces.rename_tenant(&permit, id, &change.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Archives it: it takes nothing new, and what it has stays to be read.
#[utoipa::path(
    delete,
    path = "/api/v1/tenants/{id}",
    tag = "tenants",
    params(("id" = i64, Path, description = "The tenant's number")),
    responses(
        (status = 204, description = "It is archived"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there"),
    )
)]
pub async fn tenants_archive(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathId(id): PathId,
    query: Query,
) -> Result<StatusCode, Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    console.workspaces.archive_tenant(&permit, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

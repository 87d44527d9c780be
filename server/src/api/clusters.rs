//! Clusters over JSON: the same service, permits and answers as the pages. No address here
//! answers with what opens a cluster.

use app::{
    fleet::{
        Clusters as _, Manage, Registrations as _, View,
        credentials::{CredentialMeta, NewCredential},
        drafts::{ImportClusters, Imported},
        model::{Cluster, ClusterStatus, FILTERS},
        preflight::Validation,
        registration::{ChangeCluster, NewCluster},
    },
    identity::permit,
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

/// What became of each context.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct ImportedClusters {
    pub items: Vec<Imported>,
}

/// Clusters within reach, in the order of their names.
#[utoipa::path(
    get,
    path = "/api/v1/clusters",
    tag = "clusters",
    params(
        ("page" = Option<u32>, Query, description = "From 1; reaches row 10 000, then `cursor` goes on", minimum = 1),
        ("page_size" = Option<u32>, Query, description = "20 when absent", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` or `previous_cursor` of an earlier answer"),
    ),
    responses(
        (status = 200, body = Page<Cluster>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn list(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Page<Cluster>>, Failed> {
    let query = query.list(FILTERS)?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.fleet.list(&permit, &query).await?))
}

/// Registers a cluster, with what opens it where that is given.
#[utoipa::path(
    post,
    path = "/api/v1/clusters",
    tag = "clusters",
    request_body = NewCluster,
    responses(
        (status = 201, body = Cluster),
        (status = 400, body = ErrorResponse, description = "The API server does not take the credential"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "The workspace or tenant is not there"),
        (status = 409, body = ErrorResponse, description = "The name or external id is taken"),
        (status = 415, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn create(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
    Json(new): Json<NewCluster>,
) -> Result<(StatusCode, Json<Cluster>), Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    Ok((StatusCode::CREATED, Json(console.fleet.create(&permit, new).await?)))
}

/// Registers clusters of one kubeconfig, each named after its context. Each is looked at; what its API server refuses
/// is not registered, and the answer says so.
#[utoipa::path(
    post,
    path = "/api/v1/clusters/import",
    tag = "clusters",
    request_body = ImportClusters,
    responses(
        (status = 200, body = ImportedClusters),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "The workspace is not there"),
        (status = 415, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn import(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
    Json(import): Json<ImportClusters>,
) -> Result<Json<ImportedClusters>, Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    Ok(Json(ImportedClusters { items: console.fleet.import(&permit, import).await? }))
}

/// One cluster.
#[utoipa::path(
    get,
    path = "/api/v1/clusters/{id}",
    tag = "clusters",
    params(("id" = String, Path, description = "The cluster's id")),
    responses(
        (status = 200, body = Cluster),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
    )
)]
pub async fn get(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
) -> Result<Json<Cluster>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.fleet.get(&permit, &id).await?))
}

/// The same by its name.
#[utoipa::path(
    get,
    path = "/api/v1/clusters/by-name/{name}",
    tag = "clusters",
    params(("name" = String, Path, description = "The cluster's name")),
    responses(
        (status = 200, body = Cluster),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
    )
)]
pub async fn get_by_name(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(name): PathText,
    query: Query,
) -> Result<Json<Cluster>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.fleet.get_by_name(&permit, &name).await?))
}

/// Changes what is named: a value sets a field, null clears it, a field that is absent stays.
#[utoipa::path(
    patch,
    path = "/api/v1/clusters/{id}",
    tag = "clusters",
    params(("id" = String, Path, description = "The cluster's id")),
    request_body = ChangeCluster,
    responses(
        (status = 200, body = Cluster),
        (status = 400, body = ErrorResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
        (status = 409, body = ErrorResponse, description = "Changed meanwhile, taken, or bound to a credential"),
        (status = 415, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn change(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
    Json(change): Json<ChangeCluster>,
) -> Result<Json<Cluster>, Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    Ok(Json(console.fleet.change(&permit, &id, change).await?))
}

/// Removes it: what opened it is erased at once, its name is free again.
#[utoipa::path(
    delete,
    path = "/api/v1/clusters/{id}",
    tag = "clusters",
    params(("id" = String, Path, description = "The cluster's id")),
    responses(
        (status = 204, description = "It is removed"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
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
    console.fleet.remove(&permit, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How it fares.
#[utoipa::path(
    get,
    path = "/api/v1/clusters/{id}/status",
    tag = "clusters",
    params(("id" = String, Path, description = "The cluster's id")),
    responses(
        (status = 200, body = ClusterStatus),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
    )
)]
pub async fn status(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
) -> Result<Json<ClusterStatus>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.fleet.get(&permit, &id).await?.status))
}

/// Has it looked at as soon as can be.
#[utoipa::path(
    post,
    path = "/api/v1/clusters/{id}/refresh",
    tag = "clusters",
    params(("id" = String, Path, description = "The cluster's id")),
    responses(
        (status = 202, body = Cluster),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
    )
)]
pub async fn refresh(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
) -> Result<(StatusCode, Json<Cluster>), Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    Ok((StatusCode::ACCEPTED, Json(console.fleet.refresh(&permit, &id).await?)))
}

/// What may be said of the stored credential.
#[utoipa::path(
    get,
    path = "/api/v1/clusters/{id}/credentials",
    tag = "clusters",
    params(("id" = String, Path, description = "The cluster's id")),
    responses(
        (status = 200, body = CredentialMeta),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, not within reach, or nothing is stored"),
    )
)]
pub async fn credential(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
) -> Result<Json<CredentialMeta>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.fleet.credential(&permit, &id).await?))
}

/// Stores what opens it, in place of what was stored. Looked at first; what the API server refuses is not stored.
#[utoipa::path(
    put,
    path = "/api/v1/clusters/{id}/credentials",
    tag = "clusters",
    params(("id" = String, Path, description = "The cluster's id")),
    request_body = NewCredential,
    responses(
        (status = 200, body = CredentialMeta),
        (status = 400, body = ErrorResponse, description = "The API server does not take it"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
        (status = 409, body = ErrorResponse, description = "No credential opens this cluster, or it was changed meanwhile"),
        (status = 415, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn store_credential(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
    Json(new): Json<NewCredential>,
) -> Result<Json<CredentialMeta>, Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    Ok(Json(console.fleet.store_credential(&permit, &id, new).await?))
}

/// Erases what opens it.
#[utoipa::path(
    delete,
    path = "/api/v1/clusters/{id}/credentials",
    tag = "clusters",
    params(("id" = String, Path, description = "The cluster's id")),
    responses(
        (status = 204, description = "It is erased"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, not within reach, or nothing is stored"),
    )
)]
pub async fn remove_credential(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
) -> Result<StatusCode, Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    console.fleet.remove_credential(&permit, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Looks at the cluster with what is stored, and says what it found.
#[utoipa::path(
    post,
    path = "/api/v1/clusters/{id}/credentials/validate",
    tag = "clusters",
    params(("id" = String, Path, description = "The cluster's id")),
    responses(
        (status = 200, body = Validation),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, not within reach, or nothing is stored"),
    )
)]
pub async fn validate(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
) -> Result<Json<Validation>, Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    Ok(Json(console.fleet.validate(&permit, &id).await?))
}

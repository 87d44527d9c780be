//! The fleet's figures over JSON, and those of a cluster's picture: the same service, permits and answers as the pages.

use app::{
    fleet::{
        Clusters as _, View,
        health::HealthPoint,
        overview::{FleetCapabilities, FleetHealth, FleetSummary},
    },
    identity::permit,
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

/// How many clusters there are, and of which kind.
#[utoipa::path(
    get,
    path = "/api/v1/fleet/summary",
    tag = "fleet",
    responses(
        (status = 200, body = FleetSummary),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
    )
)]
pub async fn summary(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<FleetSummary>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.fleet.summary(&permit).await?))
}

/// How each of them fares.
#[utoipa::path(
    get,
    path = "/api/v1/fleet/health",
    tag = "fleet",
    responses(
        (status = 200, body = FleetHealth),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
    )
)]
pub async fn health(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<FleetHealth>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.fleet.health(&permit).await?))
}

/// What they have between them, as far as it was discovered.
#[utoipa::path(
    get,
    path = "/api/v1/fleet/capabilities",
    tag = "fleet",
    responses(
        (status = 200, body = FleetCapabilities),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
    )
)]
pub async fn capabilities(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<FleetCapabilities>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.fleet.capabilities(&permit).await?))
}

/// What the looks of the last seven days found, oldest first: one every five minutes, and each change.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct ClusterHistory {
    pub items: Vec<HealthPoint>,
}

/// How it fared: the figures of the picture on its page.
#[utoipa::path(
    get,
    path = "/api/v1/clusters/{id}/history",
    tag = "clusters",
    params(("id" = String, Path, description = "The cluster's id")),
    responses(
        (status = 200, body = ClusterHistory),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
    )
)]
pub async fn history(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
) -> Result<Json<ClusterHistory>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(ClusterHistory { items: console.fleet.history(&permit, &id).await? }))
}

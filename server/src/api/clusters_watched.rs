//! What is watched in a cluster, over JSON. Thin: reads the request, asks, answers.

use app::{
    fleet::{
        View,
        watched::{
            EventRow, Finding, Listed, NodeRow, Overview, PodRow, Watched as _, WorkloadRow,
            filters::{EVENT_FILTERS, NODE_FILTERS, POD_FILTERS, WORKLOAD_FILTERS},
        },
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

macro_rules! list {
    ($name:ident, $row:ty, $path:literal, $filters:expr, $what:literal) => {
        #[doc = $what]
        ///
        /// `watches` says how whole and how new the rows are: a kind that the cluster's credential may not list is
        /// `refused` there, and its rows are absent.
        #[utoipa::path(
            get,
            path = $path,
            tag = "clusters",
            params(
                ("id" = String, Path, description = "The cluster's id"),
                ("page" = Option<u32>, Query, description = "From 1; reaches row 10 000, then `cursor` goes on", minimum = 1),
                ("page_size" = Option<u32>, Query, description = "20 when absent", minimum = 1, maximum = 100),
                ("cursor" = Option<String>, Query, description = "`next_cursor` or `previous_cursor` of an earlier answer"),
            ),
            responses(
                (status = 200, body = Listed<$row>),
                (status = 401, body = ErrorResponse),
                (status = 403, body = ErrorResponse),
                (status = 404, body = ErrorResponse),
                (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
            )
        )]
        pub async fn $name(
            State(console): State<&'static Console>,
            Asking(caller): Asking,
            PathText(id): PathText,
            query: Query,
        ) -> Result<Json<Listed<$row>>, Failed> {
            let query = query.list($filters)?;
            let permit = permit::<View>(&caller).await?;
            Ok(Json(console.watched.$name(&permit, &id, &query).await?))
        }
    };
}

list!(
    nodes,
    NodeRow,
    "/api/v1/clusters/{id}/nodes",
    NODE_FILTERS,
    "Nodes, those that are not ready first."
);
list!(pods, PodRow, "/api/v1/clusters/{id}/pods", POD_FILTERS, "Pods, by namespace and name.");
list!(
    workloads,
    WorkloadRow,
    "/api/v1/clusters/{id}/workloads",
    WORKLOAD_FILTERS,
    "Workloads, by namespace and name, with what is wrong with each."
);
list!(events, EventRow, "/api/v1/clusters/{id}/events", EVENT_FILTERS, "Events, the newest first.");
list!(
    findings,
    Finding,
    "/api/v1/clusters/{id}/findings",
    &[],
    "What the checks find wrong, the worst first."
);

/// What people look for first: nodes, what is not healthy and why, recent warnings, the watches.
#[utoipa::path(
    get,
    path = "/api/v1/clusters/{id}/overview",
    tag = "clusters",
    params(("id" = String, Path, description = "The cluster's id")),
    responses(
        (status = 200, body = Overview),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
    )
)]
pub async fn overview(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
) -> Result<Json<Overview>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.watched.overview(&permit, &id).await?))
}

//! Who works on operations, over JSON.

use app::{
    identity::permit,
    operations::{
        View,
        workers::{WorkerProcess, Workers as _},
    },
};
use axum::extract::State;

use crate::{
    console::Console,
    identity::Asking,
    web::{Failed, errors::ErrorResponse, json::Json, query::Query},
};

/// The processes that take operations from queues: those that live, and those that stopped without a word within a
/// day. The ones heard of last come first; 200 at most.
#[utoipa::path(
    get,
    path = "/api/v1/operations/workers",
    tag = "operations",
    responses(
        (status = 200, body = Vec<WorkerProcess>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 503, body = ErrorResponse),
    )
)]
pub async fn list(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Vec<WorkerProcess>>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.operations.workers(&permit).await?))
}

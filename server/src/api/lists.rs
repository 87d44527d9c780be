//! The lists of operations over JSON: the same service, permits and answers as the pages.

use app::{
    identity::permit,
    list::Page,
    operations::{
        Lists, View,
        filters::{COUNT_FILTERS, GROUP_FILTERS, List},
        lists::{Counts, FailureGroup, ListedRun},
    },
};
use axum::extract::State;

use crate::{
    console::Console,
    identity::Asking,
    web::{Failed, errors::ErrorResponse, json::Json, query::Query},
};

async fn page(
    console: &Console,
    caller: &app::identity::Caller,
    list: List,
    query: Query,
) -> Result<Json<Page<ListedRun>>, Failed> {
    let query = query.list(list.filters())?;
    let permit = permit::<View>(caller).await?;
    Ok(Json(Lists::list(&*console.operations, &permit, list, &query).await?))
}

/// Operations, newest first.
///
/// Every filter takes several values (`status=queued&status=running`) except times and `q`. `total` is exact
/// up to 10 000 where one filter or none is set; beyond that, and where several filters or `q` are set, it may
/// be a lower bound and `total_capped` is true. With `stuck_class` it is a list of what does not move, of the
/// oldest 10 000 that are queued or running.
#[utoipa::path(
    get,
    path = "/api/v1/operations",
    tag = "operations",
    operation_id = "list_operations",
    params(
        ("page" = Option<u32>, Query, description = "From 1; reaches row 10 000, then `cursor` goes on", minimum = 1),
        ("page_size" = Option<u32>, Query, description = "20 when absent", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` or `previous_cursor` of an earlier answer"),
    ),
    responses(
        (status = 200, body = Page<ListedRun>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
        (status = 503, body = ErrorResponse),
    )
)]
pub async fn runs(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Page<ListedRun>>, Failed> {
    page(console, &caller, List::Runs, query).await
}

/// Operations that are completed and failed, newest first; cancelled ones have `cancelled: true`.
#[utoipa::path(
    get,
    path = "/api/v1/operations/failures",
    tag = "operations",
    operation_id = "list_failures",
    params(
        ("page" = Option<u32>, Query, description = "From 1; reaches row 10 000, then `cursor` goes on", minimum = 1),
        ("page_size" = Option<u32>, Query, description = "20 when absent", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` or `previous_cursor` of an earlier answer"),
    ),
    responses(
        (status = 200, body = Page<ListedRun>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
        (status = 503, body = ErrorResponse),
    )
)]
pub async fn failures(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Page<ListedRun>>, Failed> {
    page(console, &caller, List::Failures, query).await
}

/// Operations that do not move, newest first, each with the rule that says so.
///
/// Judged at this moment from the oldest 10 000 that are queued or running and match; `total_capped` says that
/// there are more.
#[utoipa::path(
    get,
    path = "/api/v1/operations/stuck",
    tag = "operations",
    operation_id = "list_stuck",
    params(
        ("page" = Option<u32>, Query, description = "From 1; reaches row 10 000, then `cursor` goes on", minimum = 1),
        ("page_size" = Option<u32>, Query, description = "20 when absent", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` or `previous_cursor` of an earlier answer"),
    ),
    responses(
        (status = 200, body = Page<ListedRun>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
        (status = 503, body = ErrorResponse),
    )
)]
pub async fn stuck(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Page<ListedRun>>, Failed> {
    page(console, &caller, List::Stuck, query).await
}

/// Failures by cause, the one that was seen last first.
///
/// A cause is the type, the code and the message without ids, numbers, paths and times; its `fingerprint` is a
/// filter of the lists. Several workspaces' failures of one cause are one line.
#[utoipa::path(
    get,
    path = "/api/v1/operations/failures/groups",
    tag = "operations",
    operation_id = "list_failure_groups",
    params(
        ("page" = Option<u32>, Query, description = "From 1; reaches row 10 000, then `cursor` goes on", minimum = 1),
        ("page_size" = Option<u32>, Query, description = "20 when absent", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` or `previous_cursor` of an earlier answer"),
    ),
    responses(
        (status = 200, body = Page<FailureGroup>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn groups(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Page<FailureGroup>>, Failed> {
    let query = query.list(GROUP_FILTERS)?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.operations.failure_groups(&permit, &query).await?))
}

/// How many operations are in which state, of those that the filters leave.
///
/// Each figure is exact up to 10 000 where no filter is set, and where one is rare; otherwise it may be a lower
/// bound and `total_capped` is true.
#[utoipa::path(
    get,
    path = "/api/v1/operations/counts",
    tag = "operations",
    operation_id = "count_operations",
    responses(
        (status = 200, body = Counts),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn counts(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Counts>, Failed> {
    let query = query.list(COUNT_FILTERS)?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.operations.counts(&permit, &query).await?))
}

//! One operation over JSON, with its steps and its log, and waiting for more; and the log as a file, which pages
//! link to. Thin: reads the request, asks, answers.

use std::time::Duration;

use app::{
    error::{ApiError, Expected, Rule, Violation},
    identity::{Caller, Permit, permit},
    operations::{
        Follow as _, Operations as _, Reached, View,
        log::{LINES_MAX, LINES_SHOWN, LogPage, Span},
        model::{OperationDetail, Status, Step},
    },
};
use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use futures::{Stream, stream};
use http::{
    HeaderMap,
    header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
};

use crate::{
    console::Console,
    identity::Asking,
    operations::follow::{Ears, Woke},
    web::{
        Failed,
        arrival::Arrival,
        errors::ErrorResponse,
        json::Json,
        query::{PathId, Query},
        waits,
    },
};

/// One operation with its steps, its chain of retries and what is different since the last success.
///
/// With `wait`, answers when the operation has ended, or as it stands when the time is over: look at `status`.
/// A caller may have eight waits open.
#[utoipa::path(
    get,
    path = "/api/v1/operations/{id}",
    tag = "operations",
    params(
        ("id" = i64, Path, description = "The operation's number"),
        ("wait" = Option<String>, Query, description = "Up to `60s`"),
    ),
    responses(
        (status = 200, body = OperationDetail),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
        (status = 429, body = ErrorResponse, description = "Eight waits are open"),
    )
)]
pub async fn get(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathId(id): PathId,
    query: Query,
    arrival: Arrival,
    headers: HeaderMap,
) -> Result<Json<OperationDetail>, Failed> {
    let asked = Asked::read(query, &["wait"])?;
    let who = Who { console, caller, arrival, headers };
    let permit = match asked.wait {
        Some(longest) => who.wait(id, longest, has_ended).await?,
        None => permit::<View>(&who.caller).await?,
    };
    Ok(Json(console.operations.get(&permit, id).await?))
}

/// The steps of one operation, in their order.
#[utoipa::path(
    get,
    path = "/api/v1/operations/{id}/steps",
    tag = "operations",
    params(("id" = i64, Path, description = "The operation's number")),
    responses(
        (status = 200, body = Vec<Step>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
    )
)]
pub async fn steps(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathId(id): PathId,
    query: Query,
) -> Result<Json<Vec<Step>>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.operations.steps(&permit, id).await?))
}

/// Lines of one operation's log, oldest first.
///
/// Go on with `next_after` until it is `last_seq`. With `wait`, answers when there is a line behind `after`, when
/// the operation has ended, or when the time is over.
#[utoipa::path(
    get,
    path = "/api/v1/operations/{id}/log",
    tag = "operations",
    params(
        ("id" = i64, Path, description = "The operation's number"),
        ("after" = Option<i64>, Query, description = "The number of a line; 0 when absent", minimum = 0),
        ("limit" = Option<i64>, Query, description = "200 when absent", minimum = 1, maximum = 1000),
        ("wait" = Option<String>, Query, description = "Up to `60s`"),
    ),
    responses(
        (status = 200, body = LogPage),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
        (status = 429, body = ErrorResponse, description = "Eight waits are open"),
    )
)]
pub async fn log(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathId(id): PathId,
    query: Query,
    arrival: Arrival,
    headers: HeaderMap,
) -> Result<Json<LogPage>, Failed> {
    let asked = Asked::read(query, &["after", "limit", "wait"])?;
    let who = Who { console, caller, arrival, headers };
    let after = asked.after;
    let permit = match asked.wait {
        Some(longest) => {
            let has_more = move |reached: Reached| reached.last_seq > after || has_ended(reached);
            who.wait(id, longest, has_more).await?
        }
        None => permit::<View>(&who.caller).await?,
    };
    Ok(Json(console.operations.log(&permit, id, Span::After(after), asked.limit).await?))
}

/// The whole log as a file: one line each, times in UTC.
pub async fn file(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathId(id): PathId,
    query: Query,
) -> Result<Response, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    // Before the first byte leaves, so that a refusal has its status.
    let first = console.operations.log(&permit, id, Span::After(0), LINES_MAX).await?;
    let disposition = format!("attachment; filename=\"operation-{id}.log\"");
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (CONTENT_DISPOSITION, disposition),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(pages(console, permit, id, first))).into_response())
}

/// A page of lines at a time, so that memory stays the same however long the log is.
fn pages(
    console: &'static Console,
    permit: Permit<View>,
    id: i64,
    first: LogPage,
) -> impl Stream<Item = Result<String, ApiError>> {
    stream::try_unfold((permit, Some(first)), move |(permit, page)| async move {
        let Some(page) = page else { return Ok(None) };
        let text: String = page.lines.iter().map(app::operations::log::LogLine::in_file).collect();
        let next = if page.has_more() {
            let span = Span::After(page.next_after);
            Some(console.operations.log(&permit, id, span, LINES_MAX).await?)
        } else {
            None
        };
        Ok(Some((text, (permit, next))))
    })
}

fn has_ended(reached: Reached) -> bool {
    reached.status == Status::Completed
}

/// Who waits, for as long as they are somebody.
struct Who {
    console: &'static Console,
    caller: Caller,
    arrival: Arrival,
    headers: HeaderMap,
}

impl Who {
    /// Waits, and answers what the caller may by then: rights may end while somebody waits.
    async fn wait(
        self,
        id: i64,
        longest: Duration,
        is_enough: impl Fn(Reached) -> bool + Send + Sync,
    ) -> Result<Permit<View>, ApiError> {
        let Self { console, caller, arrival, headers } = self;
        let mut ears = Ears {
            feed: console.feed.clone(),
            clock: console.clock.clone(),
            shutdown: console.shutdown.clone(),
            epoch: console.epochs.watch(),
        };
        let mut may = permit::<View>(&caller).await?;
        let _slot = console.limits.waits.take(&caller)?;
        let until = console.clock.monotonic() + longest;
        loop {
            let left = until.saturating_sub(console.clock.monotonic());
            let woke = ears.wait(&console.operations, &may, id, left, &is_enough).await?;
            let caller =
                console.callers.still(&arrival, &headers).await?.ok_or(ApiError::SignIn)?;
            may = permit::<View>(&caller).await?;
            if woke != Woke::RightsMoved {
                return Ok(may);
            }
        }
    }
}

/// What the query of an address of this file may say.
struct Asked {
    after: i64,
    limit: i64,
    wait: Option<Duration>,
}

impl Asked {
    fn read(Query(pairs): Query, known: &[&str]) -> Result<Self, ApiError> {
        let mut asked = Self { after: 0, limit: LINES_SHOWN, wait: None };
        let mut violations = Vec::new();
        let mut seen = Vec::new();
        for (key, value) in pairs {
            let taken = if seen.contains(&key) {
                Err(ApiError::invalid(&key, Rule::Repeated))
            } else {
                asked.take(&key, &value, known)
            };
            if let Err(ApiError::Invalid(more)) = taken {
                violations.extend(more);
            }
            seen.push(key);
        }
        if violations.is_empty() { Ok(asked) } else { Err(ApiError::Invalid(violations)) }
    }

    fn take(&mut self, key: &str, value: &str, known: &[&str]) -> Result<(), ApiError> {
        match key {
            _ if !known.contains(&key) => {
                return Err(ApiError::Invalid(vec![Violation::new(key, Rule::UnknownField)]));
            }
            "after" => self.after = number(key, value, 0, i64::MAX)?,
            "limit" => self.limit = number(key, value, 1, LINES_MAX)?,
            _ => self.wait = Some(waits::parse(key, value)?),
        }
        Ok(())
    }
}

fn number(key: &str, value: &str, min: i64, max: i64) -> Result<i64, ApiError> {
    let expected = Rule::Malformed { expected: Expected::Integer };
    let number: i64 = value.parse().map_err(|_| ApiError::invalid(key, expected))?;
    if (min..=max).contains(&number) {
        Ok(number)
    } else {
        Err(ApiError::invalid(key, Rule::Range { min, max }))
    }
}

//! The audit log over JSON, and its export, which pages link to as well. Thin: reads the request, asks, answers.

use app::{
    audit::{
        Audit as _, View,
        model::{AuditDetail, AuditEntry, FILTERS},
    },
    error::{ApiError, Conflict, Rule, Violation},
    identity::permit,
    list::{ListQuery, Page},
};
use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};

use crate::{
    audit::Format,
    console::Console,
    identity::Asking,
    web::{
        Failed,
        errors::ErrorResponse,
        json::Json,
        query::{PathId, Query},
    },
};

/// Audit entries, newest first.
///
/// Every filter takes several values except times. `action` takes the beginning of a name too: `identity.` stands for
/// every action of sign-in and rights. Entries without a workspace are seen by callers who reach everything.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    tag = "audit",
    params(
        ("page" = Option<u32>, Query, description = "From 1; reaches row 10 000, then `cursor` goes on", minimum = 1),
        ("page_size" = Option<u32>, Query, description = "20 when absent", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` or `previous_cursor` of an earlier answer"),
    ),
    responses(
        (status = 200, body = Page<AuditEntry>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
        (status = 503, body = ErrorResponse),
    )
)]
pub async fn list(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Page<AuditEntry>>, Failed> {
    let query = query.list(FILTERS)?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.audit.list(&permit, &query).await?))
}

/// One audit entry with its place in the chain.
#[utoipa::path(
    get,
    path = "/api/v1/audit/{seq}",
    tag = "audit",
    params(("seq" = i64, Path, description = "The entry's number")),
    responses(
        (status = 200, body = AuditDetail),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, pruned, or not within reach"),
    )
)]
pub async fn get(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathId(seq): PathId,
    query: Query,
) -> Result<Json<AuditDetail>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(console.audit.get(&permit, seq).await?))
}

/// All entries that the filters find, oldest first, as one file.
///
/// The NDJSON bundle holds what verification needs, with the signed head of the chain and a seal;
/// `quarterdeck audit verify --bundle FILE` checks it without the console. The CSV is for spreadsheets. Each export is an
/// audit entry of its own. A file that was cut short has no seal as its last line.
#[utoipa::path(
    get,
    path = "/api/v1/audit/export",
    tag = "audit",
    params(("format" = String, Query, description = "`csv` or `ndjson`")),
    responses(
        (status = 200, content((String = "application/x-ndjson"), (String = "text/csv"))),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 409, body = ErrorResponse, description = "A read-only console cannot write down that it was exported"),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
        (status = 429, body = ErrorResponse),
        (status = 503, body = ErrorResponse),
    )
)]
pub async fn export(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    Query(pairs): Query,
) -> Result<Response, Failed> {
    let (format, query) = read(pairs)?;
    let permit = permit::<View>(&caller).await?;
    if console.config.read_only {
        return Err(Failed(ApiError::Conflict(Conflict::ReadOnly)));
    }
    console.limits.export(&caller)?;
    let export = console.audit.export(&permit, format, &query).await?;
    let disposition = format!("attachment; filename=\"{}\"", export.file_name());
    let headers = [
        (CONTENT_TYPE, export.content_type().to_owned()),
        (CONTENT_DISPOSITION, disposition),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(export.stream())).into_response())
}

/// The format and the filters. A file has no pages.
fn read(pairs: Vec<(String, String)>) -> Result<(Format, ListQuery), ApiError> {
    let mut violations = Vec::new();
    let mut format = None;
    let mut filters = Vec::new();
    for (key, value) in pairs {
        match (key.as_str(), value.as_str()) {
            ("format", _) if format.is_some() => {
                violations.push(Violation::new(key, Rule::Repeated));
            }
            ("format", "csv") => format = Some(Format::Csv),
            ("format", "ndjson") => format = Some(Format::Ndjson),
            ("format", _) => {
                let allowed = vec!["csv".to_owned(), "ndjson".to_owned()];
                return Err(ApiError::invalid(key, Rule::OneOf { allowed }));
            }
            ("page" | "page_size" | "cursor", _) => {
                violations.push(Violation::new(key, Rule::UnknownField));
            }
            _ => filters.push((key, value)),
        }
    }
    if format.is_none() {
        violations.push(Violation::new("format", Rule::Required));
    }
    match (format, ListQuery::parse(FILTERS, filters)) {
        (Some(format), Ok(query)) if violations.is_empty() => Ok((format, query)),
        (_, parsed) => {
            violations.extend(parsed.err().unwrap_or_default());
            Err(ApiError::Invalid(violations))
        }
    }
}

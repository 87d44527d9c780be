//! The forms of this domain's pages. A form posts to its page's own address: success leads on with 303 and a
//! word about what was done, a refusal draws the same page again with what was typed.

use app::{
    error::{ApiError, Expected, Rule, Violation},
    operations::{Operations as _, model::StartOperation},
    paths,
    request::{Flash, RefusedForm},
};
use axum::{
    extract::{Request, State},
    response::Response,
};

use crate::{
    console::Console,
    identity::Asking,
    web::{Failed, arrival::Arrival, json, pages, query},
};

/// The name under which the page finds its refused form.
const START: &str = "start";

/// `POST /system/ops/runbooks`: starts an operation of the type in the field `type`.
pub async fn start(
    State(console): State<&'static Console>,
    arrival: Arrival,
    Asking(caller): Asking,
    request: Request,
) -> Result<Response, Failed> {
    let body = json::body(request, &console).await?;
    let malformed = || ApiError::invalid("body", Rule::Malformed { expected: Expected::Utf8 });
    let values = query::pairs(std::str::from_utf8(&body).map_err(|_| malformed())?)?;
    let started = match read(&values) {
        Ok(request) => console.operations.start(&caller, request, None).await,
        Err(error) => Err(error),
    };
    match started {
        Ok(started) => {
            let id = started.run.id;
            Ok(pages::go(console, &paths::run(id), Flash::OperationStarted(id)))
        }
        Err(error) => {
            let refused = RefusedForm { form: START, values, error };
            pages::render_refused(console, &arrival, refused).await
        }
    }
}

/// The form has one field.
fn read(values: &[(String, String)]) -> Result<StartOperation, ApiError> {
    let mut violations: Vec<Violation> = Vec::new();
    let mut kind = None;
    for (key, value) in values {
        match key.as_str() {
            "type" if kind.is_none() => kind = Some(value.clone()),
            "type" => violations.push(Violation::new(key, Rule::Repeated)),
            _ => violations.push(Violation::new(key, Rule::UnknownField)),
        }
    }
    let kind = kind.filter(|kind| !kind.is_empty());
    if kind.is_none() {
        violations.push(Violation::new("type", Rule::Required));
    }
    match kind {
        Some(kind) if violations.is_empty() => Ok(StartOperation {
            kind,
            input: serde_json::Value::Null,
            workspace_id: None,
            tenant_id: None,
            target: None,
            priority: None,
            scheduled_at: None,
        }),
        _ => Err(ApiError::Invalid(violations)),
    }
}

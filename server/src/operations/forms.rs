//! The forms of this domain's pages. A form posts to its page's own address: success leads on with 303 and a
//! word about what was done, a refusal draws the same page again with what was typed.

use app::{
    error::{ApiError, Expected, Rule, Violation},
    operations::{Operations as _, model::StartOperation},
    request::RefusedForm,
};
use axum::{
    extract::{Request, State},
    response::Response,
};

use super::runbook_forms::led_to;
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
        Ok((request, key)) => console.operations.start(&caller, request, key.as_deref()).await,
        Err(error) => Err(error),
    };
    match started {
        Ok(started) => Ok(led_to(console, &started)),
        Err(error) => {
            let refused = RefusedForm { form: START, values, error };
            pages::render_refused(console, &arrival, refused).await
        }
    }
}

/// The form has the type, and a key that makes two clicks one operation.
fn read(values: &[(String, String)]) -> Result<(StartOperation, Option<String>), ApiError> {
    let mut violations: Vec<Violation> = Vec::new();
    let (mut kind, mut form_key) = (None, None);
    for (key, value) in values {
        match key.as_str() {
            "type" if kind.is_none() => kind = Some(value.clone()),
            "key" if form_key.is_none() => form_key = Some(value.clone()),
            "type" | "key" => violations.push(Violation::new(key, Rule::Repeated)),
            _ => violations.push(Violation::new(key, Rule::UnknownField)),
        }
    }
    let kind = kind.filter(|kind| !kind.is_empty());
    if kind.is_none() {
        violations.push(Violation::new("type", Rule::Required));
    }
    match kind {
        Some(kind) if violations.is_empty() => {
            let request = StartOperation {
                kind,
                input: serde_json::Value::Null,
                workspace_id: None,
                tenant_id: None,
                target: None,
                priority: None,
                scheduled_at: None,
            };
            Ok((request, form_key))
        }
        _ => Err(ApiError::Invalid(violations)),
    }
}

//! The forms of this domain's pages. A form posts to its page's own address: success leads on with 303 and a
//! word about what was done, a refusal draws the same page again with what was typed.

use app::{
    error::{ApiError, Expected, Rule, Violation},
    identity::Caller,
    operations::{
        Operations as _,
        model::{Outcome, StartOperation, Status},
        parts::triage::{CANCEL, END_ANYWAY, INVESTIGATE, RETRY},
        triage::{
            CancelOperation, Cancelled, InvestigateOperation, RetryOperation, Seen, Triages as _,
        },
    },
    paths,
    request::{Flash, RefusedForm, Saved},
};
use axum::{
    extract::{Request, State},
    response::Response,
};

use super::runbook_forms::led_to;
use crate::{
    console::Console,
    identity::Asking,
    web::{Failed, arrival::Arrival, form::Form, json, pages, query, query::PathId},
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
                target_label: None,
                priority: None,
                scheduled_at: None,
            };
            Ok((request, form_key))
        }
        _ => Err(ApiError::Invalid(violations)),
    }
}

const DECISIONS: &[&str] = &[RETRY, CANCEL, END_ANYWAY, INVESTIGATE];

/// `POST /system/ops/runs/{id}`: a decision about this operation, named by the field `do`.
pub async fn triage(
    State(console): State<&'static Console>,
    arrival: Arrival,
    Asking(caller): Asking,
    PathId(id): PathId,
    request: Request,
) -> Result<Response, Failed> {
    let mut form = Form::read(console, request).await?;
    let asked = form.required("do");
    let name = DECISIONS.iter().copied().find(|name| *name == asked).unwrap_or_else(|| {
        let allowed = DECISIONS.iter().map(|name| (*name).to_owned()).collect();
        form.refuse("do", Rule::OneOf { allowed });
        INVESTIGATE
    });
    match decide(console, &caller, id, name, &mut form).await {
        Ok((to, flash)) => Ok(pages::go(console, &paths::run(to), flash)),
        Err(error) => {
            pages::render_refused(console, &arrival, form.refused(name, &[], error)).await
        }
    }
}

/// Does it; the operation to look at then, and what was done.
async fn decide(
    console: &Console,
    caller: &Caller,
    id: i64,
    name: &str,
    form: &mut Form,
) -> Result<(i64, Flash), ApiError> {
    let expected = read_seen(form);
    let reason = form.optional("reason");
    form.end()?;
    let service = &console.operations;
    match name {
        RETRY => {
            let retried = service.retry(caller, id, RetryOperation { reason }).await?;
            let child = retried.run.id;
            let started = Flash::OperationStarted(child);
            Ok((child, if retried.created { started } else { Flash::OperationExists(child) }))
        }
        CANCEL => {
            let saved = match service.cancel(caller, id, CancelOperation { expected }).await? {
                Cancelled::Ended => Saved::OperationCancelled,
                Cancelled::Asked => Saved::CancelRequested,
            };
            Ok((id, Flash::Saved(saved)))
        }
        END_ANYWAY => {
            service.end_anyway(caller, id, CancelOperation { expected }).await?;
            Ok((id, Flash::Saved(Saved::OperationEnded)))
        }
        _ => {
            let reason = reason.unwrap_or_default();
            let request = InvestigateOperation { reason, expected };
            service.investigate(caller, id, request).await?;
            Ok((id, Flash::Saved(Saved::Investigated)))
        }
    }
}

/// How the run stood when the form was drawn.
fn read_seen(form: &mut Form) -> Option<Seen> {
    let status = form.word::<Status>("status", &["queued", "running", "completed"]);
    let outcome = form.word::<Outcome>("outcome", &["pending", "succeeded", "failed"]);
    let attempt = form.integer("attempt");
    if attempt.is_none() {
        form.refuse("attempt", Rule::Required);
    }
    Some(Seen { status: status?, outcome: outcome?, attempt: attempt? })
}

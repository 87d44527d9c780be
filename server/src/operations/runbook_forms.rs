//! The forms of a type's page: starting it, writing its runbook, looking at what was written, and bringing an
//! old version back.

use app::{
    error::{ApiError, Conflict, Expected, Rule, Thing},
    identity::{Caller, permit},
    list::{Filter, FilterKind},
    operations::{
        Operations as _,
        inputs::InputField,
        model::{StartOperation, Started},
        runbooks::{ManageRunbooks, RunbookSource, Runbooks as _, SaveRunbook},
    },
    paths,
    request::{Flash, Posted, Saved},
    time::Micros,
    ui::filters::canonical,
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use serde_json::{Map, Value};

use crate::{
    console::Console,
    identity::Asking,
    web::{Failed, arrival::Arrival, form::Form, pages, query::PathText},
};

/// What a form may ask for, by the name under which its page finds it again.
const START: &str = "start";
const SAVE: &str = "save";
const PREVIEW: &str = "preview";
const RESTORE: &str = "restore";
const KNOWN: [&str; 4] = [START, SAVE, PREVIEW, RESTORE];

/// `POST /system/ops/runbooks/{type}`
pub async fn runbook(
    State(console): State<&'static Console>,
    arrival: Arrival,
    Asking(caller): Asking,
    PathText(kind): PathText,
    request: Request,
) -> Result<Response, Failed> {
    let inputs =
        console.operations.find_inputs(&kind).ok_or(ApiError::NotFound(Thing::OperationType))?;
    let mut form = Form::read(console, request).await?;
    let asked = form.required("do");
    let name = KNOWN.iter().copied().find(|name| *name == asked).unwrap_or_else(|| {
        let allowed = KNOWN.iter().map(|name| (*name).to_owned()).collect();
        form.refuse("do", Rule::OneOf { allowed });
        START
    });
    if name == PREVIEW {
        // Nothing is kept, so nothing is asked for but what the page asks for.
        let posted = Posted { form: SAVE, values: form.sent() };
        return pages::render_posted(console, &arrival, posted).await;
    }
    let done = match name {
        START => {
            let zone = pages::zone(arrival.zone_cookie.as_deref());
            let started = start(console, &caller, &kind, inputs, &zone.tz, &mut form).await;
            started.map(|started| led_to(console, &started))
        }
        _ => save(console, &caller, &kind, name == RESTORE, &mut form).await,
    };
    match done {
        Ok(response) => Ok(response),
        Err(error) => {
            let form = form.refused(name, &[], error);
            pages::render_refused(console, &arrival, form).await
        }
    }
}

/// To the operation, said to be new or to be the one that this form made before.
pub(super) fn led_to(console: &Console, started: &Started) -> Response {
    let id = started.run.id;
    let flash =
        if started.created { Flash::OperationStarted(id) } else { Flash::OperationExists(id) };
    pages::go(console, &paths::run(id), flash)
}

async fn start(
    console: &Console,
    caller: &Caller,
    kind: &str,
    inputs: &[InputField],
    zone: &jiff::tz::TimeZone,
    form: &mut Form,
) -> Result<Started, ApiError> {
    let mut input = Map::new();
    for field in inputs {
        let sent = form.optional(&field.key());
        match field.read(sent.as_deref()) {
            Ok(Some(value)) => drop(input.insert(field.name.to_owned(), value)),
            Ok(None) => {}
            Err(violation) => form.refuse(&violation.field, violation.rule),
        }
    }
    let scheduled_at = form.optional("scheduled_at").map(|at| moment(&at, zone));
    if scheduled_at == Some(None) {
        form.refuse("scheduled_at", Rule::Malformed { expected: Expected::Time });
    }
    let key = form.required("key");
    let request = StartOperation {
        kind: kind.to_owned(),
        input: Value::Object(input),
        workspace_id: form.integer("workspace_id"),
        tenant_id: None,
        target: form.optional("target"),
        target_label: None,
        priority: form.integer("priority"),
        scheduled_at: scheduled_at.flatten(),
    };
    form.end()?;
    console.operations.start(caller, request, Some(&key)).await
}

/// A time of the viewer's own calendar, as a browser sends it, or one with its offset.
fn moment(text: &str, zone: &jiff::tz::TimeZone) -> Option<Micros> {
    const AT: &[Filter] = &[Filter { key: "at", label: "", kind: FilterKind::Since, column: "at" }];
    let pairs = canonical(AT, &[("at".to_owned(), text.to_owned())], zone);
    pairs.first()?.1.parse().ok()
}

async fn save(
    console: &Console,
    caller: &Caller,
    kind: &str,
    restores: bool,
    form: &mut Form,
) -> Result<Response, ApiError> {
    let workspace_id = form.integer("workspace_id");
    let version = form.integer("version");
    for (key, value) in [("workspace_id", workspace_id), ("version", version)] {
        if value.is_none() {
            form.refuse(key, Rule::Required);
        }
    }
    let wanted = if restores { form.integer("restore") } else { None };
    if restores && wanted.is_none() {
        form.refuse("restore", Rule::Required);
    }
    let typed = if restores { None } else { form.optional("markdown") };
    form.end()?;
    let (workspace_id, version) = (workspace_id.unwrap_or_default(), version.unwrap_or_default());
    let permit = permit::<ManageRunbooks>(caller).await?;
    let markdown = match wanted {
        Some(wanted) => old_text(console, caller, kind, workspace_id, wanted).await?,
        None => typed.unwrap_or_default(),
    };
    let save = SaveRunbook { markdown, version, restores: wanted };
    let saved = console.operations.save(&permit, kind, workspace_id, save).await?;
    let flash = match (saved.source, wanted) {
        (RunbookSource::Product, _) => Saved::RunbookOfProduct,
        (_, Some(_)) => Saved::RunbookRestored,
        (_, None) => Saved::RunbookSaved,
    };
    Ok(pages::go(console, &paths::runbook(kind, Some(workspace_id)), Flash::Saved(flash)))
}

/// What a version said that is written again.
async fn old_text(
    console: &Console,
    caller: &Caller,
    kind: &str,
    workspace_id: i64,
    version: i64,
) -> Result<String, ApiError> {
    let permit = permit::<app::operations::View>(caller).await?;
    let versions = console.operations.versions(&permit, kind, workspace_id).await?;
    let old = versions.into_iter().find(|old| old.version == version);
    Ok(old.ok_or(ApiError::Conflict(Conflict::Changed))?.markdown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_the_viewers_zone_unless_it_has_its_own() {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(2));
        let at = |text: &str| moment(text, &zone).map(|at| at.to_string());
        assert_eq!(at("2026-11-21T09:30").as_deref(), Some("2026-11-21T07:30:00.000000Z"));
        assert_eq!(at("2026-11-21T09:30:00Z").as_deref(), Some("2026-11-21T09:30:00.000000Z"));
        assert_eq!(at("tomorrow"), None);
    }
}

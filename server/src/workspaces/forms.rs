//! The forms of `/settings/workspaces`.

use app::{
    error::{ApiError, Rule},
    identity::{Caller, permit},
    paths,
    request::{Flash, Saved},
    settings::Manage,
    workspaces::{
        Workspaces as _,
        model::{NewTenant, NewWorkspace},
    },
};
use axum::{
    extract::{Request, State},
    response::Response,
};

use crate::{
    console::Console,
    identity::Asking,
    web::{Failed, arrival::Arrival, form::Form, pages},
};

const KNOWN: &[&str] =
    &["create", "rename", "archive", "create_tenant", "rename_tenant", "archive_tenant"];

/// `POST /settings/workspaces`
pub async fn workspaces(
    State(console): State<&'static Console>,
    arrival: Arrival,
    Asking(caller): Asking,
    request: Request,
) -> Result<Response, Failed> {
    let mut form = Form::read(console, request).await?;
    let asked = form.required("do");
    let name = KNOWN.iter().copied().find(|name| *name == asked).unwrap_or_else(|| {
        let allowed = KNOWN.iter().map(|name| (*name).to_owned()).collect();
        form.refuse("do", Rule::OneOf { allowed });
        "nothing"
    });
    match change(console, &caller, name, &mut form).await {
        Ok(saved) => Ok(pages::go(console, &paths::workspaces(), Flash::Saved(saved))),
        Err(error) => {
            pages::render_refused(console, &arrival, form.refused(name, &[], error)).await
        }
    }
}

async fn change(
    console: &Console,
    caller: &Caller,
    name: &str,
    form: &mut Form,
) -> Result<Saved, ApiError> {
    let creates = name == "create";
    let id = if creates { None } else { form.integer("id") };
    if id.is_none() && !creates {
        form.refuse("id", Rule::Required);
    }
    let id = id.unwrap_or_default();
    let named = if name.starts_with("archive") { String::new() } else { form.required("name") };
    form.end()?;
    let permit = permit::<Manage>(caller).await?;
    let service = &console.workspaces;
    match name {
        "create" => {
            service.create(&permit, NewWorkspace { name: named }).await?;
            Ok(Saved::WorkspaceCreated)
        }
        "rename" => service.rename(&permit, id, &named).await.map(|()| Saved::WorkspaceRenamed),
        "archive" => service.archive(&permit, id).await.map(|()| Saved::WorkspaceArchived),
        "create_tenant" => {
            let new = NewTenant { workspace_id: id, name: named };
            service.create_tenant(&permit, new).await?;
            Ok(Saved::TenantCreated)
        }
        "rename_tenant" => {
            service.rename_tenant(&permit, id, &named).await.map(|()| Saved::TenantRenamed)
        }
        _ => service.archive_tenant(&permit, id).await.map(|()| Saved::TenantArchived),
    }
}

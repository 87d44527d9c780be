//! The forms of saved views, which stand in the filter bar of each list. They post to the list's own address.

use app::{
    error::{ApiError, Rule, Thing},
    identity::{Caller, permit},
    operations::{
        SavedViews, View,
        filters::List,
        saved_views::{NewSavedView, SavedView, read},
    },
    request::{Flash, Saved},
};
use axum::{
    extract::{Request, State},
    response::Response,
};

use crate::{
    console::Console,
    identity::Asking,
    web::{
        Failed,
        arrival::Arrival,
        form::Form,
        pages,
        query::{self, Query},
    },
};

const KNOWN: &[&str] = &["save_view", "rename_view", "delete_view"];

/// `POST /system/ops/{runs|failures|stuck}`
pub async fn views(
    State(console): State<&'static Console>,
    arrival: Arrival,
    Asking(caller): Asking,
    request: Request,
) -> Result<Response, Failed> {
    let list = list_at(&arrival.path)?;
    let mut form = Form::read(console, request).await?;
    let asked = form.required("do");
    let name = KNOWN.iter().copied().find(|name| *name == asked).unwrap_or_else(|| {
        let allowed = KNOWN.iter().map(|name| (*name).to_owned()).collect();
        form.refuse("do", Rule::OneOf { allowed });
        "nothing"
    });
    match change(console, &caller, (list, name), &mut form).await {
        // The new view is opened; after other changes the reader stays where they are.
        Ok((saved, view)) => {
            let query = if saved == Saved::ViewSaved {
                read(view.list, &view.query).unwrap_or_default()
            } else {
                Query(query::pairs(arrival.query.as_deref().unwrap_or_default())?)
                    .list(list.filters())
                    .unwrap_or_default()
            };
            Ok(pages::go(console, &list.href(&query), Flash::Saved(saved)))
        }
        Err(error) => {
            pages::render_refused(console, &arrival, form.refused(name, &[], error)).await
        }
    }
}

fn list_at(path: &str) -> Result<List, ApiError> {
    let word = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    word.parse().map_err(|()| ApiError::NotFound(Thing::Page))
}

async fn change(
    console: &Console,
    caller: &Caller,
    (list, name): (List, &str),
    form: &mut Form,
) -> Result<(Saved, SavedView), ApiError> {
    let views: &dyn SavedViews = &*console.operations;
    if name == "save_view" {
        let new = NewSavedView {
            list,
            name: form.required("name"),
            query: form.optional("query").unwrap_or_default(),
            shared: form.optional("shared").as_deref() == Some("shared"),
            workspace_id: form.integer("workspace_id"),
        };
        form.end()?;
        let permit = permit::<View>(caller).await?;
        return Ok((Saved::ViewSaved, views.create(&permit, new).await?));
    }
    let id = form.required("id");
    let typed = if name == "rename_view" { form.required("name") } else { String::new() };
    form.end()?;
    let permit = permit::<View>(caller).await?;
    if name == "rename_view" {
        Ok((Saved::ViewRenamed, views.rename(&permit, &id, &typed).await?))
    } else {
        Ok((Saved::ViewDeleted, views.delete(&permit, &id).await?))
    }
}

//! What the audit log says of one thing, on that thing's own page: its last entries and the way to all of them.
//!
//! A page calls [`load_panel`] at its top, awaits it beside its own content, and draws [`AuditPanel`]. For callers
//! without `audit.view` there is no panel, and nothing is asked: a look at a page must not leave a refusal.

use leptos::prelude::*;

use super::{DecisionBadge, actor};
use crate::{
    audit::{
        enter,
        model::{AuditEntry, FILTERS},
    },
    error::ApiError,
    identity::Capability,
    list::ListQuery,
    paths,
    request::PageRequest,
    ui::{Card, Clockface, Loaded, Moment, load},
};

/// How many entries are shown.
const ROWS: &str = "6";

#[derive(Clone, Debug)]
pub struct PanelContent {
    /// The whole list of this target.
    all: ListQuery,
    entries: Vec<AuditEntry>,
    more: bool,
}

/// The last entries of a target; none for callers who may not see them.
pub fn load_panel(
    kind: &'static str,
    id: String,
) -> Resource<Loaded<Option<Result<PanelContent, ApiError>>>> {
    let caller = PageRequest::from_context().and_then(|request| request.caller);
    let may = caller.is_some_and(|caller| caller.may(Capability::AuditView));
    load(move || {
        let entered = may.then(enter);
        let target = format!("{kind}:{id}");
        async move { Some(fetch(entered?.await, target).await) }
    })
}

type Entered = Result<
    (crate::identity::Permit<crate::audit::View>, std::sync::Arc<dyn crate::audit::Audit>),
    ApiError,
>;

async fn fetch(entered: Entered, target: String) -> Result<PanelContent, ApiError> {
    let (permit, audit) = entered?;
    let pairs = [("target".to_owned(), target)];
    let all = ListQuery::parse(FILTERS, pairs.clone()).map_err(ApiError::Invalid)?;
    let size = ("page_size".to_owned(), ROWS.to_owned());
    let few = ListQuery::parse(FILTERS, pairs.into_iter().chain([size]));
    let page = audit.list(&permit, &few.map_err(ApiError::Invalid)?).await?;
    Ok(PanelContent { all, more: page.next_cursor.is_some(), entries: page.items })
}

#[component]
pub fn AuditPanel(
    content: Option<Result<PanelContent, ApiError>>,
    clock: Clockface,
) -> impl IntoView {
    content.map(|content| {
        let body = match content {
            Ok(content) => drawn(&content, &clock),
            // The page is about something else; it is whole without this.
            Err(error) => view! { <p class="dim">{error.to_string()}</p> }.into_any(),
        };
        view! { <Card title="Audit">{body}</Card> }
    })
}

fn drawn(content: &PanelContent, clock: &Clockface) -> AnyView {
    if content.entries.is_empty() {
        return view! { <p class="dim">"Nothing has been recorded of it."</p> }.into_any();
    }
    let rows = content.entries.iter().map(|entry| row(entry, clock)).collect_view();
    let words = if content.more { "Show all entries" } else { "Show in the audit log" };
    view! {
        <ul class="plain panel">{rows}</ul>
        <p>
            <a href=paths::audit_where(&content.all)>{words}</a>
        </p>
    }
    .into_any()
}

fn row(entry: &AuditEntry, clock: &Clockface) -> impl IntoView + use<> {
    view! {
        <li>
            <a href=paths::audit_entry(entry.seq)>{entry.action.clone()}</a>
            " "
            <DecisionBadge decision=entry.decision />
            <div class="dim">
                <span class="short">{actor(entry)}</span>
                ", "
                <Moment at=entry.at clock=clock.clone() />
            </div>
        </li>
    }
}

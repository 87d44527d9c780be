//! `/system/ops/{runs|failures|stuck}`: which operation should I open next?
//!
//! Seed 003: rows open by a click anywhere on them, there are no row or bulk actions, and there is one way out of
//! the header. The three lists are one page, which says in the list's own words what it shows.

use leptos::prelude::*;

use super::{
    causes::CausesPage,
    list_head::{failures_as, lede, state_counts, tabs, way_out},
    list_rows::{self, table},
    view_menu::view_menu,
};
use crate::{
    error::{ApiError, Violation},
    events,
    identity::enter,
    list::{Cursor, ListQuery, Page, Searched},
    operations::{
        Lists, SavedViews, View,
        filters::List,
        lists::{Choices, Counts, ListedRun},
        model::OperationRun,
        parts::LiveRuns,
        saved_views::{SAVED_VIEW_FILTERS, SavedView},
    },
    paths,
    request::PageRequest,
    ui::{
        Alert, Clockface, EmptyState, PageHead, PageTitle, SetTitle, Tone,
        answer::{see_other, set_status},
        failure::{Failure, with_code},
        filters::{Chips, FilterBar, Suggestions, canonical},
        load,
        pagination::{Pagination, grouped, place},
    },
};

/// So many filters stand in the first line of the filter bar: search and the three that the list is cut by most.
const PRIMARY: usize = 4;

/// What the page was asked for.
#[derive(Clone)]
enum Asked {
    List(ListQuery),
    /// A value that the list cannot take.
    Refused(Vec<Violation>),
    /// The same list under its proper address.
    Elsewhere(String),
}

impl Asked {
    fn read(list: List, request: &PageRequest) -> Self {
        let pairs = canonical(list.filters(), &request.pairs, &request.zone.tz);
        match ListQuery::parse(list.filters(), pairs.iter().cloned()) {
            // A form was posted here: its answer stays here.
            Ok(query) if request.refused.is_some() => Self::List(query),
            Ok(query) if pairs != request.pairs => Self::Elsewhere(list.href(&query)),
            Ok(query) => Self::List(query),
            Err(violations) => Self::Refused(violations),
        }
    }
}

#[derive(Default)]
pub(super) struct Content {
    pub page: Page<ListedRun>,
    /// Without the names of what can be chosen, a filter takes what is typed.
    pub choices: Choices,
    /// None where counting would take longer than the list.
    pub counts: Option<Counts>,
    pub views: Vec<SavedView>,
}

/// Everything that is drawn but the rows.
pub(super) struct Frame<'a> {
    pub list: List,
    pub request: &'a PageRequest,
    pub query: &'a ListQuery,
    pub clock: Clockface,
}

#[component]
pub fn RunsPage() -> impl IntoView {
    list_page(List::Runs)
}

#[component]
pub fn FailuresPage() -> impl IntoView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    if request.value("group") == Some("cause") {
        return view! { <CausesPage /> }.into_any();
    }
    list_page(List::Failures)
}

#[component]
pub fn StuckPage() -> impl IntoView {
    list_page(List::Stuck)
}

fn list_page(list: List) -> AnyView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    let asked = Asked::read(list, &request);
    if let Asked::Elsewhere(address) = &asked {
        see_other(address);
        return ().into_any();
    }
    let content = load({
        let asked = asked.clone();
        move || fetch(list, asked.clone())
    });
    let title = match list {
        List::Runs => PageTitle::Operations,
        List::Failures => PageTitle::Failures,
        List::Stuck => PageTitle::Stuck,
    };
    view! {
        <SetTitle title />
        <Suspense>
            {move || {
                let (request, asked) = (request.clone(), asked.clone());
                Suspend::new(async move {
                    let content = content.await;
                    draw(list, &request, &asked, &content)
                })
            }}
        </Suspense>
    }
    .into_any()
}

fn fetch(list: List, asked: Asked) -> impl Future<Output = Result<Content, ApiError>> + Send {
    let lists = enter::<View, dyn Lists>();
    let views = enter::<View, dyn SavedViews>();
    async move {
        let (permit, lists) = lists.await?;
        let (_, views) = views.await?;
        // A list without its names, figures and views is still a list.
        let choices = lists.choices(&permit).await.unwrap_or_default();
        let query = match asked {
            Asked::List(query) => query,
            Asked::Refused(_) => return Ok(Content { choices, ..Content::default() }),
            Asked::Elsewhere(_) => return Ok(Content::default()),
        };
        let page = lists.list(&permit, list, &query).await?;
        let shared = List::Runs.carry(&query);
        let counts = match query.value("q") {
            None => lists.counts(&permit, &shared).await.ok(),
            // What words find is looked for in the rows, once per figure.
            Some(_) => None,
        };
        let of_list = [("list".to_owned(), list.as_str().to_owned())];
        let mut saved = ListQuery::parse(SAVED_VIEW_FILTERS, of_list).unwrap_or_default();
        saved.page_size = Some(crate::list::PAGE_SIZE_MAX);
        let views = views.list(&permit, &saved).await.map(|page| page.items);
        Ok(Content { page, choices, counts, views: views.unwrap_or_default() })
    }
}

fn draw(
    list: List,
    request: &PageRequest,
    asked: &Asked,
    content: &Result<Content, ApiError>,
) -> AnyView {
    let clock = Clockface::of(request);
    match (content, asked) {
        (Ok(content), Asked::List(query)) => drawn(&Frame { list, request, query, clock }, content),
        (Ok(content), Asked::Refused(violations)) => {
            let query = &ListQuery::default();
            refused(&Frame { list, request, query, clock }, &content.choices, violations)
        }
        (Ok(_), Asked::Elsewhere(_)) => ().into_any(),
        (Err(error), _) => view! { <Failure error=error.clone() /> }.into_any(),
    }
}

fn drawn(frame: &Frame<'_>, content: &Content) -> AnyView {
    let Frame { list, request, query, clock } = frame;
    let list = *list;
    let suggestions = suggestions(&content.choices);
    let chips = view! {
        <Chips
            filters=list.filters()
            query=(*query).clone()
            href=href_of(list)
            suggestions=suggestions.clone()
            clock=clock.clone()
        />
    };
    let counts = content.counts.as_ref();
    let views = view_menu(frame, content);
    view! {
        <PageHead title=title(list) lede=lede(list, &content.page, query) actions=way_out(list) />
        {tabs(list, query, counts)}
        {(list == List::Failures).then(|| failures_as(false, query))}
        <div class="stack tight">
            {bar(list, request, suggestions, clock)}
            {counts.and_then(|counts| state_counts(list, query, counts))}
            <div class="filterline">
                <div class="kept">{views} {chips}</div>
                {live(list, query)}
            </div>
        </div>
        {rows(frame, &content.page)}
    }
    .into_any()
}

pub(super) fn title(list: List) -> &'static str {
    match list {
        List::Runs => "Operations",
        List::Failures => "Failed operations",
        List::Stuck => "Stuck operations",
    }
}

/// The address of a list is a plain function, since chips keep it.
fn href_of(list: List) -> fn(&ListQuery) -> String {
    match list {
        List::Runs => |query| List::Runs.href(query),
        List::Failures => |query| List::Failures.href(query),
        List::Stuck => |query| List::Stuck.href(query),
    }
}

pub(super) fn suggestions(choices: &Choices) -> Suggestions {
    let named = |names: &[crate::operations::model::Named]| {
        names.iter().map(|n| (n.id.to_string(), n.name.clone())).collect::<Vec<_>>()
    };
    Suggestions::default()
        .with("type", choices.types.iter().cloned())
        .with("workspace_id", named(&choices.workspaces))
        .with("tenant_id", named(&choices.tenants))
        .with("initiator", choices.initiators.iter().map(|name| (name.clone(), name.clone())))
}

fn bar(
    list: List,
    request: &PageRequest,
    suggestions: Suggestions,
    clock: &Clockface,
) -> impl IntoView + use<> {
    view! {
        <FilterBar
            action=list.href(&ListQuery::default())
            filters=list.filters()
            primary=PRIMARY
            pairs=request.pairs.clone()
            suggestions
            clock=clock.clone()
        />
    }
}

fn refused(frame: &Frame<'_>, choices: &Choices, violations: &[Violation]) -> AnyView {
    let list = frame.list;
    set_status(ApiError::Invalid(violations.to_vec()).status());
    let sentences = violations
        .iter()
        .map(|violation| view! { <li>{with_code(&violation.sentence())}</li> })
        .collect_view();
    view! {
        <PageHead title=title(list) actions=way_out(list) />
        {bar(list, frame.request, suggestions(choices), &frame.clock)}
        <Alert tone=Tone::Bad title="This list cannot be shown as asked.">
            <ul>{sentences}</ul>
            <p>
                <a href=paths::runs()>"Show all operations"</a>
            </p>
        </Alert>
    }
    .into_any()
}

/// Further down the list there is nothing new to come, so only its beginning is live.
fn live(list: List, query: &ListQuery) -> Option<AnyView> {
    (query.cursor.is_none() && query.page() == 1).then(|| {
        view! {
            <LiveRuns
                stream=paths::events_stream()
                section=list.as_str().to_owned()
                topic=events::OPERATIONS.to_owned()
                list=list.as_str().to_owned()
                query=query.from_start().to_query_string()
            />
        }
        .into_any()
    })
}

fn rows(frame: &Frame<'_>, page: &Page<ListedRun>) -> AnyView {
    let Frame { list, query, clock, .. } = frame;
    let after = page.items.iter().map(|row| row.run.id).max();
    let after = after.or(page.searched.map(|s| s.down_to_id)).unwrap_or(0);
    let body = if page.items.is_empty() {
        empty(*list, page, query)
    } else {
        table(*list, &page.items, clock)
    };
    let newer = page.previous_cursor.as_deref().map(|cursor| at(*list, query, cursor));
    let older = page.next_cursor.as_deref().map(|cursor| at(*list, query, cursor));
    let paging = (newer.is_some() || older.is_some() || !page.items.is_empty())
        .then(|| view! { <Pagination place=place(page) newer older /> });
    view! {
        <section
            id=list.as_str()
            class="stack"
            data-topics=events::OPERATIONS
            data-after=after
        >
            {body}
            {page.searched.map(|searched| went_on(*list, searched, query))}
            {(*list == List::Stuck && page.total_capped).then(list_rows::looked_at_most)}
            {paging}
        </section>
    }
    .into_any()
}

/// The list at a place that the service named; its own answer is always readable.
fn at(list: List, query: &ListQuery, cursor: &str) -> String {
    let mut pairs = query.from_start().pairs();
    pairs.push(("cursor".to_owned(), cursor.to_owned()));
    list.href(&ListQuery::parse(list.filters(), pairs).unwrap_or_default())
}

fn went_on(list: List, searched: Searched, query: &ListQuery) -> impl IntoView {
    let on = list.href(&query.at(Cursor::OlderThan(searched.down_to_id)));
    let sentence = format!(
        "Searched the newest {} operations so far, down to #{}.",
        grouped(searched.rows),
        searched.down_to_id
    );
    view! {
        <p class="dim">
            {sentence} " " <a href=on>"Go on with older ones"</a>
        </p>
    }
}

fn empty(list: List, page: &Page<ListedRun>, query: &ListQuery) -> AnyView {
    let here = || list.href(&ListQuery::default());
    let clear = "Clear filters";
    let all = "Show all operations";
    let (title, why, step, href) = match (query.is_filtered(), list) {
        (true, _) if page.searched.is_some() => {
            ("Nothing found yet", "None of the operations searched so far matches.", clear, here())
        }
        (true, _) => (
            "No operation matches",
            "No operation has all the values that are set above.",
            clear,
            here(),
        ),
        (false, _) if page.total > 0 => {
            ("Nothing on this page", "The list ends before this page.", "Go to the newest", here())
        }
        (false, List::Runs) => (
            "No operations yet",
            "Nobody has started one, and no schedule has come due. Runbooks are where they start.",
            "Go to runbooks",
            paths::runbooks(),
        ),
        (false, List::Failures) => {
            ("No failed operations", "Whatever has ended so far, ended well.", all, paths::runs())
        }
        (false, List::Stuck) => (
            "No stuck operations",
            "Whatever waits or runs does so within its time.",
            all,
            paths::runs(),
        ),
    };
    view! {
        <div class="card">
            <EmptyState title why step=step.to_owned() href />
        </div>
    }
    .into_any()
}

/// The name of who asked; what kind of caller it was when there is none.
pub(super) fn initiator(run: &OperationRun) -> String {
    run.initiator_name.clone().unwrap_or_else(|| run.initiator_kind.replace('_', " "))
}

//! `/system/ops/failures?group=cause`: what fails, and how often? Each cause leads to its failures.

use leptos::prelude::*;

use super::{
    list_head::{failures_as, tabs, way_out},
    runs::{suggestions, title},
};
use crate::{
    error::{ApiError, Violation},
    identity::enter,
    list::{ListQuery, Page},
    operations::{
        Lists, View,
        filters::{GROUP_FILTERS, List},
        lists::{Choices, Counts, FailureGroup},
    },
    paths,
    request::PageRequest,
    ui::{
        Alert, Clockface, Column, EmptyState, Moment, PageHead, PageTitle, SetTitle, Table, Tone,
        answer::{see_other, set_status},
        failure::{Failure, with_code},
        filters::{Chips, FilterBar, canonical},
        load,
        pagination::{Pagination, capped, grouped, place},
        table::RowLink,
    },
};

const COLUMNS: &[Column] = &[
    Column::text("Cause"),
    Column::number("Failures"),
    Column::number("First seen"),
    Column::number("Last seen"),
    Column::text("Newest"),
];

#[derive(Clone)]
enum Asked {
    List(ListQuery),
    Refused(Vec<Violation>),
    Elsewhere(String),
}

impl Asked {
    fn read(request: &PageRequest) -> Self {
        let rest = request.pairs.iter().filter(|(key, _)| key != "group").cloned();
        let rest: Vec<(String, String)> = rest.collect();
        let pairs = canonical(GROUP_FILTERS, &rest, &request.zone.tz);
        match ListQuery::parse(GROUP_FILTERS, pairs.iter().cloned()) {
            Ok(query) if pairs != rest => Self::Elsewhere(paths::failures_by_cause(&query)),
            Ok(query) => Self::List(query),
            Err(violations) => Self::Refused(violations),
        }
    }
}

#[derive(Default)]
struct Content {
    page: Page<FailureGroup>,
    choices: Choices,
    counts: Option<Counts>,
}

#[component]
pub fn CausesPage() -> impl IntoView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    let asked = Asked::read(&request);
    if let Asked::Elsewhere(address) = &asked {
        see_other(address);
        return ().into_any();
    }
    let content = load({
        let asked = asked.clone();
        move || fetch(asked.clone())
    });
    view! {
        <SetTitle title=PageTitle::Failures />
        <Suspense>
            {move || {
                let (request, asked) = (request.clone(), asked.clone());
                Suspend::new(async move {
                    let content = content.await;
                    draw(&request, &asked, &content)
                })
            }}
        </Suspense>
    }
    .into_any()
}

fn fetch(asked: Asked) -> impl Future<Output = Result<Content, ApiError>> + Send {
    let entered = enter::<View, dyn Lists>();
    async move {
        let (permit, lists) = entered.await?;
        let choices = lists.choices(&permit).await.unwrap_or_default();
        let Asked::List(query) = asked else {
            return Ok(Content { choices, ..Content::default() });
        };
        let page = lists.failure_groups(&permit, &query).await?;
        let shared = List::Runs.carry(&without_words(&query));
        let counts = lists.counts(&permit, &shared).await.ok();
        Ok(Content { page, choices, counts })
    }
}

/// Words look into causes here and into rows there.
fn without_words(query: &ListQuery) -> ListQuery {
    query.value("q").map_or_else(|| query.clone(), |words| query.without("q", words))
}

fn draw(request: &PageRequest, asked: &Asked, content: &Result<Content, ApiError>) -> AnyView {
    let (content, query) = match (content, asked) {
        (Ok(content), Asked::List(query)) => (content, query),
        (Ok(content), Asked::Refused(violations)) => {
            return refused(request, &content.choices, violations);
        }
        (Ok(_), Asked::Elsewhere(_)) => return ().into_any(),
        (Err(error), _) => return view! { <Failure error=error.clone() /> }.into_any(),
    };
    let clock = Clockface::of(request);
    let elsewhere = without_words(query);
    view! {
        <PageHead
            title=title(List::Failures)
            lede=lede(&content.page).into_any()
            actions=way_out(List::Failures)
        />
        {tabs(List::Failures, &elsewhere, content.counts.as_ref())}
        {failures_as(true, query)}
        <div class="stack tight">
            {bar(request, &content.choices)}
            <Chips
                filters=GROUP_FILTERS
                query=query.clone()
                href=paths::failures_by_cause
                suggestions=suggestions(&content.choices)
                clock=clock.clone()
            />
        </div>
        {list(&content.page, query, &clock)}
    }
    .into_any()
}

fn lede(page: &Page<FailureGroup>) -> String {
    match page.total {
        0 => "What fails for the same reason is one line.".to_owned(),
        1 => {
            "1 cause: failures that say the same but for ids, numbers, paths and times.".to_owned()
        }
        total => format!(
            "{} causes, the one that was seen last first.",
            capped(total, page.total_capped)
        ),
    }
}

fn bar(request: &PageRequest, choices: &Choices) -> impl IntoView + use<> {
    view! {
        <FilterBar
            action=paths::failures()
            filters=GROUP_FILTERS
            primary=GROUP_FILTERS.len()
            pairs=request.pairs.clone()
            suggestions=suggestions(choices)
            clock=Clockface::of(request)
            kept=vec![("group", "cause")]
        />
    }
}

fn refused(request: &PageRequest, choices: &Choices, violations: &[Violation]) -> AnyView {
    set_status(ApiError::Invalid(violations.to_vec()).status());
    let sentences = violations
        .iter()
        .map(|violation| view! { <li>{with_code(&violation.sentence())}</li> })
        .collect_view();
    view! {
        <PageHead title=title(List::Failures) actions=way_out(List::Failures) />
        {bar(request, choices)}
        <Alert tone=Tone::Bad title="This list cannot be shown as asked.">
            <ul>{sentences}</ul>
            <p>
                <a href=paths::runs()>"Show all operations"</a>
            </p>
        </Alert>
    }
    .into_any()
}

fn list(page: &Page<FailureGroup>, query: &ListQuery, clock: &Clockface) -> AnyView {
    if page.items.is_empty() {
        return empty(query);
    }
    let at = |cursor: &String| {
        let mut pairs = query.from_start().pairs();
        pairs.push(("cursor".to_owned(), cursor.clone()));
        paths::failures_by_cause(&ListQuery::parse(GROUP_FILTERS, pairs).unwrap_or_default())
    };
    let newer = page.previous_cursor.as_ref().map(at);
    let older = page.next_cursor.as_ref().map(at);
    let rows = page.items.iter().map(|group| row(group, query, clock)).collect_view();
    view! {
        <section id="causes" class="stack">
            <div class="card">
                <Table caption="Causes of failures, the one seen last first" columns=COLUMNS>
                    {rows}
                </Table>
            </div>
            <Pagination place=place(page) newer older />
        </section>
    }
    .into_any()
}

fn empty(query: &ListQuery) -> AnyView {
    let (title, why, step, href) = if query.is_filtered() {
        (
            "No cause matches",
            "No cause of a failure has all the values that are set above.",
            "Clear filters",
            paths::failures_by_cause(&ListQuery::default()),
        )
    } else {
        (
            "No failed operations",
            "Whatever has ended so far, ended well.",
            "Show all operations",
            paths::runs(),
        )
    };
    view! {
        <div class="card">
            <EmptyState title why step=step.to_owned() href />
        </div>
    }
    .into_any()
}

fn row(group: &FailureGroup, query: &ListQuery, clock: &Clockface) -> impl IntoView + use<> {
    // The failures of this cause in the workspaces that are looked at.
    let pairs = query.values("workspace_id").iter();
    let pairs = pairs.map(|id| ("workspace_id".to_owned(), id.clone()));
    let cause = ("fingerprint".to_owned(), group.fingerprint.clone());
    let failures = ListQuery::parse(List::Failures.filters(), pairs.chain([cause]));
    let href = List::Failures.href(&failures.unwrap_or_default());
    let spread = (group.workspaces > 1)
        .then(|| format!("in {} workspaces", grouped(group.workspaces)))
        .map(|said| view! { <span class="dim">" " {said}</span> });
    let newest = format!("Operation #{}", group.last_run_id);
    let summary = group.summary.clone();
    view! {
        <tr>
            <td>
                <RowLink href>{summary}</RowLink>
                <div class="dim">
                    {group.type_label.clone()} " " <code>{group.code.clone()}</code> {spread}
                </div>
            </td>
            <td class="num">{grouped(group.failures)}</td>
            <td class="num">
                <Moment at=group.first_seen clock=clock.clone() />
            </td>
            <td class="num">
                <Moment at=group.last_seen clock=clock.clone() />
            </td>
            <td>
                <a class="above" href=paths::run(group.last_run_id)>
                    {newest}
                </a>
            </td>
        </tr>
    }
}

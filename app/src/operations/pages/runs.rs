//! `/system/ops/runs`: which operation should I open next?
//!
//! Seed 003: rows open by a click anywhere on them, there are no row or bulk actions, and the one way out of
//! the header is `Go to runbooks`.

use leptos::prelude::*;

use crate::{
    error::{ApiError, Violation},
    events,
    list::{Cursor, ListQuery, Page, Searched},
    operations::{
        View, enter,
        model::{FILTERS, OperationRun, OperationType},
        parts::{LiveRuns, OutcomeBadge, RunStatus},
    },
    paths,
    request::PageRequest,
    ui::{
        Alert, Clockface, Column, EmptyState, Moment, PageHead, PageTitle, SetTitle, Table, Tone,
        Took,
        answer::{see_other, set_status},
        failure::{Failure, with_code},
        filters::{Chips, FilterBar, Suggestions, canonical},
        load,
        pagination::{Pagination, capped, grouped, place},
        table::RowLink,
    },
};

const SECTION: &str = "runs";
/// Search, type, status and outcome stand in the first line of the filter bar.
const PRIMARY: usize = 4;
const COLUMNS: &[Column] = &[
    Column::text("Operation"),
    Column::text("Workspace / tenant"),
    Column::text("Status"),
    Column::text("Outcome"),
    Column::text("Initiator"),
    Column::number("Created"),
    Column::number("Took"),
];

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
    fn read(request: &PageRequest) -> Self {
        let pairs = canonical(FILTERS, &request.pairs, &request.zone.tz);
        match ListQuery::parse(FILTERS, pairs.iter().cloned()) {
            Ok(query) if pairs != request.pairs => Self::Elsewhere(paths::runs_where(&query)),
            Ok(query) => Self::List(query),
            Err(violations) => Self::Refused(violations),
        }
    }
}

struct Content {
    page: Result<Page<OperationRun>, ApiError>,
    /// For the filter by type; without it that filter takes what is typed.
    catalog: Vec<OperationType>,
}

#[component]
pub fn RunsPage() -> impl IntoView {
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
    let clock = Clockface::of(&request);
    view! {
        <SetTitle title=PageTitle::Operations />
        <Suspense>
            {move || {
                let (request, asked, clock) = (request.clone(), asked.clone(), clock.clone());
                Suspend::new(async move {
                    let content = content.await;
                    draw(&request, asked, &content, &clock)
                })
            }}
        </Suspense>
    }
    .into_any()
}

async fn fetch(asked: Asked) -> Content {
    let entered = enter::<View>();
    let (permit, operations) = match entered.await {
        Ok(entered) => entered,
        Err(error) => return Content { page: Err(error), catalog: Vec::new() },
    };
    let page = match asked {
        Asked::List(query) => operations.list(&permit, &query).await,
        Asked::Refused(violations) => Err(ApiError::Invalid(violations)),
        Asked::Elsewhere(_) => Err(ApiError::NotFound(crate::error::Thing::Page)),
    };
    // A list without the names of its types is still a list.
    let catalog = operations.catalog(&permit).await.unwrap_or_default();
    Content { page, catalog }
}

fn draw(request: &PageRequest, asked: Asked, content: &Content, clock: &Clockface) -> AnyView {
    let suggestions = Suggestions::default().with(
        "type",
        content.catalog.iter().map(|entry| (entry.kind.clone(), entry.label.clone())),
    );
    let bar = view! {
        <FilterBar
            action=paths::runs()
            filters=FILTERS
            primary=PRIMARY
            pairs=request.pairs.clone()
            suggestions=suggestions.clone()
            clock=clock.clone()
        />
    };
    match (&content.page, asked) {
        (Ok(page), Asked::List(query)) => {
            let chips = view! {
                <Chips
                    filters=FILTERS
                    query=query.clone()
                    href=paths::runs_where
                    suggestions
                    clock=clock.clone()
                />
            };
            view! {
                <PageHead title="Operations" lede=lede(page, &query) actions=to_runbooks() />
                <div class="stack tight">{bar} <div class="filterline">{chips} {live(&query)}</div></div>
                {list(page, &query, clock)}
            }
            .into_any()
        }
        (Err(ApiError::Invalid(violations)), _) => {
            set_status(ApiError::Invalid(violations.clone()).status());
            let sentences = violations
                .iter()
                .map(|violation| view! { <li>{with_code(&violation.sentence())}</li> })
                .collect_view();
            view! {
                <PageHead title="Operations" actions=to_runbooks() />
                {bar}
                <Alert tone=Tone::Bad title="This list cannot be shown as asked.">
                    <ul>{sentences}</ul>
                    <p>
                        <a href=paths::runs()>"Show all operations"</a>
                    </p>
                </Alert>
            }
            .into_any()
        }
        (Err(error), _) => view! { <Failure error=error.clone() /> }.into_any(),
        (Ok(_), _) => ().into_any(),
    }
}

fn to_runbooks() -> AnyView {
    view! {
        <a class="btn primary" href=paths::runbooks()>
            "Go to runbooks"
        </a>
    }
    .into_any()
}

fn lede(page: &Page<OperationRun>, query: &ListQuery) -> AnyView {
    let total = capped(page.total, page.total_capped);
    let said = match (page.total, query.is_filtered()) {
        (0, _) => "What a person or a schedule asked for, newest first.".to_owned(),
        (1, true) => "1 operation matches.".to_owned(),
        (1, false) => "1 operation so far.".to_owned(),
        (_, true) => format!("{total} operations match, newest first."),
        (_, false) => format!("{total} operations, newest first."),
    };
    view! { <span id=format!("{SECTION}-total")>{said}</span> }.into_any()
}

/// Further down the list there is nothing new to come, so only its beginning is live.
fn live(query: &ListQuery) -> Option<AnyView> {
    (query.cursor.is_none() && query.page() == 1).then(|| {
        view! {
            <LiveRuns
                stream=paths::events_stream()
                section=SECTION.to_owned()
                topic=events::OPERATIONS.to_owned()
                query=query.from_start().to_query_string()
            />
        }
        .into_any()
    })
}

fn list(page: &Page<OperationRun>, query: &ListQuery, clock: &Clockface) -> AnyView {
    let after = page.items.iter().map(|run| run.id).max();
    let after = after.or(page.searched.map(|s| s.down_to_id)).unwrap_or(0);
    let body = if page.items.is_empty() {
        empty(page, query)
    } else {
        let rows = page.items.iter().map(|run| row(run, clock)).collect_view();
        view! {
            <div class="card">
                <Table caption="Operations, newest first" columns=COLUMNS>
                    {rows}
                </Table>
            </div>
        }
        .into_any()
    };
    let newer = page.previous_cursor.as_deref().map(|cursor| at(query, cursor));
    let older = page.next_cursor.as_deref().map(|cursor| at(query, cursor));
    let paging = (newer.is_some() || older.is_some() || !page.items.is_empty())
        .then(|| view! { <Pagination place=place(page) newer older /> });
    view! {
        <section id=SECTION class="stack" data-topics=events::OPERATIONS data-after=after>
            {body}
            {page.searched.map(|searched| went_on(searched, query))}
            {paging}
        </section>
    }
    .into_any()
}

/// The list at a place that the service named; its own answer is always readable.
fn at(query: &ListQuery, cursor: &str) -> String {
    let mut pairs = query.from_start().pairs();
    pairs.push(("cursor".to_owned(), cursor.to_owned()));
    paths::runs_where(&ListQuery::parse(FILTERS, pairs).unwrap_or_default())
}

fn went_on(searched: Searched, query: &ListQuery) -> impl IntoView {
    let on = paths::runs_where(&query.at(Cursor::OlderThan(searched.down_to_id)));
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

fn empty(page: &Page<OperationRun>, query: &ListQuery) -> AnyView {
    let (title, why, step, href) = if query.is_filtered() && page.searched.is_some() {
        (
            "Nothing found yet",
            "None of the operations searched so far matches.",
            "Clear filters",
            paths::runs(),
        )
    } else if query.is_filtered() {
        (
            "No operation matches",
            "No operation has all the values that are set above.",
            "Clear filters",
            paths::runs(),
        )
    } else if page.total > 0 {
        (
            "Nothing on this page",
            "The list ends before this page.",
            "Go to the newest",
            paths::runs(),
        )
    } else {
        (
            "No operations yet",
            "Nobody has started one, and no schedule has come due. Runbooks are where they start.",
            "Go to runbooks",
            paths::runbooks(),
        )
    };
    view! {
        <div class="card">
            <EmptyState title why step=step.to_owned() href />
        </div>
    }
    .into_any()
}

fn row(run: &OperationRun, clock: &Clockface) -> impl IntoView + use<> {
    let (id, label) = (run.id, run.type_label.clone());
    let target = run.target_label.clone().or_else(|| run.target.clone());
    let target = target.map(|target| view! { <span class="short mono dim">{target}</span> });
    let why = run.error_summary.clone().map(|why| view! { <div class="why bad">{why}</div> });
    let place = match &run.tenant {
        Some(tenant) => format!("{} / {}", run.workspace.name, tenant.name),
        None => run.workspace.name.clone(),
    };
    view! {
        <tr data-id=run.id>
            <td>
                <RowLink href=paths::run(run.id)>
                    <span class="faint num">{format!("Operation #{id}")}</span>
                    " "
                    {label}
                </RowLink>
                " "
                {target}
                {why}
            </td>
            <td>
                <span class="short">{place}</span>
            </td>
            <td>
                <RunStatus status=run.status />
            </td>
            <td>
                <OutcomeBadge outcome=run.outcome />
            </td>
            <td>
                <span class="short">{initiator(run)}</span>
            </td>
            <td class="num">
                <Moment at=run.created_at clock=clock.clone() />
            </td>
            <td class="num">
                <Took from=run.started_at to=run.completed_at now=clock.now />
            </td>
        </tr>
    }
}

/// The name of who asked; what kind of caller it was when there is none.
pub(super) fn initiator(run: &OperationRun) -> String {
    run.initiator_name.clone().unwrap_or_else(|| run.initiator_kind.replace('_', " "))
}

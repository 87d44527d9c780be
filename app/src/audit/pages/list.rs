//! `/audit`: who did what, and might they?

use leptos::prelude::*;

use crate::{
    audit::{
        enter,
        model::{AuditEntry, Decision, FILTERS, beginnings},
        parts::{DecisionBadge, LiveAudit, actor, target},
    },
    error::{ApiError, Thing, Violation},
    events,
    identity::Capability,
    list::{Cursor, ListQuery, Page, Searched},
    paths,
    request::PageRequest,
    ui::{
        Alert, Clockface, Column, EmptyState, Moment, PageHead, PageTitle, SetTitle, Table, Tone,
        answer::{see_other, set_status},
        failure::{Failure, with_code},
        filters::{Chips, FilterBar, Suggestions, canonical},
        load,
        pagination::{Pagination, capped, grouped, place},
        table::RowLink,
    },
};

const SECTION: &str = "entries";
/// Action, decision, actor and target stand in the first line of the filter bar.
const PRIMARY: usize = 4;
const COLUMNS: &[Column] = &[
    Column::text("Action"),
    Column::text("Actor"),
    Column::text("Decision"),
    Column::text("Target"),
    Column::text("Workspace"),
    Column::number("When"),
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
            Ok(query) if pairs != request.pairs => Self::Elsewhere(paths::audit_where(&query)),
            Ok(query) => Self::List(query),
            Err(violations) => Self::Refused(violations),
        }
    }
}

struct Content {
    page: Result<Page<AuditEntry>, ApiError>,
    /// For the filter by action; without it that filter takes what is typed.
    actions: Vec<String>,
}

#[component]
pub fn AuditPage() -> impl IntoView {
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
        <SetTitle title=PageTitle::Audit />
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

fn fetch(asked: Asked) -> impl Future<Output = Content> + Send {
    let entered = enter();
    async move {
        let (permit, audit) = match entered.await {
            Ok(entered) => entered,
            Err(error) => return Content { page: Err(error), actions: Vec::new() },
        };
        let page = match asked {
            Asked::List(query) => audit.list(&permit, &query).await,
            Asked::Refused(violations) => Err(ApiError::Invalid(violations)),
            Asked::Elsewhere(_) => Err(ApiError::NotFound(Thing::Page)),
        };
        // A list without suggestions is still a list.
        let actions = audit.actions(&permit).await.unwrap_or_default();
        Content { page, actions }
    }
}

fn suggestions(content: &Content) -> Suggestions {
    let capabilities = Capability::ALL.iter().map(|c| c.as_str().to_owned());
    let suggestions =
        Suggestions::default().with("capability", capabilities.map(|name| (name.clone(), name)));
    if content.actions.is_empty() {
        return suggestions;
    }
    suggestions.with("action", beginnings(&content.actions))
}

fn draw(request: &PageRequest, asked: Asked, content: &Content, clock: &Clockface) -> AnyView {
    let suggestions = suggestions(content);
    let bar = view! {
        <FilterBar
            action=paths::audit()
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
                    href=paths::audit_where
                    suggestions
                    clock=clock.clone()
                />
            };
            view! {
                <PageHead title="Audit log" lede=lede(page, &query) />
                <div class="stack tight">
                    {bar} <div class="filterline">{chips} {export(&query)} {live(&query)}</div>
                </div>
                {list(page, &query, clock)}
            }
            .into_any()
        }
        (Err(ApiError::Invalid(violations)), _) => refused(violations, bar.into_any()),
        (Err(error), _) => view! { <Failure error=error.clone() /> }.into_any(),
        (Ok(_), _) => ().into_any(),
    }
}

fn refused(violations: &[Violation], bar: AnyView) -> AnyView {
    set_status(ApiError::Invalid(violations.to_vec()).status());
    let sentences = violations
        .iter()
        .map(|violation| view! { <li>{with_code(&violation.sentence())}</li> })
        .collect_view();
    view! {
        <PageHead title="Audit log" />
        {bar}
        <Alert tone=Tone::Bad title="This list cannot be shown as asked.">
            <ul>{sentences}</ul>
            <p>
                <a href=paths::audit()>"Show all entries"</a>
            </p>
        </Alert>
    }
    .into_any()
}

fn lede(page: &Page<AuditEntry>, query: &ListQuery) -> AnyView {
    let total = capped(page.total, page.total_capped);
    let said = match (page.total, query.is_filtered()) {
        (0, _) => "Every change, every refusal and every sensitive read, newest first.".to_owned(),
        (1, true) => "1 entry matches.".to_owned(),
        (1, false) => "1 entry so far.".to_owned(),
        (_, true) => format!("{total} entries match, newest first."),
        (_, false) => format!("{total} entries, newest first."),
    };
    view! { <span id=format!("{SECTION}-total")>{said}</span> }.into_any()
}

/// The list as a file, with what proves it. Taking it is an entry of its own.
fn export(query: &ListQuery) -> AnyView {
    view! {
        <span class="dim">
            "Export "
            <a href=paths::audit_export("csv", query) download="">
                "CSV"
            </a>
            " "
            <a href=paths::audit_export("ndjson", query) download="">
                "NDJSON bundle"
            </a>
        </span>
    }
    .into_any()
}

/// Further down the list there is nothing new to come, so only its beginning is live.
fn live(query: &ListQuery) -> Option<AnyView> {
    (query.cursor.is_none() && query.page() == 1).then(|| {
        view! {
            <LiveAudit
                stream=paths::events_stream()
                section=SECTION.to_owned()
                topic=events::AUDIT.to_owned()
                query=query.from_start().to_query_string()
            />
        }
        .into_any()
    })
}

fn list(page: &Page<AuditEntry>, query: &ListQuery, clock: &Clockface) -> AnyView {
    let after = page.items.iter().map(|entry| entry.seq).max();
    let after = after.or(page.searched.map(|s| s.down_to_id)).unwrap_or(0);
    let body = if page.items.is_empty() {
        empty(page, query)
    } else {
        let rows = page.items.iter().map(|entry| row(entry, clock)).collect_view();
        view! {
            <div class="card">
                <Table caption="Audit entries, newest first" columns=COLUMNS>
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
        <section id=SECTION class="stack" data-topics=events::AUDIT data-after=after>
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
    paths::audit_where(&ListQuery::parse(FILTERS, pairs).unwrap_or_default())
}

fn went_on(searched: Searched, query: &ListQuery) -> impl IntoView {
    let on = paths::audit_where(&query.at(Cursor::OlderThan(searched.down_to_id)));
    let sentence = format!(
        "Searched the newest {} entries so far, down to #{}.",
        grouped(searched.rows),
        searched.down_to_id
    );
    view! {
        <p class="dim">
            {sentence} " " <a href=on>"Go on with older ones"</a>
        </p>
    }
}

fn empty(page: &Page<AuditEntry>, query: &ListQuery) -> AnyView {
    let (title, why, step) = if query.is_filtered() && page.searched.is_some() {
        ("Nothing found yet", "None of the entries searched so far matches.", "Clear filters")
    } else if query.is_filtered() {
        ("No entry matches", "No entry has all the values that are set above.", "Clear filters")
    } else if page.total > 0 {
        ("Nothing on this page", "The list ends before this page.", "Go to the newest")
    } else {
        (
            "Nothing recorded yet",
            "Changes, refusals and sensitive reads leave an entry here; page views do not.",
            "Look again",
        )
    };
    view! {
        <div class="card">
            <EmptyState title why step=step.to_owned() href=paths::audit() />
        </div>
    }
    .into_any()
}

fn row(entry: &AuditEntry, clock: &Clockface) -> impl IntoView + use<> {
    let (seq, action) = (entry.seq, entry.action.clone());
    let why = entry.reason.clone().filter(|why| !why.is_empty());
    // Of a refusal, what was missing is what one looks for.
    let missing = entry.capability.clone().filter(|_| entry.decision == Decision::Denied);
    let why = why.or(missing.map(|capability| format!("needs {capability}")));
    let why = why.map(|why| view! { <div class="why">{why}</div> });
    let behalf = entry.on_behalf_of.as_ref().filter(|whom| !whom.is_empty());
    let behalf = behalf.map(|whom| view! { <div class="why">{format!("for {whom}")}</div> });
    view! {
        <tr data-id=seq>
            <td>
                <RowLink href=paths::audit_entry(seq)>
                    <span class="faint num">{format!("#{seq}")}</span>
                    " "
                    {action}
                </RowLink>
                {why}
            </td>
            <td>
                <span class="short">{actor(entry)}</span>
                {behalf}
            </td>
            <td>
                <DecisionBadge decision=entry.decision />
            </td>
            <td>
                <span class="short">{target(entry)}</span>
            </td>
            <td>
                <span class="short">{entry.workspace_name.clone()}</span>
            </td>
            <td class="num">
                <Moment at=entry.at clock=clock.clone() />
            </td>
        </tr>
    }
}

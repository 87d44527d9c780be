//! `/`: what needs a human now?
//!
//! Each row leads to where something can be done about it; nothing is decided here.

use std::sync::Arc;

use leptos::prelude::*;

use super::welcome::welcome;
use crate::{
    error::ApiError,
    events,
    home::{
        Home,
        model::{Closed, FailedAgain, FailedToday, LeftBy, OpenRow, OpenWork, Severity, day_began},
    },
    identity::{Caller, enter_as_caller},
    paths,
    request::PageRequest,
    ui::{
        Alert, Card, Clockface, Column, Moment, PageHead, PageTitle, SetTitle, StatusBadge, Table,
        Tone, failure::Failure, live::LiveSections, load, pagination::grouped, table::RowLink,
    },
};

const SUMMARY: &str = "home-summary";
const LIST: &str = "open-work";

const COLUMNS: &[Column] = &[
    Column::text("What"),
    Column::text("Where"),
    Column::text("State"),
    Column::number("Since"),
    Column::text("Next step"),
];

#[component]
pub fn HomePage() -> impl IntoView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    let began = day_began(request.now, &request.zone.tz);
    let content = load(move || {
        let entered = enter_as_caller::<dyn Home>();
        async move {
            let (caller, home): (Caller, Arc<dyn Home>) = entered?;
            Ok::<_, ApiError>((home.open_work(&caller, began).await, caller))
        }
    });
    let clock = Clockface::of(&request);
    view! {
        <SetTitle title=PageTitle::Home />
        <Suspense>
            {move || {
                let clock = clock.clone();
                Suspend::new(async move {
                    match &*content.await {
                        Ok((work, caller)) if work.sources.is_empty() => welcome(caller),
                        Ok((work, _)) => draw(work, &clock),
                        Err(error) => view! { <Failure error=error.clone() /> }.into_any(),
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

fn draw(work: &OpenWork, clock: &Clockface) -> AnyView {
    let title = title(work);
    let said = title.clone();
    let lede = work.today.map(|today| lede(today, clock));
    let list = if work.rows.is_empty() { calm(work, clock) } else { list(work, clock) };
    let live = view! {
        <LiveSections
            stream=paths::events_stream()
            topics=vec![events::OPERATIONS.to_owned(), events::CLUSTERS.to_owned()]
            sections=vec![SUMMARY.to_owned(), LIST.to_owned()]
        />
    };
    let actions = view! {
        <a class="btn" href=paths::runs()>
            "Show all operations"
        </a>
    };
    view! {
        <section id=SUMMARY data-topics=events::OPERATIONS data-said=said>
            <PageHead title lede=lede.into_any() actions=actions.into_any() />
        </section>
        <div class="filterline">{live}</div>
        <section id=LIST data-topics=events::OPERATIONS class="stack">
            {unheard(work)}
            {list}
            {closed(&work.closed, clock)}
        </section>
    }
    .into_any()
}

fn title(work: &OpenWork) -> String {
    let unheard = work.sources.iter().any(|source| source.unavailable.is_some());
    match (work.rows.len(), work.more) {
        (0, _) if unheard => "What needs a human is not known right now".to_owned(),
        (0, _) => "Nothing needs a human".to_owned(),
        (1, false) => "1 thing needs a human".to_owned(),
        (n, false) => format!("{n} things need a human"),
        (n, true) => format!("More than {n} things need a human"),
    }
}

/// "Today 37 operations failed: 31 closed by a later success, 4 investigated, 2 open."
fn lede(today: FailedToday, clock: &Clockface) -> AnyView {
    let zone = clock.zone.name.clone();
    let cancelled = match today.cancelled {
        0 => String::new(),
        n => format!(" {} cancelled on request.", grouped(n)),
    };
    if today.failed == 0 {
        return view! {
            "Nothing failed today." {cancelled} " "
            <span class="faint">{format!("Since midnight, {zone}.")}</span>
        }
        .into_any();
    }
    let newest = if today.capped { "of the newest 10,000 " } else { "" };
    let retried = match today.retried {
        0 => String::new(),
        n => format!(", {} tried again in vain", grouped(n)),
    };
    let expired = match today.expired {
        0 => String::new(),
        n => format!(", {} left to itself", grouped(n)),
    };
    let figures = format!(
        ", {newest}{} closed by a later success, {} investigated, {} open{retried}{expired}.{cancelled} ",
        grouped(today.closed_by_success),
        grouped(today.investigated),
        grouped(today.open),
    );
    let more = if today.capped { "+" } else { "" };
    let failed = format!("{}{more} failed today", grouped(today.failed));
    view! {
        <a href=paths::failures()>{failed}</a>
        {figures}
        <span class="faint">{format!("Since midnight, {zone}.")}</span>
    }
    .into_any()
}

/// Sources that could not be asked: what they would have said is missing, and that is said.
fn unheard(work: &OpenWork) -> AnyView {
    let missing = work.sources.iter().filter_map(|source| {
        let why = source.unavailable.clone()?;
        let title = format!("Open work of {} is unavailable", source.name);
        Some(view! {
            <Alert tone=Tone::Warn title>
                <p>{why} " This list is without it."</p>
            </Alert>
        })
    });
    missing.collect_view().into_any()
}

fn calm(work: &OpenWork, clock: &Clockface) -> AnyView {
    let (title, why) = if work.sources.iter().any(|source| source.unavailable.is_some()) {
        ("Not known right now", "What could be asked has nothing open.")
    } else {
        (
            "Nothing needs a human",
            "Every operation that failed was followed by a success, was looked into, or is older than 7 days; all others move.",
        )
    };
    view! {
        <div class="card">
            <div class="empty">
                <h2>{title}</h2>
                <p class="dim">{why}</p>
                <p class="faint">
                    "Looked at " <Moment at=work.looked_at clock=clock.clone() exact=true /> " "
                    {clock.zone.name.clone()}
                </p>
            </div>
        </div>
    }
    .into_any()
}

fn list(work: &OpenWork, clock: &Clockface) -> AnyView {
    let rows = work.rows.iter().map(|row| draw_row(row, clock)).collect_view();
    let more = work.more.then(|| {
        let sentence = format!("The oldest {} are shown. There are more.", work.rows.len());
        view! { <p class="body dim">{sentence}</p> }
    });
    let remark = "oldest first · a row leaves when it is superseded by a success, investigated, moving again, or 7 days old";
    view! {
        <Card title="Open work" remark=remark.into_any() flush=true>
            <Table caption="What needs a human" columns=COLUMNS>
                {rows}
            </Table>
            {more}
        </Card>
    }
    .into_any()
}

fn draw_row(row: &OpenRow, clock: &Clockface) -> AnyView {
    let (tone, why_class) = match row.severity {
        Severity::Bad => (Tone::Bad, "why bad"),
        Severity::Warn => (Tone::Warn, "why"),
    };
    let times = (row.count > 1).then(|| {
        let times = format!(" {} times", grouped(row.count));
        view! { <span class="num">{times}</span> }
    });
    let why = row.why.clone().map(|why| view! { <div class=why_class>{why}</div> });
    let again = row.again.as_ref().map(|again| failed_again(again, clock));
    let subject =
        row.subject.clone().map(|subject| view! { <div class="mono short">{subject}</div> });
    let (href, what, state) = (row.href.clone(), row.what.clone(), row.state.clone());
    let workspace = row.workspace.name.clone();
    let next = view! { <a class="over" href=row.next.href.clone()>{row.next.label.clone()}</a> };
    let all = row.all.clone().map(|all| {
        view! {
            <div>
                <a class="over" href=all.href>
                    {all.label}
                </a>
            </div>
        }
    });
    view! {
        <tr data-id=row.key.clone()>
            <td>
                <RowLink href>{what} {times}</RowLink>
                {why}
                {again}
            </td>
            <td>
                {subject}
                <div class="dim">{workspace}</div>
            </td>
            <td>
                <StatusBadge tone word=state />
            </td>
            <td class="num">
                <Moment at=row.since clock=clock.clone() />
            </td>
            <td>{next} {all}</td>
        </tr>
    }
    .into_any()
}

/// "failed again after Ada marked it investigated 3 h ago".
fn failed_again(again: &FailedAgain, clock: &Clockface) -> AnyView {
    let who = again.investigated_by.clone().unwrap_or_else(|| "somebody".to_owned());
    let before = again.before.clone();
    view! {
        <div class="dim">
            "Failed again after " <bdi>{who}</bdi> " marked "
            <a class="over" href=before.href>
                {before.label}
            </a> " investigated "
            <Moment at=again.investigated_at clock=clock.clone() />
        </div>
    }
    .into_any()
}

/// What left the list today, so that nobody wonders where it went.
fn closed(closed: &[Closed], clock: &Clockface) -> Option<AnyView> {
    if closed.is_empty() {
        return None;
    }
    let lines = closed.iter().map(|closed| line(closed, clock)).collect_view();
    let card = view! {
        <Card title="Failed today, and closed">
            <ul class="plain stack tight">{lines}</ul>
        </Card>
    };
    Some(card.into_any())
}

fn line(closed: &Closed, clock: &Clockface) -> AnyView {
    let who = closed.who.clone().unwrap_or_else(|| "somebody".to_owned());
    let how = match closed.left_by {
        LeftBy::Superseded => {
            let through = closed.through.clone().map(|through| {
                view! { <a href=through.href>{through.label}</a> }
            });
            view! { ": superseded by " {through} }.into_any()
        }
        LeftBy::Investigated => view! { ": investigated by " <bdi>{who}</bdi> }.into_any(),
        LeftBy::Expired => ": left to itself for 7 days".into_any(),
    };
    let subject = closed.subject.clone();
    let subject = subject.map(|subject| view! { " " <span class="mono dim">{subject}</span> });
    let (href, what) = (closed.href.clone(), closed.what.clone());
    view! {
        <li>
            <a href=href>{what}</a>
            {subject}
            {how}
            ", "
            <Moment at=closed.at clock=clock.clone() />
        </li>
    }
    .into_any()
}

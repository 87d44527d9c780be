//! The rows of a list of operations: seed 003's default-visible fields, and nothing to press but the row.

use leptos::prelude::*;

use super::runs::initiator;
use crate::{
    operations::{
        filters::List,
        lists::ListedRun,
        model::{OperationRun, Outcome},
        parts::{OutcomeBadge, RunStatus, StuckBadge, stuck_words},
    },
    paths,
    ui::{Clockface, Column, Moment, StatusBadge, Table, Tone, Took, table::RowLink},
};

const COLUMNS: &[Column] = &[
    Column::text("Operation"),
    Column::text("Workspace / tenant"),
    Column::text("Status"),
    Column::text("Outcome"),
    Column::text("Initiator"),
    Column::number("Created"),
    Column::number("Took"),
];

/// What is stuck has taken no time yet that means anything: why it is stuck stands in its place.
const STUCK_COLUMNS: &[Column] = &[
    Column::text("Operation"),
    Column::text("Workspace / tenant"),
    Column::text("Stuck"),
    Column::text("Status"),
    Column::text("Outcome"),
    Column::text("Initiator"),
    Column::number("Created"),
];

pub fn table(list: List, rows: &[ListedRun], clock: &Clockface) -> AnyView {
    let (columns, caption) = match list {
        List::Runs => (COLUMNS, "Operations, newest first"),
        List::Failures => (COLUMNS, "Failed operations, newest first"),
        List::Stuck => (STUCK_COLUMNS, "Stuck operations, newest first"),
    };
    let rows = rows.iter().map(|row| draw(list, row, clock)).collect_view();
    view! {
        <div class="card">
            <Table caption columns>
                {rows}
            </Table>
        </div>
    }
    .into_any()
}

fn draw(list: List, row: &ListedRun, clock: &Clockface) -> impl IntoView + use<> {
    let run = &row.run;
    let place = match &run.tenant {
        Some(tenant) => format!("{} / {}", run.workspace.name, tenant.name),
        None => run.workspace.name.clone(),
    };
    let words = row.stuck.map(|stuck| stuck_words(&stuck, clock.now));
    let stuck = row.stuck.map(|stuck| view! { <StuckBadge class=stuck.class /> });
    let (own, in_status) = if list == List::Stuck { (stuck, None) } else { (None, stuck) };
    let own = own.map(|badge| view! { <td>{badge}</td> });
    let took = (list != List::Stuck).then(|| {
        view! {
            <td class="num">
                <Took from=run.started_at to=run.completed_at now=clock.now />
            </td>
        }
    });
    // Asked to end and failed: whoever asked wanted that.
    let cancelled = run.cancelled && run.outcome == Outcome::Failed;
    let cancelled = cancelled.then(|| {
        view! {
            " "
            <StatusBadge tone=Tone::Plain word="cancelled" />
        }
    });
    view! {
        <tr data-id=run.id>
            {what(run, words)}
            <td>
                <span class="short">{place}</span>
            </td>
            {own}
            <td>
                <RunStatus status=run.status />
                {in_status}
            </td>
            <td>
                <OutcomeBadge outcome=run.outcome />
                {cancelled}
            </td>
            <td>
                <span class="short">{initiator(run)}</span>
            </td>
            <td class="num">
                <Moment at=run.created_at clock=clock.clone() />
            </td>
            {took}
        </tr>
    }
}

/// The operation itself, with the row's one link, and why it failed or does not move.
fn what(run: &OperationRun, stuck: Option<String>) -> impl IntoView + use<> {
    let (id, label) = (run.id, run.type_label.clone());
    let target = run.target_label.clone().or_else(|| run.target.clone());
    let target = target.map(|target| view! { <span class="short mono dim">{target}</span> });
    let why = run.error_summary.clone().map(|why| view! { <div class="why bad">{why}</div> });
    let stuck = stuck.map(|words| view! { <div class="why">{words}</div> });
    view! {
        <td>
            <RowLink href=paths::run(id)>
                <span class="faint num">{format!("Operation #{id}")}</span>
                " "
                {label}
            </RowLink>
            " "
            {target}
            {why}
            {stuck}
        </td>
    }
}

/// Below the stuck ones, when there were more than are judged at once.
pub fn looked_at_most() -> impl IntoView {
    view! {
        <p class="dim">
            "Only the 10,000 oldest operations that wait or run were looked at; there are more."
        </p>
    }
}

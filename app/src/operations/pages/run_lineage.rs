//! The chain of retries on the detail page, and the word above a failure that has been made good.

use leptos::prelude::*;

use crate::{
    operations::{
        lineage::{Lineage, LineageRun},
        model::{OperationDetail, Outcome},
        parts::{OutcomeBadge, RunStatus},
    },
    paths,
    ui::{Alert, Card, Clockface, Moment, Tone},
};

/// On top of a failure that a later success made past.
#[component]
pub fn SupersededNote(detail: OperationDetail, clock: Clockface) -> impl IntoView {
    let by = detail.lineage.superseded_by.filter(|_| detail.run.outcome == Outcome::Failed);
    by.map(|by| {
        let when = by.completed_at.unwrap_or(by.created_at);
        view! {
            <Alert tone=Tone::Ok title="This failure is past">
                <p>
                    "Superseded by " <a href=paths::run(by.id)>{format!("Operation #{}", by.id)}</a>
                    ", which succeeded " <Moment at=when clock=clock.clone() /> "."
                </p>
            </Alert>
        }
    })
}

/// Nothing for a run that nobody tried again and that is no such try.
#[component]
pub fn LineageCard(id: i64, lineage: Lineage, clock: Clockface) -> impl IntoView {
    lineage.is_chain().then(|| {
        let remark = format!("{} of {}", lineage.position, lineage.total);
        let rows = rows(id, &lineage, &clock);
        view! {
            <Card title="Lineage" remark=remark.into_any()>
                <ol class="steps chain">{rows}</ol>
            </Card>
        }
    })
}

fn rows(id: i64, lineage: &Lineage, clock: &Clockface) -> Vec<AnyView> {
    let mut rows = Vec::new();
    if lineage.first_is_gone {
        rows.push(gap("The first one was kept long enough and pruned.".to_owned()));
    }
    let mut unsaid = lineage.omitted();
    for (n, run) in lineage.runs.iter().enumerate() {
        // What is left out stands behind the first one, and on both sides of this one.
        let follows = n == 0 || run.retry_of_run_id == Some(lineage.runs[n - 1].id);
        if !follows && unsaid > 0 {
            rows.push(gap(format!("{unsaid} more are not shown here.")));
            unsaid = 0;
        }
        rows.push(row(run, run.id == id, clock));
    }
    rows
}

fn gap(words: String) -> AnyView {
    view! {
        <li class="wait">
            <span class="dim">{words}</span>
        </li>
    }
    .into_any()
}

fn row(run: &LineageRun, here: bool, clock: &Clockface) -> AnyView {
    let name = format!("Operation #{}", run.id);
    let link = if here {
        view! { <strong aria-current="true">{name}</strong> }.into_any()
    } else {
        view! { <a href=paths::run(run.id)>{name}</a> }.into_any()
    };
    let cancelled = run.cancelled.then_some(" · cancelled");
    let initiator = run.initiator_name.clone();
    let initiator = initiator.unwrap_or_else(|| run.initiator_kind.replace('_', " "));
    view! {
        <li class=dot(run)>
            <span>{link} {here.then_some(" · this one")}</span>
            <span class="end">
                <RunStatus status=run.status />
                " "
                <OutcomeBadge outcome=run.outcome />
            </span>
            <span class="why dim">
                {initiator} ", " <Moment at=run.created_at clock=clock.clone() /> {cancelled}
            </span>
        </li>
    }
    .into_any()
}

const fn dot(run: &LineageRun) -> &'static str {
    match run.outcome {
        Outcome::Succeeded => "ok",
        Outcome::Failed => "bad",
        Outcome::Pending => "run",
    }
}

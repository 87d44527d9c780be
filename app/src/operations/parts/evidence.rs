//! The card that says why a run does not move: the rule, its threshold and where that comes from, who holds the run,
//! and what happens next by itself.

use leptos::prelude::*;

use crate::{
    operations::{
        parts::StuckBadge,
        stuck::{BudgetSource, Evidence, Next, StuckClass},
    },
    paths,
    time::Micros,
    ui::{Card, Clockface, Fact, Facts, Moment, moment},
};

#[component]
pub fn EvidenceCard(evidence: Evidence, clock: Clockface) -> impl IntoView {
    let class = evidence.stuck.class;
    let for_so_long = moment::span(clock.now.since(evidence.stuck.since));
    let threshold = moment::span(evidence.stuck.threshold_micros);
    let source = source(&evidence);
    let heartbeat = match evidence.last_heartbeat_at {
        Some(at) => view! { <Moment at clock=clock.clone() exact=true /> }.into_any(),
        None => view! { <span class="faint">"none"</span> }.into_any(),
    };
    let worker = evidence.worker.clone().map(|worker| {
        view! {
            <Fact name="Worker">
                <span class="mono">{worker}</span>
            </Fact>
            <Fact name="Last heartbeat">{heartbeat}</Fact>
        }
    });
    let waits_for = (!evidence.waits_for.is_empty()).then(|| {
        let links = evidence.waits_for.iter().map(|id| {
            view! {
                <a href=paths::run(*id)>{format!("Operation #{id}")}</a>
                " "
            }
        });
        let links = links.collect_view();
        view! { <Fact name="Waits for">{links}</Fact> }
    });
    let next = next(evidence.next, &clock);
    view! {
        <Card title="Why it does not move">
            <div class="stack tight"><p>
                <StuckBadge class />
                " "
                {rule(class)}
            </p>
            <Facts>
                <Fact name="For">{for_so_long}</Fact>
                <Fact name="Allowed">{threshold} <span class="dim">{format!(", {source}")}</span></Fact>
                <Fact name="Queue">
                    {evidence.queue.clone()}
                    {(!evidence.queue_served).then_some(", which no worker serves")}
                </Fact>
                {worker}
                {waits_for}
            </Facts>
            <p>
                <b>"Next by itself: "</b>
                {next}
            </p></div>
        </Card>
    }
}

/// What the class means, in a sentence.
pub fn rule(class: StuckClass) -> &'static str {
    match class {
        StuckClass::NoWorker => "It is due, and no living worker serves its queue.",
        StuckClass::QueuedTooLong => {
            "It is due and has waited longer than such an operation takes."
        }
        StuckClass::NeverHeartbeat => "A worker took it and was never heard of again.",
        StuckClass::HeartbeatLost => "Its worker has not been heard of for too long.",
        StuckClass::CancelIgnored => "A person asked for its end, and its worker has not followed.",
        StuckClass::OverBudget => {
            "Its worker lives, and it takes longer than such an operation does."
        }
    }
}

fn source(evidence: &Evidence) -> String {
    match evidence.budget.map(|budget| budget.source) {
        None => "for every type".to_owned(),
        Some(BudgetSource::Declared { successes }) => {
            format!("declared by its type; {successes} successes are too few to learn from")
        }
        Some(BudgetSource::Successes { successes, p99_micros }) => format!(
            "from its last {successes} successes, 99 of 100 of which took at most {}",
            moment::span(p99_micros)
        ),
    }
}

fn next(next: Next, clock: &Clockface) -> String {
    let when = |at: Option<Micros>| {
        at.filter(|at| *at > clock.now).map_or_else(
            || "any moment".to_owned(),
            |at| format!("at {} {}", clock.short(at), clock.zone.name),
        )
    };
    match next {
        Next::WaitsForWorker => "it starts as soon as a worker serves its queue.".to_owned(),
        Next::WaitsForTurn => "it starts when those before it are through.".to_owned(),
        Next::TakenUp { at, losses, losses_max } => format!(
            "another worker takes it up {}; workers lost over it so far: {losses} of {losses_max}.",
            when(at)
        ),
        Next::Orphaned { at } => format!(
            "it ends failed {}, since it must not run again by itself. Until then you can decide.",
            when(Some(at))
        ),
        Next::EndsCancelled { at } => {
            format!("it ends cancelled {}, when its lease lapses.", when(at))
        }
        Next::GoesOn => "nothing; it goes on for as long as its worker lives.".to_owned(),
    }
}

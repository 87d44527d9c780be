//! Pieces that several of these pages draw: how far their rows can be trusted, and a finding with its evidence.

use leptos::prelude::*;

use crate::{
    fleet::watched::{Evidence, Finding, Severity, WatchState, WatchStatus},
    ui::{Alert, Clockface, Moment, StatusBadge, Tone},
};

/// What must be known before the rows are believed; nothing while all is live and whole.
pub fn caveats(watches: &[WatchStatus], clock: &Clockface) -> AnyView {
    let all = watches.iter().filter_map(|watch| Some((watch, watch.caveat()?)));
    let lines: Vec<AnyView> = all
        .map(|(watch, says)| {
            let heard = watch.heard_at.filter(|_| watch.state == WatchState::Stale).map(|at| {
                view! {
                    " Last heard "
                    <Moment at clock=clock.clone() />
                    "."
                }
            });
            view! {
                <p>
                    {says}
                    {heard}
                </p>
            }
            .into_any()
        })
        .collect();
    if lines.is_empty() {
        return ().into_any();
    }
    let reading = watches.iter().all(|watch| {
        matches!(watch.state, WatchState::Live | WatchState::Starting) && watch.reason.is_none()
    });
    let title =
        if reading { "Not all of it is here yet." } else { "This may not be how things are now." };
    view! { <Alert tone=Tone::Warn title>{lines}</Alert> }.into_any()
}

pub const fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Bad => Tone::Bad,
        Severity::Warning => Tone::Warn,
        Severity::Notice => Tone::Plain,
    }
}

pub fn badge(finding: &Finding) -> AnyView {
    view! { <StatusBadge tone=tone(finding.severity) word=finding.cause.label() /> }.into_any()
}

/// The sentence, and behind a fold what it rests on and what to do.
pub fn why(finding: &Finding, clock: &Clockface) -> AnyView {
    let evidence = finding.evidence.iter().map(|one| proof(one, clock)).collect_view();
    view! {
        <div class="why">{finding.says.clone()}</div>
        <details class="proof">
            <summary>"Evidence, and what to do"</summary>
            <dl class="facts">{evidence}</dl>
            <p>{finding.next.clone()}</p>
        </details>
    }
    .into_any()
}

fn proof(evidence: &Evidence, clock: &Clockface) -> AnyView {
    let at = evidence.at.map(|at| {
        view! {
            " "
            <span class="dim">
                <Moment at clock=clock.clone() />
            </span>
        }
    });
    view! {
        <dt>{evidence.source.clone()}</dt>
        <dd>
            <span class="mono">{evidence.value.clone()}</span>
            {at}
        </dd>
    }
    .into_any()
}

pub fn since(at: Option<crate::time::Micros>, clock: &Clockface) -> AnyView {
    match at {
        Some(at) => view! { <Moment at clock=clock.clone() /> }.into_any(),
        None => view! { <span class="faint">"–"</span> }.into_any(),
    }
}

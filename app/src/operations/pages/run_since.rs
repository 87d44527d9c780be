//! What is different since the last success, on the detail page.

use leptos::prelude::*;
use serde_json::Value;

use crate::{
    operations::since::{
        ComparedRun, FieldChange, Found, Pace, PaceChange, SinceLastSuccess, StepChange, StepSeen,
    },
    paths,
    ui::{Card, Clockface, Fact, Facts, Moment, moment},
};

/// Longer values are cut, and say so.
const VALUE_MAX: usize = 200;

#[component]
pub fn SinceCard(since: SinceLastSuccess, clock: Clockface) -> impl IntoView {
    let remark = since.run.as_ref().map(|run| remark(run, &clock));
    let body = match since.found {
        Found::NoneKept => said(
            "There is no earlier success to compare with: this type had not succeeded on this target before, or that run was kept long enough and pruned.",
        ),
        Found::NoneNear => said(
            "There is no success to compare with among the 1,000 runs of this type before this one; older ones were not looked at.",
        ),
        Found::Success if since.is_same() => {
            said("Nothing that we can see: the same input, the same steps, about the same times.")
        }
        Found::Success => differences(since),
    };
    view! {
        <Card title="Since the last success" remark=remark.unwrap_or_else(|| ().into_any())>
            {body}
        </Card>
    }
}

fn said(words: &'static str) -> AnyView {
    view! { <p class="dim">{words}</p> }.into_any()
}

fn remark(run: &ComparedRun, clock: &Clockface) -> AnyView {
    let when = run.completed_at.map(|at| {
        let clock = clock.clone();
        view! { ", " <Moment at clock /> }
    });
    view! {
        <a href=paths::run(run.id)>{format!("#{}", run.id)}</a>
        {when}
    }
    .into_any()
}

fn differences(since: SinceLastSuccess) -> AnyView {
    let fields = since.input.iter().map(field).collect_view();
    let omitted = (since.input_omitted > 0).then(|| {
        let words = format!("{} more fields of the input are not the same.", since.input_omitted);
        view! { <p class="dim">{words}</p> }
    });
    let same_input = since.input.is_empty().then_some("same");
    let steps = since.steps.iter().map(step).collect_view();
    let pace = since.pace.iter().map(pace).collect_view();
    view! {
        <Facts>
            {same_input.map(|words| view! { <Fact name="Input">{words}</Fact> })} {fields} {steps}
            {pace}
        </Facts>
        {omitted}
    }
    .into_any()
}

fn field(change: &FieldChange) -> impl IntoView + use<> {
    view! {
        <dt class="mono">{change.path.clone()}</dt>
        <dd>{value(change.before.as_ref())} " → " {value(change.after.as_ref())}</dd>
    }
}

fn value(value: Option<&Value>) -> AnyView {
    let text = match value {
        None => return view! { <span class="faint">"absent"</span> }.into_any(),
        Some(Value::String(text)) if text.is_empty() => {
            return view! { <span class="faint">"empty text"</span> }.into_any();
        }
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let cut = (text.chars().count() > VALUE_MAX).then_some("…");
    let shown: String = text.chars().take(VALUE_MAX).collect();
    view! { <bdi class="mono">{shown} {cut}</bdi> }.into_any()
}

fn step(change: &StepChange) -> impl IntoView + use<> {
    let words = match (change.before, change.after) {
        (None, Some(now)) => format!("new: {}", went(now)),
        (Some(_) | None, None) => "not reached this time".to_owned(),
        (Some(then), Some(now)) if then.status == now.status => {
            let both = then.took_micros.zip(now.took_micros);
            both.map_or_else(String::new, |(then, now)| times(then, now))
        }
        (Some(then), Some(now)) => format!("{} → {}", went(then), went(now)),
    };
    let name = format!("Step “{}”", change.label);
    view! {
        <dt>{name}</dt>
        <dd>{words}</dd>
    }
}

fn went(seen: StepSeen) -> String {
    let took = seen.took_micros.map(|took| format!(" after {}", moment::span(took)));
    format!("{}{}", seen.status.as_str(), took.unwrap_or_default())
}

fn pace(change: &PaceChange) -> impl IntoView + use<> {
    let (name, words) = match change.what {
        Pace::Attempts => ("Attempts", format!("{} → {}", change.before, change.after)),
        Pace::WaitMicros => ("Wait for a worker", times(change.before, change.after)),
        Pace::WorkMicros => ("From start to end", times(change.before, change.after)),
    };
    view! {
        <dt>{name}</dt>
        <dd>{words}</dd>
    }
}

/// "0.2 s → 41 s, 200 times as long".
fn times(before: i64, after: i64) -> String {
    let spans = format!("{} → {}", moment::span(before), moment::span(after));
    match (before, after) {
        (before, after) if before > 0 && after > before => {
            format!("{spans}, {} times as long", after / before)
        }
        _ => spans,
    }
}

#[cfg(test)]
mod tests {
    use super::times;

    #[test]
    fn times_say_how_much_longer() {
        assert_eq!(times(200_000, 41_000_000), "0.2 s → 41 s, 205 times as long");
        assert_eq!(times(41_000_000, 200_000), "41 s → 0.2 s");
        assert_eq!(times(0, 2_000_000), "0 ms → 2.0 s");
    }
}

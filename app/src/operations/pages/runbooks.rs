//! `/system/ops/runbooks`: what can be done, how, and the button that starts it.

use leptos::prelude::*;

use crate::{
    error::ApiError,
    operations::{
        View, enter,
        model::{LastRun, OperationType, Outcome, Status},
        parts::{OutcomeBadge, RunStatus},
    },
    paths,
    request::{PageRequest, RefusedForm},
    ui::{
        Alert, Clockface, EmptyState, Fact, Facts, Moment, PageHead, PageTitle, SetTitle, Tone,
        answer::set_status,
        chart::{Bar, Bars, Chart, Unit},
        failure::Failure,
        load,
        markdown::Markdown,
        moment,
    },
};

/// The form's own name, by which a refused one is found again.
pub const START_FORM: &str = "start";

#[component]
pub fn RunbooksPage() -> impl IntoView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    let content = load(fetch);
    let clock = Clockface::of(&request);
    let refused = request.refused.filter(|refused| refused.form == START_FORM);
    view! {
        <SetTitle title=PageTitle::Runbooks />
        <Suspense>
            {move || {
                let (clock, refused) = (clock.clone(), refused.clone());
                Suspend::new(async move {
                    match &*content.await {
                        Ok(catalog) => draw(catalog, refused.as_ref(), &clock),
                        Err(error) => view! { <Failure error=error.clone() /> }.into_any(),
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

fn fetch() -> impl Future<Output = Result<Vec<OperationType>, ApiError>> + Send {
    let entered = enter::<View>();
    async move {
        let (permit, operations) = entered.await?;
        operations.catalog(&permit).await
    }
}

fn draw(catalog: &[OperationType], refused: Option<&RefusedForm>, clock: &Clockface) -> AnyView {
    let actions = view! {
        <a class="btn" href=paths::runs()>
            "Show all operations"
        </a>
    };
    let lede = "What can be started here, what it does, and how it went last time.";
    let known = |kind: &str| catalog.iter().any(|entry| entry.kind == kind);
    // A refusal that belongs to none of the entries is told above them all.
    let stray = refused.filter(|form| !form.value("type").is_some_and(known));
    let stray = stray.map(|form| alert(&form.error));
    let entries = if catalog.is_empty() {
        view! {
            <div class="card">
                <EmptyState
                    title="Nothing can be started"
                    why="This console has no operation type."
                    step="Show all operations".to_owned()
                    href=paths::runs()
                />
            </div>
        }
        .into_any()
    } else {
        let refused_of = |entry: &OperationType| {
            refused.filter(|form| form.value("type") == Some(entry.kind.as_str()))
        };
        let entries = catalog.iter().map(|entry| runbook(entry, refused_of(entry), clock));
        entries.collect_view().into_any()
    };
    view! {
        <PageHead title="Runbooks" lede=lede.into_any() actions=actions.into_any() />
        {stray}
        {entries}
    }
    .into_any()
}

fn alert(error: &ApiError) -> AnyView {
    set_status(error.status());
    let sentence = error.to_string();
    view! {
        <Alert tone=Tone::Bad title="Not started">
            <p>{sentence}</p>
        </Alert>
    }
    .into_any()
}

fn runbook(entry: &OperationType, refused: Option<&RefusedForm>, clock: &Clockface) -> AnyView {
    let schedule = entry.schedule.clone().unwrap_or_else(|| "never".to_owned());
    let last = last(entry.last_run.as_ref(), clock);
    view! {
        <article class="card runbook" aria-label=entry.label.clone()>
            <header>
                <h2>{entry.label.clone()}</h2>
                <code class="dim">{entry.kind.clone()}</code>
            </header>
            <div class="body cols">
                <div class="stack tight">
                    <p>{entry.summary.clone()}</p>
                    {refused.map(|form| alert(&form.error))}
                    {start(entry)}
                    <details class="read">
                        <summary>"Read the runbook"</summary>
                        <Markdown text=entry.runbook.clone() />
                    </details>
                    {durations(entry).map(|bars| view! { <Chart bars /> })}
                </div>
                <Facts>
                    <Fact name="Starts by itself">{schedule}</Fact>
                    <Fact name="Last operation">{last}</Fact>
                </Facts>
            </div>
        </article>
    }
    .into_any()
}

/// The button, or the one line that says what is missing (DECIDED 3).
fn start(entry: &OperationType) -> AnyView {
    if !entry.startable {
        return view! {
            <p class="dim">
                "Starting it needs the capability " <code>{entry.capability.as_str()}</code> "."
            </p>
        }
        .into_any();
    }
    view! {
        <form method="post" action=paths::runbooks()>
            <input type="hidden" name="type" value=entry.kind.clone() />
            <button class="btn primary">{format!("Start {}", lower_first(&entry.label))}</button>
        </form>
    }
    .into_any()
}

/// "Self-check" in the middle of a sentence; "GPU survey" keeps its capitals.
fn lower_first(label: &str) -> String {
    let mut letters = label.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => label.to_owned(),
    }
}

fn last(last: Option<&LastRun>, clock: &Clockface) -> AnyView {
    let Some(last) = last else {
        return view! { <span class="faint">"none yet"</span> }.into_any();
    };
    let badge = if last.status == Status::Completed {
        view! { <OutcomeBadge outcome=last.outcome /> }.into_any()
    } else {
        view! { <RunStatus status=last.status /> }.into_any()
    };
    view! {
        <a href=paths::run(last.id)>{format!("#{}", last.id)}</a>
        " "
        {badge}
        " "
        <Moment at=last.created_at clock=clock.clone() />
    }
    .into_any()
}

/// How long the last runs took, oldest first. A run that ended before it began took no time: a gap.
fn durations(entry: &OperationType) -> Option<Bars> {
    let runs = &entry.recent_runs;
    if runs.is_empty() {
        return None;
    }
    let took = |run: &LastRun| Some(run.completed_at?.since(run.started_at?));
    let failed = runs.iter().filter(|run| run.outcome == Outcome::Failed).count();
    let longest = runs.iter().filter_map(took).max().map_or_else(
        || "none of them began".to_owned(),
        |longest| format!("the longest took {}", moment::span(longest)),
    );
    let (count, noun) = (runs.len(), if runs.len() == 1 { "operation" } else { "operations" });
    #[expect(clippy::cast_precision_loss, reason = "exact up to 285 years")]
    let bar = |run: &LastRun| Bar {
        label: format!("#{}, {}", run.id, run.outcome.as_str()),
        value: took(run).map(|micros| micros as f64),
        tone: if run.outcome == Outcome::Failed { Tone::Bad } else { Tone::Ok },
    };
    Some(Bars {
        id: entry.kind.replace('.', "-"),
        title: format!("How long the last {count} {noun} took: {failed} failed, {longest}"),
        description: "One bar for each operation that has ended, the newest at the right."
            .to_owned(),
        unit: Unit::Span,
        bars: runs.iter().rev().map(bar).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::lower_first;

    #[test]
    fn a_label_in_a_sentence_keeps_its_abbreviations() {
        assert_eq!(lower_first("Self-check"), "self-check");
        assert_eq!(lower_first("GPU survey"), "GPU survey");
        assert_eq!(lower_first(""), "");
    }
}

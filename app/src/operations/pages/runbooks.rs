//! `/system/ops/runbooks`: what can be done here, how it went last time, and the way to each runbook.

use leptos::prelude::*;

use crate::{
    error::ApiError,
    identity::enter,
    operations::{
        View,
        inputs::InputField,
        model::{LastRun, OperationType, Outcome, Status},
        parts::{OutcomeBadge, RunStatus},
        runbooks::{Runbooks, Shelf},
    },
    paths,
    request::{PageRequest, RefusedForm},
    ui::{
        Alert, Clockface, EmptyState, Fact, Facts, Moment, PageHead, PageTitle, SetTitle, Tone,
        answer::set_status,
        chart::{Bar, Bars, Unit},
        failure::Failure,
        inputs, load, moment,
    },
};

/// The form's own name, by which a refused one is found again.
pub const START_FORM: &str = "start";

#[component]
pub fn RunbooksPage() -> impl IntoView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    let content = load(fetch);
    view! {
        <SetTitle title=PageTitle::Runbooks />
        <Suspense>
            {move || {
                let request = request.clone();
                Suspend::new(async move {
                    match &*content.await {
                        Ok(shelf) => draw(shelf, &request),
                        Err(error) => view! { <Failure error=error.clone() /> }.into_any(),
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

fn fetch() -> impl Future<Output = Result<Shelf, ApiError>> + Send {
    let entered = enter::<View, dyn Runbooks>();
    async move {
        let (permit, runbooks) = entered.await?;
        runbooks.shelf(&permit).await
    }
}

fn draw(shelf: &Shelf, request: &PageRequest) -> AnyView {
    let clock = Clockface::of(request);
    let refused = request.refused.as_ref().filter(|refused| refused.form == START_FORM);
    let sought = request.value("q").unwrap_or_default().trim().to_owned();
    let actions = view! {
        <a class="btn" href=paths::runs()>
            "Show all operations"
        </a>
    };
    let lede = "What can be started here, what it does, and how it went last time.";
    let found = |entry: &OperationType| matches(entry, &sought);
    let drawn: Vec<_> = shelf.types.iter().filter(|(entry, _)| found(entry)).collect();
    let known = |kind: &str| drawn.iter().any(|(entry, _)| entry.kind == kind);
    // A refusal that belongs to none of the entries is told above them all.
    let stray = refused.filter(|form| !form.value("type").is_some_and(known));
    let stray = stray.map(|form| alert(&form.error));
    let entries = if drawn.is_empty() {
        none(&sought)
    } else {
        let entries = drawn.iter().map(|(entry, fields)| {
            let own = |form: &&RefusedForm| form.value("type") == Some(entry.kind.as_str());
            card(entry, fields, &shelf.form_key, refused.filter(own), &clock)
        });
        entries.collect_view().into_any()
    };
    view! {
        <PageHead title="Runbooks" lede=lede.into_any() actions=actions.into_any() />
        {stray}
        {(shelf.types.len() > 1 || !sought.is_empty()).then(|| search(&sought))}
        {entries}
    }
    .into_any()
}

/// Whether each word of what is sought stands somewhere in what is said of the type.
fn matches(entry: &OperationType, sought: &str) -> bool {
    let text = format!("{} {} {}", entry.kind, entry.label, entry.summary).to_lowercase();
    sought.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

fn search(sought: &str) -> AnyView {
    view! {
        <form class="seek" role="search" action=paths::runbooks()>
            <input
                class="field"
                type="search"
                name="q"
                value=sought.to_owned()
                aria-label="Search runbooks"
                placeholder="Search runbooks"
                data-search=""
            />
            <button class="btn">"Search"</button>
        </form>
    }
    .into_any()
}

fn none(sought: &str) -> AnyView {
    let (title, why, step, href) = if sought.is_empty() {
        let why = "This console has no operation type.";
        ("Nothing can be started", why, "Show all operations", paths::runs())
    } else {
        let why = "No type of operation has these words in its name or in what it does.";
        ("No runbook matches", why, "Show all runbooks", paths::runbooks())
    };
    view! {
        <div class="card">
            <EmptyState title why step=step.to_owned() href />
        </div>
    }
    .into_any()
}

pub(super) fn alert(error: &ApiError) -> AnyView {
    set_status(error.status());
    let sentence = error.to_string();
    view! {
        <Alert tone=Tone::Bad title="Not started">
            <p>{sentence}</p>
        </Alert>
    }
    .into_any()
}

fn card(
    entry: &OperationType,
    fields: &[InputField],
    form_key: &str,
    refused: Option<&RefusedForm>,
    clock: &Clockface,
) -> AnyView {
    let schedule = entry.schedule.clone().unwrap_or_else(|| "never".to_owned());
    let last = last(entry.last_run.as_ref(), clock);
    let page = paths::runbook(&entry.kind, None);
    view! {
        <article class="card runbook" id=entry.kind.clone() aria-label=entry.label.clone()>
            <header>
                <h2>
                    <a href=page.clone()>{entry.label.clone()}</a>
                </h2>
                <code class="dim">{entry.kind.clone()}</code>
            </header>
            <div class="body cols">
                <div class="stack tight">
                    <p>{entry.summary.clone()}</p>
                    {refused.map(|form| alert(&form.error))}
                    <div class="actions">
                        {start(entry, fields, form_key)}
                        <a class="btn" href=page>
                            "Read the runbook"
                        </a>
                    </div>
                    {(!entry.startable).then(|| lacking(entry))}
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

pub(super) fn lacking(entry: &OperationType) -> AnyView {
    view! {
        <p class="dim">
            "Starting it needs the capability " <code>{entry.capability.as_str()}</code> "."
        </p>
    }
    .into_any()
}

/// Started at once where nothing must be said before, else from its own page.
fn start(entry: &OperationType, fields: &[InputField], form_key: &str) -> Option<AnyView> {
    if !entry.startable {
        return None;
    }
    let label = format!("Start {}", lower_first(&entry.label));
    if fields.iter().any(|field| field.required) {
        let form = paths::start_form(&entry.kind, None);
        let label = format!("{label}…");
        return Some(view! { <a class="btn primary" href=form>{label}</a> }.into_any());
    }
    let form = view! {
        <form method="post" action=paths::runbooks()>
            <input type="hidden" name="type" value=entry.kind.clone() />
            {inputs::hidden("key", format!("{form_key}.{}", entry.kind))}
            <button class="btn primary">{label}</button>
        </form>
    };
    Some(form.into_any())
}

/// "Self-check" in the middle of a sentence; "GPU survey" keeps its capitals.
pub(super) fn lower_first(label: &str) -> String {
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
pub(super) fn durations(entry: &OperationType) -> Option<Bars> {
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

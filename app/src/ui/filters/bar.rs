//! Draws the form and the chips.

use leptos::prelude::*;

use crate::{
    list::{Choice, Filter, FilterKind, ListQuery},
    time::Micros,
    ui::Clockface,
};

/// The values that a filter of free text may be chosen from, where the page knows them.
#[derive(Clone, Debug, Default)]
pub struct Suggestions(pub Vec<(&'static str, Vec<Suggestion>)>);

#[derive(Clone, Debug)]
pub struct Suggestion {
    pub value: String,
    pub label: String,
}

impl Suggestions {
    #[must_use]
    pub fn with(
        mut self,
        key: &'static str,
        values: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let values = values.into_iter().map(|(value, label)| Suggestion { value, label });
        self.0.push((key, values.collect()));
        self
    }

    fn of(&self, key: &str) -> Option<&[Suggestion]> {
        self.0.iter().find(|(k, _)| *k == key).map(|(_, values)| values.as_slice())
    }

    fn label<'a>(&'a self, key: &str, value: &'a str) -> &'a str {
        let found = self.of(key).and_then(|all| all.iter().find(|s| s.value == value));
        found.map_or(value, |s| s.label.as_str())
    }
}

/// Where a control stands: in the line, or below "More filters".
#[derive(Clone, Copy)]
enum Place {
    Line,
    Folded,
}

/// A field for what no choice names.
#[derive(Clone, Copy)]
struct Typed {
    mode: &'static str,
    hint: &'static str,
}

/// One control and the values that it stands for.
struct Control<'a> {
    filter: &'a Filter,
    values: Vec<&'a str>,
}

impl<'a> Control<'a> {
    fn of(filter: &'a Filter, pairs: &'a [(String, String)]) -> Self {
        let values = pairs.iter().filter(|(k, v)| k == filter.key && !v.is_empty());
        Self { filter, values: values.map(|(_, v)| v.as_str()).collect() }
    }

    /// The value that a text field shows; several values stand as chips, and the field adds to them.
    fn shown(&self) -> &'a str {
        match self.values.as_slice() {
            [one] => one,
            _ => "",
        }
    }

    fn hidden(&self) -> AnyView {
        if self.values.len() < 2 {
            return ().into_any();
        }
        let key = self.filter.key;
        let inputs = self.values.iter().map(|value| {
            view! { <input type="hidden" name=key value=(*value).to_owned() /> }
        });
        inputs.collect_view().into_any()
    }

    fn draw(&self, suggestions: &Suggestions, clock: &Clockface, place: Place) -> AnyView {
        let key = self.filter.key;
        match self.filter.kind {
            FilterKind::OneOf(choices) => {
                let choices = choices.iter().map(|c: &Choice| Suggestion {
                    value: c.value.to_owned(),
                    label: c.label.to_owned(),
                });
                self.pick(choices.collect(), None, place)
            }
            FilterKind::Exact | FilterKind::Integer => {
                let typed = self.typed();
                match suggestions.of(key).filter(|values| !values.is_empty()) {
                    // There may be more than the page knows of.
                    Some(values) => self.pick(values.to_vec(), Some(typed), place),
                    None => view! { {self.text(typed)} {self.hidden()} }.into_any(),
                }
            }
            FilterKind::Since | FilterKind::Until => self.moment(clock),
            FilterKind::Search => self.search(),
        }
    }

    fn typed(&self) -> Typed {
        match self.filter.kind {
            FilterKind::Integer => Typed { mode: "numeric", hint: "id" },
            _ => Typed { mode: "text", hint: "exact name" },
        }
    }

    /// Any of several values, each with its box.
    fn pick(&self, mut choices: Vec<Suggestion>, other: Option<Typed>, place: Place) -> AnyView {
        let label = self.filter.label;
        for value in &self.values {
            if !choices.iter().any(|c| c.value == *value) {
                let value = (*value).to_owned();
                choices.push(Suggestion { label: value.clone(), value });
            }
        }
        let said = self.said(&choices);
        let boxes = choices.into_iter().map(|choice| self.choice(choice)).collect_view();
        let other = other.map(|typed| self.other(typed));
        if matches!(place, Place::Folded) {
            return view! {
                <fieldset class="picks">
                    <legend>{label}</legend>
                    <div class="boxes">{boxes}</div>
                    {other}
                </fieldset>
            }
            .into_any();
        }
        view! {
            <details class="more pick" name="filters">
                <summary class="field">{said}</summary>
                <fieldset class="fold picks">
                    <legend class="unseen">{label}</legend>
                    <div class="boxes">{boxes}</div>
                    {other}
                </fieldset>
            </details>
        }
        .into_any()
    }

    /// What is chosen, in the place of the folded choices.
    fn said(&self, choices: &[Suggestion]) -> String {
        let label = self.filter.label;
        let mut chosen = choices.iter().filter(|c| self.values.contains(&c.value.as_str()));
        match (chosen.next(), chosen.count()) {
            // An abbreviation keeps its capitals.
            (None, _) if !label.chars().any(char::is_lowercase) => format!("Any {label}"),
            (None, _) => format!("Any {}", label.to_lowercase()),
            (Some(one), 0) => format!("{label}: {}", one.label),
            (Some(_), more) => format!("{label}: {} chosen", more + 1),
        }
    }

    fn choice(&self, choice: Suggestion) -> AnyView {
        let checked = self.values.contains(&choice.value.as_str());
        view! {
            <label>
                <input type="checkbox" name=self.filter.key value=choice.value checked=checked />
                <span>{choice.label}</span>
            </label>
        }
        .into_any()
    }

    fn other(&self, typed: Typed) -> AnyView {
        let name = format!("Another {}", self.filter.label.to_lowercase());
        view! {
            <input
                class="field"
                name=self.filter.key
                inputmode=typed.mode
                placeholder=typed.hint
                aria-label=name
                maxlength="200"
                autocomplete="off"
            />
        }
        .into_any()
    }

    fn text(&self, typed: Typed) -> AnyView {
        let Filter { key, label, .. } = *self.filter;
        let Typed { mode, hint } = typed;
        view! {
            <label class="named">
                <span>{label}</span>
                <input
                    class="field"
                    name=key
                    value=self.shown().to_owned()
                    inputmode=mode
                    placeholder=hint
                    maxlength="200"
                    autocomplete="off"
                />
            </label>
        }
        .into_any()
    }

    fn moment(&self, clock: &Clockface) -> AnyView {
        let Filter { key, label, .. } = *self.filter;
        // What is no moment is kept as it was typed, so that the reader sees what was refused.
        let (kind, value) = match self.shown().parse::<Micros>() {
            Ok(at) => ("datetime-local", clock.local_input(at)),
            Err(_) if self.shown().is_empty() => ("datetime-local", String::new()),
            Err(_) => ("text", self.shown().to_owned()),
        };
        view! {
            <label class="named">
                <span>{label} " (" {clock.zone.name.clone()} ")"</span>
                <input class="field" type=kind step="1" name=key value=value />
            </label>
        }
        .into_any()
    }

    fn search(&self) -> AnyView {
        let Filter { key, label, .. } = *self.filter;
        view! {
            <input
                class="field grow"
                type="search"
                name=key
                value=self.shown().to_owned()
                placeholder=label
                aria-label=label
                maxlength="200"
                autocomplete="off"
                data-search=""
            />
        }
        .into_any()
    }
}

#[component]
pub fn FilterBar(
    /// The list's own address.
    action: String,
    filters: &'static [Filter],
    /// How many of the filters stand in the first line; the others unfold.
    primary: usize,
    /// What is set, as it came: refused values are shown again.
    pairs: Vec<(String, String)>,
    #[prop(optional)] suggestions: Suggestions,
    clock: Clockface,
    /// What else belongs to the list's address.
    #[prop(optional)]
    kept: Vec<(&'static str, &'static str)>,
) -> impl IntoView {
    let draw = |filter: &'static Filter, place: Place| {
        Control::of(filter, &pairs).draw(&suggestions, &clock, place)
    };
    let (first, more) = filters.split_at(primary.min(filters.len()));
    let more_set = more.iter().filter(|f| pairs.iter().any(|(k, _)| k == f.key)).count();
    let summary = match more_set {
        0 => "More filters".to_owned(),
        n => format!("More filters ({n})"),
    };
    let size = pairs.iter().find(|(key, _)| key == "page_size").map(|(_, value)| value.clone());
    let more = (!more.is_empty()).then(|| {
        view! {
            <details class="more" name="filters">
                <summary class="btn">{summary}</summary>
                <div class="fold">
                    {more.iter().map(|filter| draw(filter, Place::Folded)).collect_view()}
                </div>
            </details>
        }
    });
    view! {
        <form class="filters" method="get" action=action role="search" aria-label="Filters">
            {kept
                .into_iter()
                .map(|(key, value)| view! { <input type="hidden" name=key value=value /> })
                .collect_view()}
            {first.iter().map(|filter| draw(filter, Place::Line)).collect_view()}
            {more}
            {size.map(|size| view! { <input type="hidden" name="page_size" value=size /> })}
            <button class="btn">"Filter"</button>
        </form>
    }
}

/// A chip for each set value, each a link to the list without it.
#[component]
pub fn Chips(
    filters: &'static [Filter],
    query: ListQuery,
    /// The list's address for a query.
    href: fn(&ListQuery) -> String,
    #[prop(optional)] suggestions: Suggestions,
    clock: Clockface,
) -> impl IntoView {
    if !query.is_filtered() {
        return ().into_any();
    }
    let chips = query
        .set()
        .filter_map(|(key, value)| filters.iter().find(|f| f.key == key).map(|f| (f, value)))
        .map(|(filter, value)| {
            let said = said(filter, value, &suggestions, &clock);
            view! {
                <li>
                    <a class="chip" href=href(&query.without(filter.key, value))>
                        <span class="unseen">"Remove filter "</span>
                        <b>{chip_name(filter)}</b>
                        " "
                        <span>{said}</span>
                        <span class="x" aria-hidden="true">
                            "×"
                        </span>
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <ul class="chips" aria-label="Set filters">
            {chips}
            <li>
                <a href=href(&ListQuery::default())>"Clear filters"</a>
            </li>
        </ul>
    }
    .into_any()
}

/// A search field's label is a hint, too long for a chip.
fn chip_name(filter: &Filter) -> &'static str {
    if matches!(filter.kind, FilterKind::Search) { "Search" } else { filter.label }
}

fn said(filter: &Filter, value: &str, suggestions: &Suggestions, clock: &Clockface) -> String {
    match filter.kind {
        FilterKind::OneOf(choices) => {
            choices.iter().find(|c| c.value == value).map_or(value, |c| c.label).to_owned()
        }
        FilterKind::Since | FilterKind::Until => {
            value.parse().map_or_else(|_| value.to_owned(), |at| clock.absolute(at))
        }
        _ => suggestions.label(filter.key, value).to_owned(),
    }
}

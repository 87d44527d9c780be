//! What stands above a list of operations: the sentence with its figures, the way out, the tabs between the lists,
//! and how many are in which state.

use leptos::prelude::*;

use crate::{
    list::{ListQuery, Page},
    operations::{
        filters::{List, STUCK_CLASS_KEY},
        lists::{ClassCount, Count, Counts, ListedRun},
    },
    paths,
    ui::pagination::capped,
};

pub fn lede(list: List, page: &Page<ListedRun>, query: &ListQuery) -> AnyView {
    let said = sentence(list, page.total, page.total_capped, query.is_filtered());
    view! { <span id=format!("{}-total", list.as_str())>{said}</span> }.into_any()
}

fn sentence(list: List, total: i64, is_capped: bool, filtered: bool) -> String {
    let figure = capped(total, is_capped);
    let one = total == 1 && !is_capped;
    match (list, total, filtered) {
        (_, 1, true) if one => "1 operation matches.".to_owned(),
        (_, 1.., true) => format!("{figure} operations match, newest first."),
        (List::Runs, 0, _) => "What a person or a schedule asked for, newest first.".to_owned(),
        (List::Runs, ..) if one => "1 operation so far.".to_owned(),
        (List::Runs, ..) => format!("{figure} operations, newest first."),
        (List::Failures, 0, _) => "What has ended without doing what was asked.".to_owned(),
        (List::Failures, ..) if one => "1 operation failed.".to_owned(),
        (List::Failures, ..) => format!("{figure} operations failed, newest first."),
        (List::Stuck, 0, _) => "What waits or runs longer than it should.".to_owned(),
        (List::Stuck, ..) if one => "1 operation does not move.".to_owned(),
        (List::Stuck, ..) => format!("{figure} operations do not move, newest first."),
    }
}

/// The one way out of the header.
pub fn way_out(list: List) -> AnyView {
    let (words, href) = match list {
        List::Runs => ("Go to runbooks", paths::runbooks()),
        List::Failures | List::Stuck => ("Show all operations", paths::runs()),
    };
    view! {
        <a class="btn primary" href=href>
            {words}
        </a>
    }
    .into_any()
}

fn figure(count: Count) -> AnyView {
    let said = capped(count.total, count.total_capped);
    view! {
        " "
        <span class="n">{said}</span>
    }
    .into_any()
}

/// The three lists, with the filters that each has as well, and how many are in each.
pub fn tabs(here: List, query: &ListQuery, counts: Option<&Counts>) -> AnyView {
    let tab = |list: List| {
        let (word, count) = match list {
            List::Runs => ("All", counts.map(Counts::runs)),
            List::Failures => ("Failures", counts.map(|counts| counts.failed)),
            List::Stuck => ("Stuck", counts.map(|counts| counts.stuck)),
        };
        let current = (list == here).then_some("page");
        view! {
            <a href=list.href(&list.carry(query)) aria-current=current>
                {word}
                {count.map(figure)}
            </a>
        }
    };
    view! {
        <nav class="tabs" aria-label="Lists of operations">
            {List::ALL.map(tab).into_iter().collect_view()}
        </nav>
    }
    .into_any()
}

/// Failures one by one, or by cause.
pub fn failures_as(by_cause: bool, query: &ListQuery) -> AnyView {
    let current = |here: bool| here.then_some("page");
    let cause = crate::operations::filters::GROUP_FILTERS;
    let pairs =
        query.set().filter(|(key, _)| *key != "q" && cause.iter().any(|filter| filter.key == *key));
    let pairs: Vec<(String, String)> =
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let one_by_one = ListQuery::parse(List::Failures.filters(), pairs.iter().cloned());
    let one_by_one = List::Failures.href(&one_by_one.unwrap_or_default());
    let causes = ListQuery::parse(cause, pairs).unwrap_or_default();
    view! {
        <nav class="tabs sub" aria-label="Failures as">
            <a href=one_by_one aria-current=current(!by_cause)>
                "One by one"
            </a>
            <a href=paths::failures_by_cause(&causes) aria-current=current(by_cause)>
                "By cause"
            </a>
        </nav>
    }
    .into_any()
}

/// How many are in each state, each a link to those alone. Failures have one state.
pub fn state_counts(list: List, query: &ListQuery, counts: &Counts) -> Option<AnyView> {
    let states: Vec<State> = match list {
        List::Runs => vec![
            State { key: "status", value: "queued", word: "queued", count: counts.queued },
            State { key: "status", value: "running", word: "running", count: counts.running },
            State {
                key: "outcome",
                value: "succeeded",
                word: "succeeded",
                count: counts.succeeded,
            },
            State { key: "outcome", value: "failed", word: "failed", count: counts.failed },
        ],
        List::Failures => return None,
        List::Stuck => {
            let classes = counts.stuck_classes.iter();
            let state = |one: &ClassCount| {
                let (value, word) = (one.class.as_str(), one.class.label());
                State { key: STUCK_CLASS_KEY, value, word, count: one.count }
            };
            classes.map(state).collect()
        }
    };
    if states.is_empty() {
        return None;
    }
    let links = states.into_iter().map(|state| state_link(list, query, &state)).collect_view();
    Some(
        view! {
            <ul class="states" aria-label="Operations by state">
                {links}
            </ul>
        }
        .into_any(),
    )
}

/// One figure: how many have this value in this filter.
struct State {
    key: &'static str,
    value: &'static str,
    word: &'static str,
    count: Count,
}

fn state_link(list: List, query: &ListQuery, state: &State) -> impl IntoView + use<> {
    let State { key, value, word, count } = *state;
    let only = list.carry(query).with(key, value);
    let is_here = query.from_start() == only;
    view! {
        <li>
            <a href=list.href(&only) aria-current=is_here.then_some("true")>
                <span class="n">{capped(count.total, count.total_capped)}</span>
                " "
                {word}
            </a>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_counts_what_the_list_shows() {
        assert_eq!(sentence(List::Runs, 1, false, false), "1 operation so far.");
        assert_eq!(
            sentence(List::Failures, 10_000, true, false),
            "10,000+ operations failed, newest first."
        );
        assert_eq!(sentence(List::Stuck, 1, false, true), "1 operation matches.");
        assert_eq!(
            sentence(List::Stuck, 0, false, true),
            "What waits or runs longer than it should."
        );
        assert_eq!(sentence(List::Runs, 1, true, true), "1+ operations match, newest first.");
    }
}

//! The side navigation: only what exists, and of that only what this caller may open.

use leptos::prelude::*;

use super::sees_operations;
use crate::{
    identity::{Caller, Capability},
    paths,
    paths::route,
    ui::{Keys, icons::Wheel, keys::Go},
};

/// One entry. `letter` is what goes there after `g`.
struct Entry {
    label: &'static str,
    letter: char,
    route: &'static str,
    href: fn() -> String,
    below: &'static [Entry],
}

const OPERATIONS: &[Entry] = &[Entry {
    label: "Operations",
    letter: 'o',
    route: route::RUNS,
    href: paths::runs,
    below: &[Entry {
        label: "Runbooks",
        letter: 'r',
        route: route::RUNBOOKS,
        href: paths::runbooks,
        below: &[],
    }],
}];

const fn entry(
    label: &'static str,
    letter: char,
    route: &'static str,
    href: fn() -> String,
) -> Entry {
    Entry { label, letter, route, href, below: &[] }
}

/// Who may do what.
const IDENTITY: &[Entry] = &[
    entry("People", 'p', route::PEOPLE, paths::people),
    entry("Grants", 'n', route::GRANTS, paths::grants),
    entry("API keys", 'k', route::KEYS, paths::keys),
    entry("Workspaces", 'w', route::WORKSPACES, paths::workspaces),
];

/// Whoever is signed in has these.
const ACCOUNT: &[Entry] = &[entry("Your keys", 'y', route::OWN_KEYS, paths::own_keys)];

const SETTINGS: &[Entry] = &[Entry {
    label: "Background tasks",
    letter: 't',
    route: route::TASKS,
    href: paths::tasks,
    below: &[],
}];

#[component]
pub fn Rail(path: String, caller: Option<Caller>) -> impl IntoView {
    let groups: Vec<&'static [Entry]> = [
        (OPERATIONS, caller.as_ref().is_some_and(sees_operations)),
        (IDENTITY, caller.as_ref().is_some_and(|c| c.may(Capability::IdentityView))),
        (SETTINGS, caller.as_ref().is_some_and(sees_operations)),
        (ACCOUNT, caller.is_some()),
    ]
    .into_iter()
    .filter_map(|(entries, seen)| seen.then_some(entries))
    .collect();
    let places = groups.iter().flat_map(|entries| places(entries)).collect::<Vec<_>>();
    let lists = groups.into_iter().map(|entries| list("", entries, &path)).collect_view();
    let who = caller.map(|caller| view! { <b>{caller.name}</b> });
    view! {
        <nav class="rail" aria-label="Main">
            <a class="brand" href=paths::home()>
                <Wheel />
                "Quarterdeck"
            </a>
            {lists}
            <div class="foot">
                {who} <span>{concat!("version ", env!("CARGO_PKG_VERSION"))}</span> <Keys places />
            </div>
        </nav>
    }
}

fn places(entries: &[Entry]) -> Vec<Go> {
    let own = |entry: &Entry| Go { letter: entry.letter, label: entry.label.to_owned() };
    entries.iter().flat_map(|e| std::iter::once(own(e)).chain(places(e.below))).collect()
}

fn list(class: &'static str, entries: &'static [Entry], path: &str) -> AnyView {
    let items = entries
        .iter()
        .map(|entry| {
            let below = (!entry.below.is_empty()).then(|| list("sub", entry.below, path));
            view! {
                <li>
                    <a
                        href=(entry.href)()
                        aria-current=current(entry.route, path)
                        data-go=entry.letter.to_string()
                    >
                        {entry.label}
                    </a>
                    {below}
                </li>
            }
        })
        .collect_view();
    view! { <ul class=class>{items}</ul> }.into_any()
}

/// `page` on the entry's own page, `true` on one below it.
fn current(route: &str, path: &str) -> Option<&'static str> {
    let path = path.trim_end_matches('/');
    if path == route {
        return Some("page");
    }
    path.strip_prefix(route).is_some_and(|rest| rest.starts_with('/')).then_some("true")
}

#[cfg(test)]
mod tests {
    use super::{current, route};

    #[test]
    fn the_rail_says_where_one_is() {
        assert_eq!(current(route::RUNS, "/system/ops/runs"), Some("page"));
        assert_eq!(current(route::RUNS, "/system/ops/runs/7"), Some("true"));
        assert_eq!(current(route::RUNS, "/system/ops/runsheet"), None);
        assert_eq!(current(route::RUNBOOKS, "/system/ops/runs"), None);
    }
}

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

/// For everyone: each sees there what they may.
const HOME: &[Entry] = &[entry("Needs a human", 'h', route::HOME, paths::home)];

const OPERATIONS: &[Entry] = &[Entry {
    label: "Operations",
    letter: 'o',
    route: route::RUNS,
    href: paths::runs,
    below: &[
        entry("Failures", 'f', route::FAILURES, paths::failures),
        entry("Stuck", 's', route::STUCK, paths::stuck),
        entry("Runbooks", 'r', route::RUNBOOKS, paths::runbooks),
    ],
}];

const fn entry(
    label: &'static str,
    letter: char,
    route: &'static str,
    href: fn() -> String,
) -> Entry {
    Entry { label, letter, route, href, below: &[] }
}

const FLEET: &[Entry] = &[entry("Clusters", 'c', route::CLUSTERS, paths::clusters)];

const AUDIT: &[Entry] = &[entry("Audit log", 'a', route::AUDIT, paths::audit)];

/// Who may do what.
const IDENTITY: &[Entry] = &[
    entry("People", 'p', route::PEOPLE, paths::people),
    entry("Grants", 'n', route::GRANTS, paths::grants),
    entry("API keys", 'k', route::KEYS, paths::keys),
    entry("Workspaces", 'w', route::WORKSPACES, paths::workspaces),
];

const SETTINGS: &[Entry] = &[entry("Background tasks", 't', route::TASKS, paths::tasks)];

#[component]
pub fn Rail(path: String, caller: Caller) -> impl IntoView {
    let groups = groups(&caller);
    let places = groups.iter().flat_map(|entries| places(entries)).collect::<Vec<_>>();
    let lists = groups.into_iter().map(|entries| list("", entries, &path)).collect_view();
    let here = current(route::ACCOUNT, &path);
    view! {
        <nav class="rail" aria-label="Main">
            <a class="brand" href=paths::home()>
                <Wheel />
                "Quarterdeck"
            </a>
            {lists}
            <div class="foot">
                <a href=paths::account() aria-current=here>
                    <b>{caller.name}</b>
                </a>
                <form method="post" action=paths::sign_out()>
                    <button class="quiet">"Sign out"</button>
                </form>
                <span>{concat!("version ", env!("CARGO_PKG_VERSION"))}</span> <Keys places />
            </div>
        </nav>
    }
}

/// What this caller may open, by groups.
fn groups(caller: &Caller) -> Vec<&'static [Entry]> {
    let groups = [
        (HOME, true),
        (OPERATIONS, sees_operations(caller)),
        (FLEET, caller.may(Capability::FleetView)),
        (AUDIT, caller.may(Capability::AuditView)),
        (IDENTITY, caller.may(Capability::IdentityView)),
        (SETTINGS, sees_operations(caller)),
    ];
    groups.into_iter().filter_map(|(entries, seen)| seen.then_some(entries)).collect()
}

/// Where this caller may go from home: words and address.
pub fn places_of(caller: &Caller) -> Vec<(&'static str, String)> {
    let entries = groups(caller).into_iter().skip(1).flatten();
    entries.map(|entry| (entry.label, (entry.href)())).collect()
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
    let (path, route) = (path.trim_end_matches('/'), route.trim_end_matches('/'));
    if path == route {
        return Some("page");
    }
    // Everything is below the start page, which is nobody's parent.
    path.strip_prefix(route)
        .filter(|_| !route.is_empty())
        .is_some_and(|rest| rest.starts_with('/'))
        .then_some("true")
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
        assert_eq!(current(route::HOME, "/"), Some("page"));
        assert_eq!(current(route::HOME, "/system/ops/runs"), None);
    }
}

//! `/clusters/{id}/events`: what components said, the newest first.

use leptos::prelude::*;

use super::{
    frame::{Answer, Row, Tab, here, page},
    tell,
};
use crate::{
    fleet::{
        View,
        watched::{EventRow, Watched, filters::EVENT_FILTERS},
    },
    identity::Permit,
    list::ListQuery,
    paths,
    ui::{Clockface, Column, StatusBadge, Tone, listing::Listing, table::RowLink},
};

#[component]
pub fn ClusterEventsPage() -> impl IntoView {
    page::<EventRow>()
}

impl Row for EventRow {
    const TAB: Tab = Tab::Events;
    const LISTING: Listing = Listing { filters: EVENT_FILTERS, primary: 3, href: here };
    const COLUMNS: &'static [Column] = &[
        Column::text("Object"),
        Column::text("What was said"),
        Column::number("Times"),
        Column::number("Last"),
    ];
    const NOTHING: &'static str =
        "Nothing was said lately: a cluster keeps its events for about an hour.";

    fn ask<'a>(
        watched: &'a dyn Watched,
        permit: &'a Permit<View>,
        cluster: &'a str,
        query: &'a ListQuery,
    ) -> Answer<'a, Self> {
        watched.events(permit, cluster, query)
    }

    fn draw(&self, cluster: &str, clock: &Clockface) -> AnyView {
        row(self, cluster, clock)
    }
}

/// Leads to all that was said of the same object.
pub fn row(event: &EventRow, cluster: &str, clock: &Clockface) -> AnyView {
    let about = ListQuery::default()
        .with("namespace", &*event.namespace)
        .with("kind", &*event.about_kind)
        .with("object", &*event.about);
    let tone = if event.warning { Tone::Warn } else { Tone::Plain };
    let href = paths::cluster_list_where(cluster, "events", &about);
    let (namespace, name) = (format!("{} / ", event.namespace), event.about.clone());
    let (kind, reason, message) =
        (event.about_kind.clone(), event.reason.clone(), event.message.clone());
    let (count, last) = (event.count, tell::since(Some(event.last_at), clock));
    view! {
        <tr>
            <td>
                <RowLink href>
                    <span class="faint">{namespace}</span>
                    {name}
                </RowLink>
                <div class="why">{kind}</div>
            </td>
            <td>
                <StatusBadge tone word=reason />
                <div class="why">{message}</div>
            </td>
            <td class="num" data-is="times">{count}</td>
            <td class="num">{last}</td>
        </tr>
    }
    .into_any()
}

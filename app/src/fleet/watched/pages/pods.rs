//! `/clusters/{id}/pods`: which pod, where, and how it fares.

use leptos::prelude::*;

use super::{
    frame::{Answer, Row, Tab, here, page},
    tell,
};
use crate::{
    fleet::{
        View,
        watched::{Phase, PodRow, Watched, filters::POD_FILTERS},
    },
    identity::Permit,
    list::ListQuery,
    paths,
    ui::{Clockface, Column, StatusBadge, Tone, listing::Listing, table::RowLink},
};

#[component]
pub fn ClusterPodsPage() -> impl IntoView {
    page::<PodRow>()
}

fn tone(row: &PodRow) -> Tone {
    match row.phase {
        _ if row.status == "Terminating" => Tone::Waiting,
        Phase::Succeeded => Tone::Plain,
        _ if row.healthy => Tone::Ok,
        Phase::Pending if row.status == "Pending" => Tone::Waiting,
        _ => Tone::Bad,
    }
}

impl Row for PodRow {
    const TAB: Tab = Tab::Pods;
    const LISTING: Listing = Listing { filters: POD_FILTERS, primary: 3, href: here };
    const COLUMNS: &'static [Column] = &[
        Column::text("Pod"),
        Column::text("Status"),
        Column::number("Ready"),
        Column::number("Restarts"),
        Column::text("Node"),
        Column::number("Created"),
    ];
    const NOTHING: &'static str = "No pod runs in this cluster.";

    fn ask<'a>(
        watched: &'a dyn Watched,
        permit: &'a Permit<View>,
        cluster: &'a str,
        query: &'a ListQuery,
    ) -> Answer<'a, Self> {
        watched.pods(permit, cluster, query)
    }

    fn draw(&self, cluster: &str, clock: &Clockface) -> AnyView {
        let events = ListQuery::default()
            .with("namespace", &*self.namespace)
            .with("kind", "Pod")
            .with("object", &*self.name);
        let of = self.workload.as_ref().zip(self.workload_kind.as_ref());
        let of = of.map(|(name, kind)| view! { <div class="why">{format!("{kind} {name}")}</div> });
        let href = paths::cluster_list_where(cluster, "events", &events);
        let (namespace, name) = (format!("{} / ", self.namespace), self.name.clone());
        let (tone, word, node) = (tone(self), self.status.clone(), self.node.clone());
        let ready = format!("{}/{}", self.containers_ready, self.containers);
        let (restarts, created) = (self.restarts, tell::since(Some(self.created_at), clock));
        view! {
            <tr>
                <td>
                    <RowLink href>
                        <span class="faint">{namespace}</span>
                        {name}
                    </RowLink>
                    {of}
                </td>
                <td>
                    <StatusBadge tone word />
                </td>
                <td class="num" data-is="ready">{ready}</td>
                <td class="num" data-is="restarts">{restarts}</td>
                <td>{node}</td>
                <td class="num">{created}</td>
            </tr>
        }
        .into_any()
    }
}

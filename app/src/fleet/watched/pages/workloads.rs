//! `/clusters/{id}/workloads`: what runs here, what of it is not healthy, and why.

use leptos::prelude::*;

use super::{
    frame::{Answer, Row, Tab, here, page},
    tell,
};
use crate::{
    fleet::{
        View,
        watched::{Watched, WorkloadRow, WorkloadState, filters::WORKLOAD_FILTERS},
    },
    identity::Permit,
    list::ListQuery,
    paths,
    ui::{Clockface, Column, StatusBadge, Tone, listing::Listing, table::RowLink},
};

#[component]
pub fn ClusterWorkloadsPage() -> impl IntoView {
    page::<WorkloadRow>()
}

impl Row for WorkloadRow {
    const TAB: Tab = Tab::Workloads;
    const LISTING: Listing = Listing { filters: WORKLOAD_FILTERS, primary: 4, href: here };
    const COLUMNS: &'static [Column] = &[
        Column::text("Workload"),
        Column::text("State"),
        Column::text("Pods"),
        Column::number("Created"),
    ];
    const NOTHING: &'static str = "Nothing is deployed in this cluster.";

    fn ask<'a>(
        watched: &'a dyn Watched,
        permit: &'a Permit<View>,
        cluster: &'a str,
        query: &'a ListQuery,
    ) -> Answer<'a, Self> {
        watched.workloads(permit, cluster, query)
    }

    fn draw(&self, cluster: &str, clock: &Clockface) -> AnyView {
        let pods =
            ListQuery::default().with("namespace", &*self.namespace).with("workload", &*self.name);
        let state = match (&self.finding, self.state) {
            (Some(finding), _) => {
                let (badge, why) = (tell::badge(finding), tell::why(finding, clock));
                view! { {badge} {why} }.into_any()
            }
            (None, WorkloadState::Healthy) => {
                view! { <StatusBadge tone=Tone::Ok word="healthy" /> }.into_any()
            }
            (None, WorkloadState::Unhealthy) => {
                view! { <StatusBadge tone=Tone::Warn word="not all ready" /> }.into_any()
            }
            (None, WorkloadState::Idle) => {
                view! { <StatusBadge tone=Tone::Plain word="idle" /> }.into_any()
            }
        };
        let href = paths::cluster_list_where(cluster, "pods", &pods);
        let (namespace, name) = (format!("{} / ", self.namespace), self.name.clone());
        let (kind, says) = (self.kind.clone(), self.says.clone());
        let created = tell::since(Some(self.created_at), clock);
        view! {
            <tr>
                <td>
                    <RowLink href>
                        <span class="faint">{namespace}</span>
                        {name}
                    </RowLink>
                    <div class="why">{kind}</div>
                </td>
                <td>{state}</td>
                <td>{says}</td>
                <td class="num">{created}</td>
            </tr>
        }
        .into_any()
    }
}

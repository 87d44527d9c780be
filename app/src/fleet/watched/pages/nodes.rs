//! `/clusters/{id}/nodes`: which node is not well, and what each has to give.

use leptos::prelude::*;

use super::{
    frame::{Answer, Row, Tab, here, page},
    tell,
};
use crate::{
    fleet::{
        View,
        watched::{NodeRow, NodeState, Watched, filters::NODE_FILTERS},
    },
    identity::Permit,
    list::ListQuery,
    paths,
    ui::{Clockface, Column, StatusBadge, Tone, listing::Listing, table::RowLink},
};

#[component]
pub fn ClusterNodesPage() -> impl IntoView {
    page::<NodeRow>()
}

impl Row for NodeRow {
    const TAB: Tab = Tab::Nodes;
    const LISTING: Listing = Listing { filters: NODE_FILTERS, primary: 4, href: here };
    const COLUMNS: &'static [Column] = &[
        Column::text("Node"),
        Column::text("State"),
        Column::text("Version"),
        Column::number("GPUs"),
        Column::number("CPU"),
        Column::number("Memory"),
        Column::number("Pods"),
        Column::number("Since"),
    ];
    const NOTHING: &'static str = "This cluster has no nodes.";

    fn ask<'a>(
        watched: &'a dyn Watched,
        permit: &'a Permit<View>,
        cluster: &'a str,
        query: &'a ListQuery,
    ) -> Answer<'a, Self> {
        watched.nodes(permit, cluster, query)
    }

    fn draw(&self, cluster: &str, clock: &Clockface) -> AnyView {
        let tone = match self.state {
            NodeState::Ready => Tone::Ok,
            NodeState::NotReady | NodeState::Unknown => Tone::Bad,
        };
        let pressure = self
            .pressure
            .iter()
            .map(|kind| {
                let word = kind.clone();
                view! { " " <StatusBadge tone=Tone::Warn word /> }
            })
            .collect_view();
        let cordoned =
            self.cordoned.then(|| view! { " " <StatusBadge tone=Tone::Waiting word="cordoned" /> });
        let roles = (!self.roles.is_empty()).then(|| self.roles.join(", "));
        let taints =
            (!self.taints.is_empty()).then(|| format!("taints {}", self.taints.join(", ")));
        let under: Vec<String> = roles.into_iter().chain(taints).collect();
        let under =
            (!under.is_empty()).then(|| view! { <div class="why">{under.join(" · ")}</div> });
        let pods = ListQuery::default().with("node", &*self.name);
        let href = paths::cluster_list_where(cluster, "pods", &pods);
        let (name, version, label) = (self.name.clone(), self.version.clone(), self.state.label());
        let (cpu, memory) = (self.cpu.clone(), self.memory.clone());
        let gpus = (self.gpus > 0).then_some(self.gpus);
        let pods = self.pods.map(|pods| pods.to_string());
        let since = tell::since(self.since, clock);
        view! {
            <tr>
                <td>
                    <RowLink href>{name}</RowLink>
                    {under}
                </td>
                <td>
                    <StatusBadge tone word=label />
                    {pressure}
                    {cordoned}
                </td>
                <td>{version}</td>
                <td class="num" data-is="GPUs">{gpus}</td>
                <td class="num" data-is="CPU">{cpu}</td>
                <td class="num" data-is="memory">{memory}</td>
                <td class="num" data-is="pods">{pods}</td>
                <td class="num">{since}</td>
            </tr>
        }
        .into_any()
    }
}

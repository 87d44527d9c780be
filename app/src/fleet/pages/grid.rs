//! All clusters at a glance: one tile each, by state, the bad ones first.

use leptos::prelude::*;

use super::words;
use crate::{
    fleet::{model::ClusterState, overview::FleetHealth},
    paths,
};

pub fn grid(health: &FleetHealth) -> AnyView {
    let groups = ClusterState::ALL.into_iter().filter_map(|state| {
        let of_state: Vec<_> =
            health.clusters.iter().filter(|cluster| cluster.state == state).collect();
        if of_state.is_empty() {
            return None;
        }
        let title = format!("{} {}", of_state.len(), words::state_word(state));
        let tiles = of_state
            .into_iter()
            .map(|cluster| {
                let score = cluster
                    .health_score
                    .map(|score| view! { <span class="num dim">{score}</span> });
                view! {
                    <li>
                        <a href=paths::cluster(&cluster.cluster_id)>
                            {words::state_badge(state)} <b>{cluster.cluster_name.clone()}</b> {score}
                        </a>
                    </li>
                }
            })
            .collect_view();
        Some(view! {
            <section class="card tiles">
                <header>
                    <h2>{title}</h2>
                </header>
                <ul class="plain">{tiles}</ul>
            </section>
        })
    });
    view! { <div class="stack">{groups.collect_view()}</div> }.into_any()
}

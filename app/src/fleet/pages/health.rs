//! How a cluster fares and fared: each point that its score lost, and the picture of seven days.

use leptos::prelude::*;

use crate::{
    fleet::{
        health::{self, HealthPoint},
        model::{Cluster, Deduction},
    },
    ui::{Card, Clockface, StatusBadge, Tone, chart::Chart},
};

pub fn card(cluster: &Cluster, history: &[HealthPoint], clock: &Clockface) -> Option<AnyView> {
    let bars = health::bars(history, clock);
    let Some(score) = cluster.status.health_score else {
        // Begun anew: what was before it is still worth a look.
        return bars.map(|bars| view! { <Card title="Health"><Chart bars /></Card> }.into_any());
    };
    let lines = cluster.status.deductions.iter().map(line).collect_view();
    let lost = if cluster.status.deductions.is_empty() {
        view! { <p class="dim">"Everything that was looked at is well."</p> }.into_any()
    } else {
        view! { <ul class="plain stack tight">{lines}</ul> }.into_any()
    };
    let chart = bars.map(|bars| view! { <Chart bars /> });
    let remark = format!("{score} of 100");
    Some(
        view! {
            <Card title="Health" remark=remark.into_any()>
                {lost}
                {chart}
            </Card>
        }
        .into_any(),
    )
}

fn line(deduction: &Deduction) -> AnyView {
    let points = match deduction.points {
        0 => view! { <StatusBadge tone=Tone::Waiting word="not known" /> }.into_any(),
        points => view! { <b class="num">{format!("−{points}")}</b> }.into_any(),
    };
    view! {
        <li>
            {points}
            " "
            {deduction.reason.clone()}
        </li>
    }
    .into_any()
}

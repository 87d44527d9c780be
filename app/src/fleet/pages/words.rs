//! How states and ends are shown: word, shape, tone.

use leptos::prelude::*;

use crate::{
    fleet::{
        credentials::{CredentialMeta, Expiry},
        model::{Choices, ClusterState, ClusterType, Connectivity, Environment, Transport},
    },
    ui::{Clockface, Moment, StatusBadge, Tone},
};

pub fn state_tone(state: ClusterState) -> Tone {
    match state {
        ClusterState::Online => Tone::Ok,
        ClusterState::Degraded => Tone::Warn,
        ClusterState::Offline => Tone::Bad,
        ClusterState::Provisioning => Tone::Running,
        ClusterState::Unknown => Tone::Waiting,
    }
}

pub fn state_word(state: ClusterState) -> &'static str {
    match state {
        ClusterState::Online => "online",
        ClusterState::Degraded => "degraded",
        ClusterState::Offline => "offline",
        ClusterState::Provisioning => "provisioning",
        ClusterState::Unknown => "unknown",
    }
}

pub fn state_badge(state: ClusterState) -> AnyView {
    view! { <StatusBadge tone=state_tone(state) word=state_word(state) /> }.into_any()
}

pub fn connectivity(connectivity: Connectivity) -> &'static str {
    match connectivity {
        Connectivity::Connected => "connected",
        Connectivity::Disconnected => "disconnected",
        Connectivity::Intermittent => "intermittent",
    }
}

pub fn kind(kind: ClusterType) -> &'static str {
    label(crate::fleet::model::TYPES, kind.as_str())
}

pub fn environment(environment: Environment) -> &'static str {
    label(crate::fleet::model::ENVIRONMENTS, environment.as_str())
}

pub fn transport(transport: Transport) -> &'static str {
    label(crate::fleet::model::TRANSPORTS, transport.as_str())
}

fn label(choices: Choices, value: &str) -> &'static str {
    choices.iter().find(|choice| choice.value == value).map_or("", |choice| choice.label)
}

/// When a credential ends, and whether that is soon.
pub fn expiry(meta: &CredentialMeta, clock: &Clockface) -> AnyView {
    let at = meta.expires_at.map(|at| view! { " " <Moment at clock=clock.clone() /> });
    match meta.expiry {
        Expiry::Never => view! { "names no end" }.into_any(),
        Expiry::Later => view! { "ends" {at} }.into_any(),
        Expiry::Soon => view! { <StatusBadge tone=Tone::Warn word="ends soon" /> {at} }.into_any(),
        Expiry::Over => view! { <StatusBadge tone=Tone::Bad word="expired" /> {at} }.into_any(),
    }
}

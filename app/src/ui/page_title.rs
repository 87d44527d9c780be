//! The document's title, from fixed words and ids only.
//!
//! The title element of the framework does not escape what it is given, so nothing that anyone typed may
//! come near it: a title is a value of this type, or it is not set.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::error::{ApiError, Thing};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageTitle {
    Home,
    Operations,
    Operation(i64),
    Failures,
    Stuck,
    Runbooks,
    Runbook,
    BackgroundTasks,
    Audit,
    AuditEntry(i64),
    People,
    Person,
    Grants,
    Keys,
    OwnKeys,
    Workspaces,
    Clusters,
    Cluster,
    RegisterCluster,
    ClusterNodes,
    ClusterPods,
    ClusterWorkloads,
    ClusterEvents,
    SignIn,
    Welcome,
    Account,
    NotFound(Thing),
    Error(u16),
}

impl PageTitle {
    pub fn of_error(error: &ApiError) -> Self {
        match error {
            ApiError::NotFound(thing) => Self::NotFound(*thing),
            other => Self::Error(other.status()),
        }
    }

    fn text(self) -> String {
        let words = match self {
            Self::Home => "Needs a human".to_owned(),
            Self::Operations => "Operations".to_owned(),
            Self::Operation(id) => format!("Operation #{id}"),
            Self::Failures => "Failed operations".to_owned(),
            Self::Stuck => "Stuck operations".to_owned(),
            Self::Runbooks => "Runbooks".to_owned(),
            Self::Runbook => "Runbook".to_owned(),
            Self::BackgroundTasks => "Background tasks".to_owned(),
            Self::Audit => "Audit log".to_owned(),
            Self::AuditEntry(seq) => format!("Audit entry #{seq}"),
            Self::People => "People".to_owned(),
            Self::Person => "Person".to_owned(),
            Self::Grants => "Grants".to_owned(),
            Self::Keys => "API keys".to_owned(),
            Self::OwnKeys => "Your API keys".to_owned(),
            Self::Workspaces => "Workspaces".to_owned(),
            Self::Clusters => "Clusters".to_owned(),
            Self::Cluster => "Cluster".to_owned(),
            Self::RegisterCluster => "Register a cluster".to_owned(),
            Self::ClusterNodes => "Nodes of a cluster".to_owned(),
            Self::ClusterPods => "Pods of a cluster".to_owned(),
            Self::ClusterWorkloads => "Workloads of a cluster".to_owned(),
            Self::ClusterEvents => "Events of a cluster".to_owned(),
            Self::SignIn => "Sign in".to_owned(),
            Self::Welcome => "Welcome".to_owned(),
            Self::Account => "Your account".to_owned(),
            Self::NotFound(thing) => format!("{} not found", thing.label()),
            Self::Error(status) => format!("Error {status}"),
        };
        format!("{words} · Quarterdeck")
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place; the words above are ours")]
#[component]
pub fn SetTitle(title: PageTitle) -> impl IntoView {
    view! { <Title text=title.text() /> }
}

//! Which page answers which address. The addresses themselves are `paths::route`.

use leptos::prelude::*;
use leptos_router::{
    ParamSegment, SsrMode, StaticSegment,
    components::{FlatRoutes, Route, Router},
};

use crate::{
    audit::pages::{AuditEntryPage, AuditPage},
    error::{ApiError, Thing},
    fleet::{
        pages::{ClusterPage, ClustersPage, NewClusterPage},
        watched::pages::{
            ClusterEventsPage, ClusterNodesPage, ClusterPodsPage, ClusterWorkloadsPage,
        },
    },
    home::pages::HomePage,
    identity::pages::{
        AccountPage, GrantsPage, KeysPage, OwnKeysPage, PeoplePage, PersonPage, SignInPage,
        WelcomePage,
    },
    operations::pages::{FailuresPage, RunPage, RunbookPage, RunbooksPage, RunsPage, StuckPage},
    request::PageRequest,
    settings::pages::TasksPage,
    ui::failure::Failure,
    workspaces::pages::WorkspacesPage,
};

/// The page of the request: the one that its address names, or the error that was decided before.
#[component]
pub fn App() -> impl IntoView {
    if let Some(error) = PageRequest::from_context().and_then(|request| request.failed) {
        return view! { <Failure error /> }.into_any();
    }
    let (system, ops) = (StaticSegment("system"), StaticSegment("ops"));
    let (runs, runbooks) = (StaticSegment("runs"), StaticSegment("runbooks"));
    let (failures, stuck) = (StaticSegment("failures"), StaticSegment("stuck"));
    let runbook = (system, ops, runbooks, ParamSegment("type"));
    let audit = StaticSegment("audit");
    let settings = StaticSegment("settings");
    let tasks = (settings, StaticSegment("tasks"));
    let people = (settings, StaticSegment("people"));
    let person = (settings, StaticSegment("people"), ParamSegment("id"));
    let (grants, keys) = ((settings, StaticSegment("grants")), (settings, StaticSegment("keys")));
    let own_keys = (StaticSegment("account"), StaticSegment("keys"));
    let workspaces = (settings, StaticSegment("workspaces"));
    let clusters = StaticSegment("clusters");
    let of_cluster = move |list| (clusters, ParamSegment("id"), StaticSegment(list));
    let mode = SsrMode::PartiallyBlocked;
    view! {
        <Router>
            <FlatRoutes fallback=not_found>
                <Route path=StaticSegment("") view=HomePage ssr=mode.clone() />
                <Route path=(system, ops, runs) view=RunsPage ssr=mode.clone() />
                <Route path=(system, ops, failures) view=FailuresPage ssr=mode.clone() />
                <Route path=(system, ops, stuck) view=StuckPage ssr=mode.clone() />
                <Route path=(system, ops, runs, ParamSegment("id")) view=RunPage ssr=mode.clone() />
                <Route path=(system, ops, runbooks) view=RunbooksPage ssr=mode.clone() />
                <Route path=runbook view=RunbookPage ssr=mode.clone() />
                <Route path=clusters view=ClustersPage ssr=mode.clone() />
                <Route path=(clusters, StaticSegment("new")) view=NewClusterPage ssr=mode.clone() />
                <Route path=(clusters, ParamSegment("id")) view=ClusterPage ssr=mode.clone() />
                <Route path=audit view=AuditPage ssr=mode.clone() />
                <Route path=(audit, ParamSegment("seq")) view=AuditEntryPage ssr=mode.clone() />
                <Route path=people view=PeoplePage ssr=mode.clone() />
                <Route path=person view=PersonPage ssr=mode.clone() />
                <Route path=grants view=GrantsPage ssr=mode.clone() />
                <Route path=keys view=KeysPage ssr=mode.clone() />
                <Route path=own_keys view=OwnKeysPage ssr=mode.clone() />
                <Route path=workspaces view=WorkspacesPage ssr=mode.clone() />
                <Route path=of_cluster("nodes") view=ClusterNodesPage ssr=mode.clone() />
                <Route path=of_cluster("pods") view=ClusterPodsPage ssr=mode.clone() />
                <Route path=of_cluster("workloads") view=ClusterWorkloadsPage ssr=mode.clone() />
                <Route path=of_cluster("events") view=ClusterEventsPage ssr=mode.clone() />
                <Route path=tasks view=TasksPage ssr=mode.clone() />
                <Route path=StaticSegment("sign-in") view=SignInPage ssr=SsrMode::Async />
                <Route path=StaticSegment("welcome") view=WelcomePage ssr=mode.clone() />
                <Route path=StaticSegment("account") view=AccountPage ssr=mode />
            </FlatRoutes>
        </Router>
    }
    .into_any()
}

fn not_found() -> impl IntoView {
    view! { <Failure error=ApiError::NotFound(Thing::Page) /> }
}

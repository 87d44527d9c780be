//! The frame of a cluster's list: crumbs, tabs, filters, how whole and how new the rows are, the rows, the ways on.
//! What a list is made of its own file says.

use std::{pin::Pin, sync::Arc};

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::tell;
use crate::{
    error::ApiError,
    fleet::{
        View,
        pages::failure,
        watched::{Kind, Listed, Watched, topic},
    },
    identity::{Permit, enter},
    list::ListQuery,
    paths,
    request::PageRequest,
    ui::{
        Clockface, Column, Crumb, PageHead, PageTitle, SetTitle, Table,
        answer::see_other,
        filters::Suggestions,
        listing::{Asked, Listing},
        live::LiveSections,
        load,
        pagination::{capped, grouped},
    },
};

const SECTION: &str = "rows";

/// The lists of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    Nodes,
    Workloads,
    Pods,
    Events,
}

impl Tab {
    pub const ALL: [Self; 4] = [Self::Nodes, Self::Workloads, Self::Pods, Self::Events];

    /// In the address.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Workloads => "workloads",
            Self::Pods => "pods",
            Self::Events => "events",
        }
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::Nodes => "Nodes",
            Self::Workloads => "Workloads",
            Self::Pods => "Pods",
            Self::Events => "Events",
        }
    }

    const fn title(self) -> PageTitle {
        match self {
            Self::Nodes => PageTitle::ClusterNodes,
            Self::Workloads => PageTitle::ClusterWorkloads,
            Self::Pods => PageTitle::ClusterPods,
            Self::Events => PageTitle::ClusterEvents,
        }
    }

    /// Changes of these are changes of the list.
    const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Nodes => &[Kind::Nodes],
            Self::Pods => &[Kind::Pods],
            Self::Events => &[Kind::Events],
            Self::Workloads => &[
                Kind::Deployments,
                Kind::StatefulSets,
                Kind::DaemonSets,
                Kind::Jobs,
                Kind::CronJobs,
            ],
        }
    }
}

/// What the service promises.
pub type Answer<'a, R> = Pin<Box<dyn Future<Output = Result<Listed<R>, ApiError>> + Send + 'a>>;

/// A row of one of the lists.
pub trait Row: Sized + Send + Sync + 'static {
    const TAB: Tab;
    const LISTING: Listing;
    const COLUMNS: &'static [Column];
    /// When there is nothing at all: what that means.
    const NOTHING: &'static str;

    fn ask<'a>(
        watched: &'a dyn Watched,
        permit: &'a Permit<View>,
        cluster: &'a str,
        query: &'a ListQuery,
    ) -> Answer<'a, Self>;

    fn draw(&self, cluster: &str, clock: &Clockface) -> AnyView;
}

/// The list under which the form's page is: its address without the path, so that it is right for each cluster.
pub fn here(query: &ListQuery) -> String {
    format!("?{}", query.to_query_string())
}

pub fn page<R: Row>() -> AnyView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    let cluster = use_params_map().with_untracked(|params| params.get("id").unwrap_or_default());
    let asked = R::LISTING.read(&request);
    if let Asked::Elsewhere(address) = &asked {
        see_other(address);
        return ().into_any();
    }
    let content = load({
        let (asked, cluster) = (asked.clone(), cluster.clone());
        move || fetch::<R>(asked.clone(), cluster.clone())
    });
    view! {
        <SetTitle title=R::TAB.title() />
        <Suspense>
            {move || {
                let (request, asked) = (request.clone(), asked.clone());
                Suspend::new(async move {
                    match (&*content.await, asked) {
                        (Ok(listed), Asked::List(query)) => draw(&request, listed, &query),
                        (Ok(listed), Asked::Refused(violations)) => {
                            view! {
                                {head::<R>(listed, &ListQuery::default())}
                                {R::LISTING.refused(&request, &violations)}
                            }
                                .into_any()
                        }
                        (Ok(_), Asked::Elsewhere(_)) => ().into_any(),
                        (Err(error), _) => failure(error),
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

fn fetch<R: Row>(
    asked: Asked,
    cluster: String,
) -> impl Future<Output = Result<Listed<R>, ApiError>> + Send {
    let entered = enter::<View, dyn Watched>();
    async move {
        let (permit, watched): (_, Arc<dyn Watched>) = entered.await?;
        let query = match asked {
            Asked::List(query) => query,
            // The head says which cluster it is.
            _ => ListQuery::default(),
        };
        R::ask(&*watched, &permit, &cluster, &query).await
    }
}

fn head<R: Row>(listed: &Listed<R>, query: &ListQuery) -> AnyView {
    let cluster = &listed.cluster;
    let crumbs = vec![
        Crumb::link("Clusters", paths::clusters()),
        Crumb::link(cluster.name.clone(), paths::cluster(&cluster.id)),
        Crumb::here(R::TAB.label()),
    ];
    let title = format!("{} of {}", R::TAB.label(), cluster.name);
    view! {
        <PageHead title crumbs lede=lede(listed, query).into_any() />
        {tabs(&cluster.id, Some(R::TAB))}
    }
    .into_any()
}

fn lede<R: Row>(listed: &Listed<R>, query: &ListQuery) -> String {
    let page = &listed.page;
    let what = R::TAB.label().to_lowercase();
    let read = &listed.watches[0];
    if let (false, Some(of)) = (read.is_complete(), read.expected) {
        return format!("About {} {what}, being read right now.", grouped(of.cast_signed()));
    }
    let total = capped(page.total, page.total_capped);
    match (page.total, query.is_filtered()) {
        (1, true) => format!("1 of the {what} matches."),
        (_, true) => format!("{total} {what} match."),
        (1, false) => format!("One of the {what} is all there is."),
        (_, false) => format!("{total} {what}."),
    }
}

/// The ways between a cluster's pages.
pub fn tabs(cluster: &str, here: Option<Tab>) -> AnyView {
    let lists = Tab::ALL.map(|tab| {
        let current = (Some(tab) == here).then_some("page");
        view! {
            <a href=paths::cluster_list(cluster, tab.word()) aria-current=current>
                {tab.label()}
            </a>
        }
    });
    let overview = here.is_none().then_some("page");
    view! {
        <nav class="tabs" aria-label="Pages of this cluster">
            <a href=paths::cluster(cluster) aria-current=overview>
                "Overview"
            </a>
            {lists.into_iter().collect_view()}
        </nav>
    }
    .into_any()
}

fn draw<R: Row>(request: &PageRequest, listed: &Listed<R>, query: &ListQuery) -> AnyView {
    let clock = Clockface::of(request);
    let suggestions = listed.namespaces.iter().map(|name| (name.clone(), name.clone()));
    let suggestions = Suggestions::default().with("namespace", suggestions);
    let id = &listed.cluster.id;
    let topics: Vec<String> = R::TAB.kinds().iter().map(|kind| topic(id, *kind)).collect();
    let rows = listed.page.items.iter().map(|row| row.draw(id, &clock)).collect_view();
    let body = if listed.page.items.is_empty() {
        R::LISTING.empty(query, "Nothing here", R::NOTHING)
    } else {
        view! {
            <div class="card">
                <Table caption=R::TAB.label() columns=R::COLUMNS>
                    {rows}
                </Table>
            </div>
        }
        .into_any()
    };
    let joined = topics.join(" ");
    view! {
        {head(listed, query)}
        {R::LISTING.bar(request, query, &suggestions)}
        <div class="filterline">
            <LiveSections
                stream=paths::events_stream_watching(&topics)
                topics
                sections=vec![SECTION.to_owned()]
            />
        </div>
        <section id=SECTION class="stack" data-topics=joined>
            {tell::caveats(&listed.watches, &clock)}
            {body}
            {R::LISTING.pages(&listed.page, query)}
        </section>
    }
    .into_any()
}

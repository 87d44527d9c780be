//! `/clusters`: which clusters are there, and how do they fare? A table, or with `view=grid` a tile for each.

use leptos::prelude::*;

use super::{grid::grid, words};
use crate::{
    error::ApiError,
    events,
    fleet::{
        Clusters, View,
        credentials::Expiry,
        model::{Cluster, ClusterState, FILTERS},
        overview::{FleetHealth, FleetSummary},
    },
    identity::{Capability, enter},
    list::{ListQuery, Page},
    paths,
    request::PageRequest,
    ui::{
        Clockface, EmptyState, Moment, PageHead, PageTitle, SetTitle, StatusBadge, Tone,
        answer::see_other,
        failure::Failure,
        filters::Suggestions,
        listing::{Asked, Listing},
        live::LiveSections,
        load,
        pagination::{capped, place},
        table::{Column, RowLink, Table},
    },
};

const LISTING: Listing = Listing {
    filters: FILTERS,
    primary: 4,
    href: |query| paths::filtered(paths::clusters(), query),
};

const COLUMNS: &[Column] = &[
    Column::text("Cluster"),
    Column::text("State"),
    Column::number("Health"),
    Column::text("Type"),
    Column::text("Environment"),
    Column::text("Version"),
    Column::text("Credential"),
    Column::number("Looked at"),
];

struct Content {
    page: Page<Cluster>,
    summary: FleetSummary,
    /// For the tiles.
    health: Option<FleetHealth>,
}

#[component]
pub fn ClustersPage() -> impl IntoView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    let tiles = request.value("view") == Some("grid");
    let mut listed = request.clone();
    listed.pairs.retain(|(key, _)| key != "view");
    let asked = if tiles { Asked::List(ListQuery::default()) } else { LISTING.read(&listed) };
    if let Asked::Elsewhere(address) = &asked {
        see_other(address);
        return ().into_any();
    }
    let content = load({
        let asked = asked.clone();
        move || fetch(asked.clone(), tiles)
    });
    view! {
        <SetTitle title=PageTitle::Clusters />
        <Suspense>
            {move || {
                let (request, asked) = (listed.clone(), asked.clone());
                Suspend::new(async move { draw(&request, asked, &*content.await) })
            }}
        </Suspense>
    }
    .into_any()
}

fn fetch(asked: Asked, tiles: bool) -> impl Future<Output = Result<Content, ApiError>> + Send {
    let entered = enter::<View, dyn Clusters>();
    async move {
        let (permit, clusters) = entered.await?;
        let page = match asked {
            Asked::List(query) => clusters.list(&permit, &query).await?,
            Asked::Refused(_) | Asked::Elsewhere(_) => Page::default(),
        };
        let summary = clusters.summary(&permit).await?;
        let health = if tiles { Some(clusters.health(&permit).await?) } else { None };
        Ok(Content { page, summary, health })
    }
}

fn draw(request: &PageRequest, asked: Asked, content: &Result<Content, ApiError>) -> AnyView {
    let content = match content {
        Ok(content) => content,
        Err(error) => return view! { <Failure error=error.clone() /> }.into_any(),
    };
    let head = head(request, content);
    let query = match asked {
        Asked::List(query) => query,
        Asked::Refused(violations) => {
            return view! {
                {head}
                {LISTING.refused(request, &violations)}
            }
            .into_any();
        }
        Asked::Elsewhere(_) => return ().into_any(),
    };
    if let Some(health) = &content.health {
        return view! {
            {head}
            {views(true)}
            {live()}
            <section id="clusters" data-topics=events::CLUSTERS>
                {grid(health)}
            </section>
        }
        .into_any();
    }
    view! {
        {head}
        {views(false)}
        {LISTING.bar(request, &query, &Suggestions::default())}
        {live()}
        <section id="clusters" class="stack" data-topics=events::CLUSTERS>
            {rows(request, content, &query)}
            {LISTING.pages(&content.page, &query)}
        </section>
    }
    .into_any()
}

fn may_manage(request: &PageRequest) -> bool {
    request.caller.as_ref().is_some_and(|caller| caller.may(Capability::FleetManage))
}

fn head(request: &PageRequest, content: &Content) -> AnyView {
    let lede = lede(&content.summary).into_any();
    if may_manage(request) {
        let actions = view! {
            <a class="btn primary" href=paths::cluster_new()>
                "Register a cluster"
            </a>
        }
        .into_any();
        return view! { <PageHead title="Clusters" lede actions /> }.into_any();
    }
    let needed = Capability::FleetManage.as_str();
    view! {
        <PageHead title="Clusters" lede />
        <p class="dim">"Registering clusters needs the capability " <code>{needed}</code> "."</p>
    }
    .into_any()
}

fn lede(summary: &FleetSummary) -> String {
    let total = summary.total_clusters;
    if total == 0 {
        return "What the console looks after.".to_owned();
    }
    let of = |state: ClusterState| summary.by_state.get(state.as_str()).copied().unwrap_or(0);
    let states: Vec<String> = ClusterState::ALL
        .into_iter()
        .filter(|state| of(*state) > 0)
        .map(|state| format!("{} {}", of(state), words::state_word(state)))
        .collect();
    let clusters = if total == 1 { "1 cluster".to_owned() } else { format!("{total} clusters") };
    let score = summary
        .avg_health_score
        .map(|score| format!(" Health {score:.0} of 100 on average."))
        .unwrap_or_default();
    format!("{clusters}: {}.{score}", states.join(", "))
}

/// The rows, or the tiles, as soon as one of them fares otherwise.
fn live() -> AnyView {
    view! {
        <LiveSections
            stream=paths::events_stream()
            topics=vec![events::CLUSTERS.to_owned()]
            sections=vec!["clusters".to_owned()]
        />
    }
    .into_any()
}

fn views(tiles: bool) -> AnyView {
    let here = |yes: bool| yes.then_some("page");
    view! {
        <nav class="tabs" aria-label="Views">
            <a href=paths::clusters() aria-current=here(!tiles)>
                "Table"
            </a>
            <a href=paths::clusters_as_grid() aria-current=here(tiles)>
                "By state"
            </a>
        </nav>
    }
    .into_any()
}

fn rows(request: &PageRequest, content: &Content, query: &ListQuery) -> AnyView {
    let page = &content.page;
    if page.items.is_empty() {
        return empty(request, content, query);
    }
    let clock = Clockface::of(request);
    let caption = format!("{}; {}", place(page), capped(page.total, page.total_capped));
    let rows = page.items.iter().map(|cluster| row(cluster, &clock)).collect_view();
    view! {
        <section class="card">
            <Table caption columns=COLUMNS>
                {rows}
            </Table>
        </section>
    }
    .into_any()
}

fn empty(request: &PageRequest, content: &Content, query: &ListQuery) -> AnyView {
    let (title, why) = ("No clusters yet", "None is registered in the workspaces that you reach.");
    if query.is_filtered() || content.summary.total_clusters > 0 || !may_manage(request) {
        return LISTING.empty(query, title, why);
    }
    let why = "Register the first one: paste a kubeconfig, or give an address and a token. Nothing is saved before it has been looked at.";
    view! {
        <div class="card">
            <EmptyState
                title
                why
                step="Register a cluster".to_owned()
                href=paths::cluster_new()
            />
        </div>
    }
    .into_any()
}

fn row(cluster: &Cluster, clock: &Clockface) -> AnyView {
    let status = &cluster.status;
    let why = status.last_error.clone().map(|error| view! { <div class="why">{error}</div> });
    let other_name = cluster
        .display_name
        .as_ref()
        .map(|_| view! { <div class="why">{cluster.name.clone()}</div> });
    let score = status.health_score.map_or_else(|| "–".to_owned(), |score| score.to_string());
    let version = cluster
        .platform_version
        .clone()
        .or_else(|| cluster.kubernetes_version.clone())
        .unwrap_or_else(|| "not known".to_owned());
    // Before anybody has looked it is no more than what was typed, or left as it usually is.
    let platform = cluster.capabilities.as_ref().and(cluster.platform);
    let platform = platform.map(|platform| format!("{} ", platform.label()));
    let credential = match &cluster.credential {
        Some(meta) => match meta.expiry {
            Expiry::Soon | Expiry::Over => words::expiry(meta, clock),
            _ => view! { {meta.auth_type.label()} }.into_any(),
        },
        None if cluster.transport == crate::fleet::model::Transport::Direct => {
            view! { <StatusBadge tone=Tone::Waiting word="none" /> }.into_any()
        }
        None => view! { <span class="dim">{words::transport(cluster.transport)}</span> }.into_any(),
    };
    let checked = status.last_check_at.map_or_else(
        || view! { <span class="dim">"not yet"</span> }.into_any(),
        |at| view! { <Moment at clock=clock.clone() /> }.into_any(),
    );
    let (href, label) = (paths::cluster(&cluster.id), cluster.label().to_owned());
    view! {
        <tr>
            <td>
                <RowLink href>{label}</RowLink>
                {other_name}
            </td>
            <td>{words::state_badge(status.state)} {why}</td>
            <td class="num" data-is="health">{score}</td>
            <td>{words::kind(cluster.cluster_type)}</td>
            <td>{words::environment(cluster.environment)}</td>
            <td>{platform} {version}</td>
            <td>{credential}</td>
            <td class="num" data-is="looked at">{checked}</td>
        </tr>
    }
    .into_any()
}

//! `/clusters/{id}`: how does this cluster fare, why, and what opens it?

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{cluster_forms, health, upstreams, words};
use crate::{
    error::{ApiError, Thing},
    events,
    fleet::{
        Clusters, View,
        credentials::CredentialMeta,
        health::HealthPoint,
        model::{Cluster, Transport},
        trouble::Trouble,
        watched::{Overview, Watched, pages::overview},
    },
    identity::{Capability, enter},
    paths,
    request::PageRequest,
    time::Micros,
    ui::{
        Alert, Card, Clockface, CopyId, Crumb, Moment, PageHead, PageTitle, SetTitle, StatusBadge,
        Tone, failure::with_code, live::LiveSections, load,
    },
};

#[component]
pub fn ClusterPage() -> impl IntoView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    let id = use_params_map().read_untracked().get("id").unwrap_or_default();
    let content = load(move || fetch(id.clone()));
    view! {
        <SetTitle title=PageTitle::Cluster />
        <Suspense>
            {move || {
                let request = request.clone();
                Suspend::new(async move {
                    match &*content.await {
                        Ok(content) => draw(content, &request),
                        Err(error) => super::failure(error),
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

/// The cluster, and what goes on in it where it can be looked into.
struct Content {
    cluster: Cluster,
    history: Vec<HealthPoint>,
    seen: Option<Overview>,
}

fn fetch(id: String) -> impl Future<Output = Result<Content, ApiError>> + Send {
    let entered = enter::<View, dyn Clusters>();
    let watched = enter::<View, dyn Watched>();
    async move {
        let (permit, clusters) = entered.await?;
        if id.is_empty() {
            return Err(ApiError::NotFound(Thing::Cluster));
        }
        let cluster = clusters.get(&permit, &id).await?;
        let history = clusters.history(&permit, &id).await?;
        let opens = match cluster.transport {
            Transport::Direct => cluster.credential.is_some(),
            Transport::InCluster => true,
            Transport::Outpost => false,
        };
        if !opens {
            return Ok(Content { cluster, history, seen: None });
        }
        // Without what goes on in it, the page of a cluster is still the page of a cluster.
        let seen = match watched.await {
            Ok((permit, watched)) => watched.overview(&permit, &id).await.ok(),
            Err(_) => None,
        };
        Ok(Content { cluster, history, seen })
    }
}

fn draw(content: &Content, request: &PageRequest) -> AnyView {
    let Content { cluster, history, seen } = content;
    let seen = seen.as_ref();
    let clock = Clockface::of(request);
    let manages = request.caller.as_ref().is_some_and(|c| c.may(Capability::FleetManage));
    let crumbs =
        vec![Crumb::link("Clusters", paths::clusters()), Crumb::here(cluster.label().to_owned())];
    let changes = if manages {
        cluster_forms::settings(cluster, request)
    } else {
        super::new::needs_manage()
    };
    let stray = cluster_forms::stray(cluster, request, manages);
    let tabs = seen.map(|_| overview::tabs(&cluster.id, None));
    let live = live(seen.is_some(), &cluster.id);
    let goes_on = seen.map(|seen| goes_on(seen, &cluster.id, &clock));
    let beside = seen.map(|seen| beside(seen, &cluster.id, &clock));
    view! {
        <PageHead
            title=cluster.label().to_owned()
            crumbs
            lede=lede(cluster, &clock)
            actions=cluster_forms::refresh(cluster, manages)
        />
        {tabs}
        {live}
        {stray}
        <div class="cols">
            <div class="stack">
                <section id=STANDING data-topics=events::CLUSTERS>
                    {standing(cluster)}
                </section>
                {goes_on}
                <section id=HEALTH class="stack" data-topics=events::CLUSTERS>
                    {health::card(cluster, history, &clock)}
                    {upstreams::card(cluster)}
                    {capabilities(cluster, &clock)}
                </section>
            </div>
            <aside class="stack">
                {beside}
                {facts(cluster, request, &clock)}
                {credential(cluster, request, &clock, manages)}
                {changes}
            </aside>
        </div>
    }
    .into_any()
}

const GOES_ON: &str = "goes-on";
const BESIDE: &str = "watched";
const STANDING: &str = "standing";
const HEALTH: &str = "health";

/// The line to the news, which keeps the sections.
fn live(is_watched: bool, id: &str) -> AnyView {
    let mut topics = vec![events::CLUSTERS.to_owned()];
    let mut sections = vec![STANDING.to_owned(), HEALTH.to_owned()];
    if is_watched {
        topics.extend(overview::topics(id));
        sections.extend([BESIDE.to_owned(), GOES_ON.to_owned()]);
    }
    let stream = paths::events_stream_watching(&topics);
    view! {
        <div class="filterline">
            <LiveSections stream topics sections />
        </div>
    }
    .into_any()
}

/// What is not healthy in it, and what it warns of.
fn goes_on(seen: &Overview, id: &str, clock: &Clockface) -> AnyView {
    let joined = overview::topics(id).join(" ");
    let (unhealthy, warnings) =
        (overview::unhealthy(seen, id, clock), overview::warnings(seen, id, clock));
    view! {
        <section id=GOES_ON class="stack" data-topics=joined>
            {unhealthy}
            {warnings}
        </section>
    }
    .into_any()
}

fn beside(seen: &Overview, id: &str, clock: &Clockface) -> AnyView {
    let topics = overview::topics(id).join(" ");
    let (nodes, watches) = (overview::nodes(seen, id), overview::watches(seen, clock));
    view! {
        <section id=BESIDE class="stack" data-topics=topics>
            {nodes}
            {watches}
        </section>
    }
    .into_any()
}

fn lede(cluster: &Cluster, clock: &Clockface) -> AnyView {
    let status = &cluster.status;
    let score = status.health_score.map(|score| format!(" {score} of 100."));
    let since = view! { " since " <Moment at=status.state_since clock=clock.clone() /> "." };
    view! { {words::state_badge(status.state)} {since} {score} }.into_any()
}

/// Why it is not well, with the way out.
fn standing(cluster: &Cluster) -> Option<AnyView> {
    let status = &cluster.status;
    let trouble = status.last_error_code.as_deref().and_then(|code| code.parse::<Trouble>().ok());
    if let Some(trouble) = trouble {
        return Some(told(trouble));
    }
    if let Some(error) = status.last_error.clone() {
        return Some(
            view! {
                <Alert tone=Tone::Warn title="The last look at it failed">
                    <p>{error}</p>
                </Alert>
            }
            .into_any(),
        );
    }
    match (cluster.transport, &cluster.credential) {
        (Transport::Direct, None) => Some(told(Trouble::NoCredential)),
        (Transport::Outpost, _) if status.last_check_at.is_none() => Some(told(Trouble::NoOutpost)),
        _ => None,
    }
}

fn told(trouble: Trouble) -> AnyView {
    let tone = match trouble {
        Trouble::NoCredential | Trouble::NoOutpost => Tone::Warn,
        _ => Tone::Bad,
    };
    view! {
        <Alert tone title=trouble.says()>
            <p>{with_code(trouble.way_out())}</p>
        </Alert>
    }
    .into_any()
}

fn capabilities(cluster: &Cluster, clock: &Clockface) -> AnyView {
    let Some(found) = &cluster.capabilities else {
        let why = cluster.discovery_error.clone().unwrap_or_else(|| {
            "Nobody has looked yet what is installed here. It is looked for once the cluster is reached, and every day.".to_owned()
        });
        return view! {
            <Card title="What is installed">
                <p class="dim">{why}</p>
            </Card>
        }
        .into_any();
    };
    let lines = found
        .evidence
        .iter()
        .map(|evidence| {
            let unread = (!evidence.readable)
                .then(|| view! { <StatusBadge tone=Tone::Waiting word="not readable" /> " " });
            let of = evidence.capability.replace('_', " ");
            let of = of.strip_prefix("has ").map(str::to_owned).unwrap_or(of);
            view! {
                <dt>{of}</dt>
                <dd>{unread} {evidence.says.clone()}</dd>
            }
        })
        .collect_view();
    let at = found.discovered_at.map(|at| view! { <Moment at clock=clock.clone() /> }.into_any());
    view! {
        <Card title="What is installed" remark=at.unwrap_or_else(|| ().into_any())>
            <dl class="facts">{lines}</dl>
        </Card>
    }
    .into_any()
}

/// One line of a card, drawn before the card is.
fn fact(name: &'static str, value: impl IntoView + 'static) -> AnyView {
    view! {
        <dt>{name}</dt>
        <dd>{value}</dd>
    }
    .into_any()
}

fn moment(at: Micros, clock: &Clockface) -> AnyView {
    view! { <Moment at clock=clock.clone() /> }.into_any()
}

fn facts(cluster: &Cluster, request: &PageRequest, clock: &Clockface) -> AnyView {
    let unknown = || "not known".to_owned();
    let platform = match (cluster.platform, cluster.registered_platform) {
        (Some(found), Some(typed)) => {
            format!("{} (registered as {})", found.label(), typed.label())
        }
        (Some(found), None) if cluster.capabilities.is_some() => found.label().to_owned(),
        (Some(typed), None) => format!("not known (registered as {})", typed.label()),
        (None, _) => unknown(),
    };
    let version = match (&cluster.platform_version, &cluster.registered_platform_version) {
        (Some(found), Some(typed)) => format!("{found} (registered as {typed})"),
        (Some(version), None) => version.clone(),
        (None, _) => unknown(),
    };
    let seen = cluster.last_seen_at.map_or_else(|| "never".into_any(), |at| moment(at, clock));
    let reached = format!(
        "{}, {}, last seen ",
        words::transport(cluster.transport),
        words::connectivity(cluster.status.connectivity)
    );
    let kubernetes = cluster.kubernetes_version.clone().unwrap_or_else(unknown);
    let mut lines = vec![
        fact("Name", cluster.name.clone()),
        fact("Id", view! { <CopyId text=cluster.id.clone() /> }),
        fact("API server", view! { <code>{cluster.api_server_url.clone()}</code> }),
        fact("Reached", view! { {reached} {seen} }),
        fact("Kubernetes", kubernetes),
        fact("Platform", platform),
        fact("Platform version", version),
        fact("Type", words::kind(cluster.cluster_type)),
        fact("Environment", words::environment(cluster.environment)),
    ];
    lines.extend(cluster.region.clone().map(|region| fact("Region", region)));
    let certificate = cluster.status.certificate_expires_at;
    lines.extend(certificate.map(|at| fact("Its certificate ends", moment(at, clock))));
    if !cluster.labels.is_empty() {
        let label = |(key, value)| view! { <code>{format!("{key}={value}")}</code> " " };
        lines.push(fact("Labels", cluster.labels.iter().map(label).collect_view()));
    }
    if request.caller.as_ref().is_some_and(|caller| caller.may(Capability::OperationsView)) {
        let href = paths::runs_on(&format!("cluster:{}", cluster.id));
        lines.push(fact("Operations", view! { <a href=href>"What was done with it"</a> }));
    }
    view! {
        <Card title="Facts">
            <dl class="facts">{lines}</dl>
        </Card>
    }
    .into_any()
}

fn credential(
    cluster: &Cluster,
    request: &PageRequest,
    clock: &Clockface,
    manages: bool,
) -> AnyView {
    if cluster.transport != Transport::Direct {
        return ().into_any();
    }
    let forms = manages.then(|| cluster_forms::credential(cluster, request));
    let Some(meta) = &cluster.credential else {
        return view! {
            <Card title="Credential">
                <p class="dim">"Nothing is stored that opens this cluster."</p>
                {forms}
            </Card>
        }
        .into_any();
    };
    let identity = meta.identity.clone().unwrap_or_else(|| "not known yet".to_owned());
    let stored = format!(" by {}", meta.created_by);
    let mut lines = vec![
        fact("Kind", meta.auth_type.label()),
        fact("Identity", identity),
        fact("End", words::expiry(meta, clock)),
        fact("Checked", checked(meta, clock)),
        fact("Stored", view! { {moment(meta.created_at, clock)} {stored} }),
    ];
    if let Some(reference) = meta.service_account_token_secret_ref.clone() {
        lines.push(fact("Read from", view! { <code>{reference}</code> }));
    }
    if !meta.upstream_tokens.is_empty() {
        lines.push(fact("Tokens for", meta.upstream_tokens.join(", ")));
    }
    let version = format!("version {}", meta.version);
    view! {
        <Card title="Credential" remark=version.into_any()>
            <dl class="facts">{lines}</dl>
            {forms}
        </Card>
    }
    .into_any()
}

/// What the last check of it said.
fn checked(meta: &CredentialMeta, clock: &Clockface) -> AnyView {
    let (Some(says), Some(at)) = (meta.validation.as_deref(), meta.validated_at) else {
        return "not yet".into_any();
    };
    let trouble = says.parse::<Trouble>().ok();
    let (tone, word) = match trouble {
        None => (Tone::Ok, "opens it".to_owned()),
        Some(_) => (Tone::Bad, says.replace('_', " ")),
    };
    let why = trouble
        .map(|trouble| view! { <div class="why">{trouble.says()} " " {with_code(trouble.way_out())}</div> });
    view! {
        <StatusBadge tone word />
        " "
        {moment(at, clock)}
        {why}
    }
    .into_any()
}

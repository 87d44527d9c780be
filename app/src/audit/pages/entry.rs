//! `/audit/{seq}`: one entry, all of it, with its place in the chain and the ways to what belongs to it.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::{
    audit::{
        enter,
        model::{AuditDetail, AuditEntry},
        parts::{DecisionBadge, actor, target},
    },
    error::{ApiError, Thing},
    list::ListQuery,
    paths,
    request::PageRequest,
    ui::{
        Card, Clockface, Crumb, Fact, Facts, JsonTree, Moment, PageHead, PageTitle, SetTitle,
        failure::Failure, load,
    },
};

#[component]
pub fn AuditEntryPage() -> impl IntoView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    let asked = use_params_map().with_untracked(|params| params.get("seq").unwrap_or_default());
    let content = load(move || fetch(asked.clone()));
    let clock = Clockface::of(&request);
    view! {
        <Suspense>
            {move || {
                let clock = clock.clone();
                Suspend::new(async move {
                    match &*content.await {
                        Ok(detail) => draw(detail, &clock),
                        Err(error) => {
                            let way_out = ("Show all entries", paths::audit());
                            view! { <Failure error=error.clone() way_out /> }.into_any()
                        }
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

/// A number that is none names nothing, so it is answered like one that does not exist.
fn fetch(asked: String) -> impl Future<Output = Result<AuditDetail, ApiError>> + Send {
    let entered = enter();
    async move {
        let (permit, audit) = entered.await?;
        let seq = asked.parse().map_err(|_| ApiError::NotFound(Thing::AuditEntry))?;
        audit.get(&permit, seq).await
    }
}

fn draw(detail: &AuditDetail, clock: &Clockface) -> AnyView {
    let entry = &detail.entry;
    let crumbs = vec![
        Crumb::link("Audit log", paths::audit()),
        Crumb::here(format!("Entry #{}", entry.seq)),
    ];
    let actions = view! {
        <a class="btn" href=paths::audit()>
            "Show all entries"
        </a>
    };
    let title = format!("Entry #{} · {}", entry.seq, entry.action);
    view! {
        <SetTitle title=PageTitle::AuditEntry(entry.seq) />
        <PageHead title crumbs lede=lede(entry, clock) actions=actions.into_any() />
        <div class="cols">
            <div class="stack">{what(entry)} {details(entry)} {chain(detail)}</div>
            <aside class="stack">{who(entry)} {related(entry)}</aside>
        </div>
    }
    .into_any()
}

fn lede(entry: &AuditEntry, clock: &Clockface) -> AnyView {
    view! {
        {actor(entry)}
        " "
        <DecisionBadge decision=entry.decision />
        " "
        <Moment at=entry.at clock=clock.clone() />
        ", "
        {clock.absolute(entry.at)}
    }
    .into_any()
}

fn what(entry: &AuditEntry) -> AnyView {
    let entry = entry.clone();
    let name = target(&entry);
    let workspace = match (entry.workspace_name, entry.workspace_id) {
        (Some(name), Some(id)) => Some(format!("{name} ({id})")),
        (None, Some(id)) => Some(id.to_string()),
        _ => None,
    };
    view! {
        <Card title="What">
            <Facts>
                <Fact name="Action"><span class="mono">{entry.action}</span></Fact>
                <Fact name="Decision">{entry.decision.as_str()}</Fact>
                <Fact name="Capability">{mono(entry.capability)}</Fact>
                <Fact name="Reason">{plain(entry.reason)}</Fact>
                <Fact name="Target">{plain(name)}</Fact>
                <Fact name="Target kind">{mono(entry.target_kind)}</Fact>
                <Fact name="Target id">{mono(entry.target_id)}</Fact>
                <Fact name="Workspace">{plain(workspace)}</Fact>
                <Fact name="At (UTC)"><span class="mono">{entry.at.to_string()}</span></Fact>
            </Facts>
        </Card>
    }
    .into_any()
}

fn details(entry: &AuditEntry) -> Option<AnyView> {
    let nothing = entry.details.as_object().is_some_and(serde_json::Map::is_empty);
    (!nothing).then(|| {
        let value = entry.details.clone();
        view! {
            <Card title="Details">
                <JsonTree value />
            </Card>
        }
        .into_any()
    })
}

fn who(entry: &AuditEntry) -> AnyView {
    let entry = entry.clone();
    view! {
        <Card title="Who">
            <Facts>
                <Fact name="Name">{entry.actor_name}</Fact>
                <Fact name="Kind">{entry.actor_kind.replace('_', " ")}</Fact>
                <Fact name="Id">{mono(Some(entry.actor_id))}</Fact>
                <Fact name="On behalf of">{mono(entry.on_behalf_of)}</Fact>
                <Fact name="Service">{mono(entry.service_identity)}</Fact>
                <Fact name="Address">{mono(entry.address)}</Fact>
                <Fact name="Session">{mono(entry.session_hash)}</Fact>
                <Fact name="Request">{mono(Some(entry.request_id))}</Fact>
                <Fact name="Correlation">{mono(Some(entry.correlation_id))}</Fact>
            </Facts>
        </Card>
    }
    .into_any()
}

/// Its place in the chain. What verifies it is the command; a page proves nothing.
fn chain(detail: &AuditDetail) -> AnyView {
    let seq = detail.entry.seq;
    let version = detail.hash_version.map(|version| version.to_string());
    let AuditDetail { hash_key, prev_hash, hash, .. } = detail.clone();
    let before = seq.saturating_sub(1);
    view! {
        <Card title="Chain">
            <Facts>
                <Fact name="Number"><span class="mono">{seq}</span></Fact>
                <Fact name="Hash">{mono(hash)}</Fact>
                <Fact name="Hash before">{mono(prev_hash)}</Fact>
                <Fact name="Key">{mono(hash_key)}</Fact>
                <Fact name="Encoding">{plain(version)}</Fact>
            </Facts>
            <p class="dim">
                "To verify: "
                <code>{format!("quarterdeck audit verify --from {} --to {seq}", before.max(1))}</code>
            </p>
        </Card>
    }
    .into_any()
}

/// The same list, narrowed to what this entry has in common with others.
fn related(entry: &AuditEntry) -> AnyView {
    let links = [
        ("Everything by this actor", "actor_id", Some(entry.actor_id.clone())),
        ("Everything in this session", "session", entry.session_hash.clone()),
        ("Everything in this request", "request", Some(entry.request_id.clone())),
        ("Everything about this target", "target", entry.target()),
        ("Every such action", "action", Some(entry.action.clone())),
    ];
    let items = links
        .into_iter()
        .filter_map(|(words, key, value)| Some((words, key, value.filter(|v| !v.is_empty())?)))
        .map(|(words, key, value)| {
            let href = paths::audit_where(&ListQuery::default().with(key, value));
            view! {
                <li>
                    <a href=href>{words}</a>
                </li>
            }
        })
        .collect_view();
    view! {
        <Card title="Belongs to it">
            <ul class="plain">{items}</ul>
        </Card>
    }
    .into_any()
}

fn mono(text: Option<String>) -> AnyView {
    match text.filter(|text| !text.is_empty()) {
        Some(text) => view! { <span class="mono">{text}</span> }.into_any(),
        None => dash(),
    }
}

fn plain(text: Option<String>) -> AnyView {
    text.filter(|text| !text.is_empty()).map_or_else(dash, IntoAny::into_any)
}

fn dash() -> AnyView {
    view! { <span class="faint">"–"</span> }.into_any()
}

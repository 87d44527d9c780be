//! `/clusters/new`: registers a cluster in steps. First what it is and what opens it, then what a look at it has found,
//! and only then something is saved. What was typed as a secret never comes back: it waits sealed, under a name.

use leptos::prelude::*;

use super::{new_draft, upstreams};
use crate::{
    error::ApiError,
    fleet::{
        Manage, Registrations,
        drafts::Draft,
        model::{ENVIRONMENTS, TYPES},
    },
    identity::{Capability, enter},
    list::Choice,
    paths,
    request::{PageRequest, RefusedForm},
    ui::{
        Alert, Crumb, PageHead, PageTitle, SetTitle, Tone,
        answer::set_status,
        failure::{Failure, with_code},
        inputs::{self, Typed},
        load,
    },
};

/// Ways to say what opens a cluster: the word in the address, its label, what it is for.
const WAYS: &[(&str, &str, &str)] = &[
    (
        "kubeconfig",
        "Kubeconfig",
        "Paste the file; with several contexts you choose one, or take over many.",
    ),
    ("token", "Address and token", "The API server's address, and a token of a service account."),
    (
        "certificate",
        "Client certificate",
        "The API server's address, and a certificate with its key.",
    ),
    (
        "reference",
        "Token in a secret",
        "The token stays in a secret of the console's own cluster and is read at use.",
    ),
    ("oidc", "OpenID Connect", "The console fetches tokens of your identity provider."),
    (
        "in_cluster",
        "This cluster",
        "The cluster that the console itself runs in, by the identity that it has there.",
    ),
    ("outpost", "No route", "Registered now; an outpost in the cluster dials out to the console."),
];

#[component]
pub fn NewClusterPage() -> impl IntoView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    // What has become of several is told once; their draft is gone by then.
    let decided = request.posted.is_some();
    let draft = request.value("draft").filter(|_| !decided).map(str::to_owned);
    let content = load(move || fetch(draft.clone()));
    view! {
        <SetTitle title=PageTitle::RegisterCluster />
        <Suspense>
            {move || {
                let request = request.clone();
                Suspend::new(async move { draw(&request, &*content.await) })
            }}
        </Suspense>
    }
    .into_any()
}

struct Content {
    draft: Option<Draft>,
    manifest: String,
}

fn fetch(draft: Option<String>) -> impl Future<Output = Result<Content, ApiError>> + Send {
    let entered = enter::<Manage, dyn Registrations>();
    async move {
        let (permit, registrations) = entered.await?;
        let draft = match draft {
            Some(id) => Some(registrations.draft(&permit, &id).await?),
            None => None,
        };
        let observe =
            draft.as_ref().map(|draft| draft.proxied_namespaces.clone()).unwrap_or_default();
        Ok(Content { draft, manifest: registrations.manifest(&observe) })
    }
}

fn crumbs() -> Vec<Crumb> {
    vec![Crumb::link("Clusters", paths::clusters()), Crumb::here("Register")]
}

fn draw(request: &PageRequest, content: &Result<Content, ApiError>) -> AnyView {
    let content = match content {
        Ok(content) => content,
        Err(ApiError::NotFound(_)) => return gone(),
        Err(error) => return view! { <Failure error=error.clone() /> }.into_any(),
    };
    let refused = request.refused.as_ref();
    if let Some(told) = request.posted.as_ref().filter(|posted| posted.form == "imported") {
        return new_draft::not_imported(&told.values, crumbs());
    }
    if let Some(draft) = &content.draft {
        return new_draft::draw(draft, &content.manifest, request, crumbs());
    }
    let typed = Typed::of(refused, "check");
    let asked = typed.value("by");
    let asked = asked.as_deref().or(request.value("by")).unwrap_or("kubeconfig");
    let (by, _, about) = WAYS.iter().find(|(by, ..)| *by == asked).unwrap_or(&WAYS[0]);
    let ways = WAYS
        .iter()
        .map(|(way, label, _)| {
            let here = (way == by).then_some("page");
            view! {
                <a href=paths::cluster_new_by(way) aria-current=here>
                    {*label}
                </a>
            }
        })
        .collect_view();
    view! {
        <PageHead
            title="Register a cluster"
            crumbs=crumbs()
            lede=view! { "It is looked at first; nothing is saved until you say so." }.into_any()
        />
        <nav class="tabs" aria-label="What opens it">
            {ways}
        </nav>
        {alert(refused)}
        <form method="post" action=paths::cluster_new() class="card body register">
            <p class="dim">{*about}</p>
            {inputs::hidden("do", "check")}
            {inputs::hidden("by", *by)}
            {opening(by, typed)}
            {facts(by, typed)}
            {upstreams::fields(typed, !matches!(*by, "in_cluster" | "outpost"))}
            <button class="btn primary">"Look at it"</button>
        </form>
    }
    .into_any()
}

/// A draft that is over, or somebody else's.
fn gone() -> AnyView {
    set_status(404);
    view! {
        <PageHead title="Register a cluster" crumbs=crumbs() />
        <Alert tone=Tone::Bad title="This registration is over">
            <p>
                "What was typed is kept for a quarter of an hour and then forgotten. "
                <a href=paths::cluster_new()>"Begin again"</a>
            </p>
        </Alert>
    }
    .into_any()
}

pub(super) fn alert(refused: Option<&RefusedForm>) -> Option<AnyView> {
    refused.map(|refused| {
        set_status(refused.error.status());
        let sentence = refused.error.to_string();
        // What comes later waits sealed, with its secrets.
        let again = (refused.form == "check")
            .then(|| view! { <p>"What is secret has to be given again."</p> });
        view! {
            <Alert tone=Tone::Bad title="Not done">
                <p>{with_code(&sentence)}</p>
                {again}
            </Alert>
        }
        .into_any()
    })
}

/// Several lines that never come back: what a refused form typed here is typed again.
pub(super) fn secret_lines(
    label: &'static str,
    name: &'static str,
    rows: &'static str,
    hint: &'static str,
) -> AnyView {
    view! {
        <label class="named">
            <span>{label}</span>
            <textarea
                class="field mono"
                name=name
                rows=rows
                autocomplete="off"
                autocapitalize="none"
                spellcheck="false"
            ></textarea>
            <span class="faint">{with_code(hint)}</span>
        </label>
    }
    .into_any()
}

/// One line that never comes back.
pub(super) fn secret(label: &'static str, name: &'static str, hint: &'static str) -> AnyView {
    view! {
        <label class="named">
            <span>{label}</span>
            <input class="field" type="password" name=name autocomplete="off" />
            <span class="faint">{with_code(hint)}</span>
        </label>
    }
    .into_any()
}

fn opening(by: &str, typed: Typed<'_>) -> AnyView {
    match by {
        "kubeconfig" => view! {
            {secret_lines(
                "Kubeconfig",
                "kubeconfig",
                "10",
                "As `kubectl config view --raw --flatten` prints it. Programs, files, proxies and unchecked certificates in it are refused.",
            )}
            {inputs::text(
                "Context",
                "context",
                typed.value("context"),
                Some("Left empty, you choose from those in the file."),
            )}
        }
        .into_any(),
        "token" => view! {
            {address(typed)}
            {secret("Token", "token", "`kubectl -n quarterdeck create token quarterdeck-viewer --duration=2160h`")}
            {authority()}
        }
        .into_any(),
        "certificate" => view! {
            {address(typed)}
            {secret_lines("Client certificate", "client_certificate", "5", "PEM.")}
            {secret_lines("Its key", "client_key", "5", "PEM.")}
            {authority()}
        }
        .into_any(),
        "reference" => view! {
            {address(typed)}
            {inputs::text(
                "Secret",
                "service_account_token_secret_ref",
                typed.value("service_account_token_secret_ref"),
                Some("namespace/name or namespace/name:key. The console's chart has to name it, so that it may be read."),
            )}
            {authority()}
        }
        .into_any(),
        "oidc" => view! {
            {address(typed)}
            {provider(typed)}
            {authority()}
        }
        .into_any(),
        _ => ().into_any(),
    }
}

/// What an identity provider gives tokens for.
pub(super) fn provider(typed: Typed<'_>) -> AnyView {
    view! {
        {inputs::text("Issuer", "issuer_url", typed.value("issuer_url"), Some("https://…"))}
        {inputs::text("Client", "client_id", typed.value("client_id"), None)}
        {secret("Client secret", "client_secret", "Without a refresh token, the client's own credentials are used.")}
        {secret("Refresh token", "refresh_token", "")}
        {inputs::text(
            "Scope",
            "scope",
            typed.value("scope"),
            Some("openid when empty. Some providers name the API in it: api://…/.default"),
        )}
        {inputs::text(
            "Audience",
            "audience",
            typed.value("audience"),
            Some("Only where the provider asks for one. Then its access token is shown to the API server, not its ID token."),
        )}
    }
    .into_any()
}

fn address(typed: Typed<'_>) -> AnyView {
    view! {
        {inputs::text(
            "API server",
            "api_server_url",
            typed.value("api_server_url"),
            Some("https://api.example.com:6443"),
        )}
        {inputs::text(
            "TLS server name",
            "tls_server_name",
            typed.value("tls_server_name"),
            Some("Only where its certificate carries another name than the address."),
        )}
    }
    .into_any()
}

fn authority() -> AnyView {
    secret_lines(
        "Certificate authority",
        "certificate_authority",
        "5",
        "PEM. Left empty, the authorities of the console's system are trusted.",
    )
}

pub(super) fn pairs(choices: &[Choice]) -> Vec<(String, String)> {
    choices.iter().map(|choice| (choice.value.to_owned(), choice.label.to_owned())).collect()
}

fn facts(by: &str, typed: Typed<'_>) -> AnyView {
    let name_hint = match by {
        "kubeconfig" => {
            "Left empty, it is made of the context's name. Letters a to z, digits and -."
        }
        _ => "Letters a to z, digits and -, 3 to 63 of them.",
    };
    view! {
        <fieldset class="facts-of">
            <legend>"What it is"</legend>
            {inputs::text("Name", "name", typed.value("name"), Some(name_hint))}
            {inputs::text("Shown as", "display_name", typed.value("display_name"), None)}
            {inputs::select(
                "Type",
                "cluster_type",
                pairs(TYPES),
                Some(typed.value("cluster_type").as_deref().unwrap_or("SPOKE")),
            )}
            {inputs::select(
                "Environment",
                "environment",
                pairs(ENVIRONMENTS),
                Some(typed.value("environment").as_deref().unwrap_or("DEVELOPMENT")),
            )}
            {inputs::text("Region", "region", typed.value("region"), None)}
            {inputs::text(
                "Labels",
                "labels",
                typed.value("labels"),
                Some("team=payments, tier=1"),
            )}
            {inputs::text(
                "Workspace",
                "workspace_id",
                typed.value("workspace_id"),
                Some("Its number. Left empty, the only one that you reach, or the platform's."),
            )}
        </fieldset>
    }
    .into_any()
}

/// For those who may not.
pub(super) fn needs_manage() -> AnyView {
    let needed = Capability::FleetManage.as_str();
    view! {
        <p class="dim">"Changing clusters needs the capability " <code>{needed}</code> "."</p>
    }
    .into_any()
}

//! The forms of `/clusters/new` and of a cluster's page. What is secret is in no answer: a refused form comes back
//! without it, and a registration that is thought about waits sealed.

use std::collections::BTreeMap;

use app::{
    error::{ApiError, Expected, Rule},
    fleet::{
        Clusters as _, Manage, Registrations as _, View,
        credentials::{AuthType, NewCredential},
        model::{ClusterEndpoints, ClusterType, Environment, Platform, Transport},
        registration::{ChangeCluster, ChangeEndpoints, NewCluster, Patch},
    },
    identity::{Caller, model::Secret, permit},
    paths,
    request::{Flash, Posted, Saved},
};
use axum::{
    extract::{Request, State},
    response::Response,
};

use crate::{
    console::Console,
    identity::Asking,
    web::{Failed, arrival::Arrival, form::Form, pages, query::PathText},
};

/// Fields that never go back to a browser. Certificates are no secrets, and nobody misses them.
const SECRETS: &[&str] = &[
    "kubeconfig",
    "token",
    "client_certificate",
    "client_key",
    "client_secret",
    "refresh_token",
    "certificate_authority",
    "prometheus_token",
    "tempo_token",
    "loki_token",
];

/// Where a form leads.
enum Done {
    Saved(Saved, String),
    To(String),
    /// Some of several were not registered: which, and why.
    Told(Vec<(String, String)>),
}

async fn answer(
    console: &'static Console,
    arrival: &Arrival,
    form: Form,
    name: &'static str,
    done: Result<Done, ApiError>,
) -> Result<Response, Failed> {
    match done {
        Ok(Done::Saved(saved, to)) => Ok(pages::go(console, &to, Flash::Saved(saved))),
        Ok(Done::To(to)) => Ok(pages::lead_to(&to)),
        Ok(Done::Told(values)) => {
            pages::render_posted(console, arrival, Posted { form: "imported", values }).await
        }
        Err(error) => {
            let refused = form.refused(name, SECRETS, error);
            pages::render_refused(console, arrival, refused).await
        }
    }
}

fn chosen(form: &mut Form, known: &[&'static str]) -> &'static str {
    let asked = form.required("do");
    known.iter().copied().find(|name| *name == asked).unwrap_or_else(|| {
        let allowed = known.iter().map(|name| (*name).to_owned()).collect();
        form.refuse("do", Rule::OneOf { allowed });
        "nothing"
    })
}

/// `POST /clusters/new`
pub async fn register(
    State(console): State<&'static Console>,
    arrival: Arrival,
    Asking(caller): Asking,
    request: Request,
) -> Result<Response, Failed> {
    let mut form = Form::read(console, request).await?;
    let name = chosen(&mut form, &["check", "choose", "import", "register", "discard"]);
    let done = step(console, &caller, name, &mut form).await;
    answer(console, &arrival, form, name, done).await
}

async fn step(
    console: &Console,
    caller: &Caller,
    name: &str,
    form: &mut Form,
) -> Result<Done, ApiError> {
    let fleet = &console.fleet;
    if name == "check" {
        let new = cluster(form);
        form.end()?;
        let permit = permit::<Manage>(caller).await?;
        let draft = fleet.check(&permit, new).await?;
        return Ok(Done::To(paths::cluster_draft(&draft)));
    }
    let draft = form.required("draft");
    let context = (name == "choose").then(|| form.required("context"));
    let contexts = if name == "import" { form.all("contexts") } else { Vec::new() };
    form.end()?;
    let permit = permit::<Manage>(caller).await?;
    match name {
        "choose" => {
            let draft = fleet.choose(&permit, &draft, &context.unwrap_or_default()).await?;
            Ok(Done::To(paths::cluster_draft(&draft)))
        }
        "import" => {
            let imported = fleet.import_draft(&permit, &draft, contexts).await?;
            let failed: Vec<(String, String)> = imported
                .into_iter()
                .filter_map(|one| one.message.map(|why| (one.context, why)))
                .collect();
            if failed.is_empty() {
                return Ok(Done::Saved(Saved::ClustersImported, paths::clusters()));
            }
            Ok(Done::Told(failed))
        }
        "register" => {
            let made = fleet.register(&permit, &draft).await?;
            Ok(Done::Saved(Saved::ClusterRegistered, paths::cluster(&made.id)))
        }
        _ => {
            fleet.discard(&permit, &draft).await?;
            Ok(Done::To(paths::cluster_new()))
        }
    }
}

/// What `by` says opens it, and the facts.
fn cluster(form: &mut Form) -> NewCluster {
    let by = form.required("by");
    let transport = match by.as_str() {
        "in_cluster" => Transport::InCluster,
        "outpost" => Transport::Outpost,
        _ => Transport::Direct,
    };
    let credentials = match transport {
        Transport::Direct => Some(credential(form)),
        _ => None,
    };
    let kubeconfig = by == "kubeconfig";
    let name =
        if kubeconfig { form.optional("name").unwrap_or_default() } else { form.required("name") };
    let api_server_url = if kubeconfig || transport != Transport::Direct {
        None
    } else {
        Some(form.required("api_server_url"))
    };
    let types = ["HUB", "SPOKE", "EDGE", "FAR_EDGE"];
    let environments = ["PRODUCTION", "STAGING", "DEVELOPMENT", "LAB"];
    let labels = form.optional("labels").unwrap_or_default();
    let labels = labels_of(&labels).unwrap_or_else(|| {
        form.refuse("labels", Rule::Malformed { expected: Expected::Label });
        BTreeMap::new()
    });
    NewCluster {
        name: name.trim().to_owned(),
        external_id: None,
        display_name: form.optional("display_name"),
        api_server_url,
        transport,
        cluster_type: form.word::<ClusterType>("cluster_type", &types).unwrap_or_default(),
        platform: None,
        platform_version: None,
        region: form.optional("region"),
        environment: form.word::<Environment>("environment", &environments).unwrap_or_default(),
        labels,
        endpoints: ClusterEndpoints {
            prometheus_url: form.optional("prometheus_url"),
            tempo_url: form.optional("tempo_url"),
            loki_url: form.optional("loki_url"),
            ..ClusterEndpoints::default()
        },
        workspace_id: form.integer("workspace_id"),
        tenant_id: None,
        credentials,
    }
}

/// Whichever was filled in.
fn credential(form: &mut Form) -> NewCredential {
    let mut secret = |key: &str| form.optional(key).map(Secret);
    let (kubeconfig, token, client_key) =
        (secret("kubeconfig"), secret("token"), secret("client_key"));
    let (client_secret, refresh_token) = (secret("client_secret"), secret("refresh_token"));
    let (prometheus_token, tempo_token, loki_token) =
        (secret("prometheus_token"), secret("tempo_token"), secret("loki_token"));
    let mut text = |key: &str| form.optional(key).map(|text| text.trim().to_owned());
    let (issuer_url, client_id) = (text("issuer_url"), text("client_id"));
    let reference = text("service_account_token_secret_ref");
    let auth_type = if token.is_some() || reference.is_some() {
        AuthType::ServiceAccount
    } else if issuer_url.is_some() || client_id.is_some() {
        AuthType::Oidc
    } else {
        AuthType::Kubeconfig
    };
    NewCredential {
        kubeconfig,
        context: text("context"),
        client_certificate: text("client_certificate"),
        client_key,
        token,
        service_account_token_secret_ref: reference,
        issuer_url,
        client_id,
        client_secret,
        refresh_token,
        scope: text("scope"),
        audience: text("audience"),
        certificate_authority: text("certificate_authority"),
        tls_server_name: text("tls_server_name"),
        prometheus_token,
        tempo_token,
        loki_token,
        ..NewCredential::empty(auth_type)
    }
}

/// `a=b, c=d`; none when something of it is no label.
fn labels_of(text: &str) -> Option<BTreeMap<String, String>> {
    let pairs = text.split([',', '\n']).map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=')?;
            Some((key.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

/// `POST /clusters/{id}`
pub async fn cluster_page(
    State(console): State<&'static Console>,
    arrival: Arrival,
    Asking(caller): Asking,
    PathText(id): PathText,
    request: Request,
) -> Result<Response, Failed> {
    let mut form = Form::read(console, request).await?;
    let known = ["edit", "refresh", "remove", "rotate", "validate", "forget"];
    let name = chosen(&mut form, &known);
    let done = change(console, &caller, &id, name, &mut form).await;
    answer(console, &arrival, form, name, done).await
}

async fn change(
    console: &Console,
    caller: &Caller,
    id: &str,
    name: &str,
    form: &mut Form,
) -> Result<Done, ApiError> {
    match name {
        "edit" => save(console, caller, id, form).await,
        "remove" => remove(console, caller, id, form).await,
        "rotate" => {
            let new = credential(form);
            form.end()?;
            let permit = permit::<Manage>(caller).await?;
            console.fleet.store_credential(&permit, id, new).await?;
            Ok(Done::Saved(Saved::CredentialStored, paths::cluster(id)))
        }
        _ => press(console, caller, id, name, form).await,
    }
}

async fn save(
    console: &Console,
    caller: &Caller,
    id: &str,
    form: &mut Form,
) -> Result<Done, ApiError> {
    let (change, labels) = edit(form);
    form.end()?;
    let manage = permit::<Manage>(caller).await?;
    let before = console.fleet.get(&permit::<View>(caller).await?, id).await?;
    let change = with_labels(change, before.labels, labels);
    console.fleet.change(&manage, id, change).await?;
    Ok(Done::Saved(Saved::ClusterChanged, paths::cluster(id)))
}

/// Its name is typed again, to be sure.
async fn remove(
    console: &Console,
    caller: &Caller,
    id: &str,
    form: &mut Form,
) -> Result<Done, ApiError> {
    let typed = form.required("name");
    form.end()?;
    let manage = permit::<Manage>(caller).await?;
    let before = console.fleet.get(&permit::<View>(caller).await?, id).await?;
    if typed.trim() != before.name {
        return Err(ApiError::invalid("name", Rule::OneOf { allowed: vec![before.name] }));
    }
    console.fleet.remove(&manage, id).await?;
    Ok(Done::Saved(Saved::ClusterRemoved, paths::clusters()))
}

/// A button without fields.
async fn press(
    console: &Console,
    caller: &Caller,
    id: &str,
    name: &str,
    form: &mut Form,
) -> Result<Done, ApiError> {
    form.end()?;
    let permit = permit::<Manage>(caller).await?;
    let saved = match name {
        "validate" => {
            console.fleet.validate(&permit, id).await?;
            Saved::CredentialChecked
        }
        "forget" => {
            console.fleet.remove_credential(&permit, id).await?;
            Saved::CredentialRemoved
        }
        _ => {
            console.fleet.refresh(&permit, id).await?;
            Saved::ClusterDue
        }
    };
    Ok(Done::Saved(saved, paths::cluster(id)))
}

/// All that the form shows; an empty field is cleared. Labels are compared with those that stand.
fn edit(form: &mut Form) -> (ChangeCluster, BTreeMap<String, String>) {
    let types = ["HUB", "SPOKE", "EDGE", "FAR_EDGE"];
    let environments = ["PRODUCTION", "STAGING", "DEVELOPMENT", "LAB"];
    let platform = form.optional("platform");
    let platform = match platform.as_deref().map(str::parse::<Platform>) {
        None => Patch::Clear,
        Some(Ok(platform)) => Patch::Set(platform),
        Some(Err(())) => {
            let allowed = ["OPENSHIFT", "KUBERNETES", "MICROSHIFT"].map(str::to_owned).to_vec();
            form.refuse("platform", Rule::OneOf { allowed });
            Patch::Leave
        }
    };
    let labels = form.optional("labels").unwrap_or_default();
    let labels = labels_of(&labels).unwrap_or_else(|| {
        form.refuse("labels", Rule::Malformed { expected: Expected::Label });
        BTreeMap::new()
    });
    let version = form.integer("version");
    let cluster_type = form.word::<ClusterType>("cluster_type", &types);
    let environment = form.word::<Environment>("environment", &environments);
    let external_id = Some(form.required("external_id"));
    let api_server_url = form.optional("api_server_url");
    let mut patch = |key: &str| match form.optional(key) {
        Some(text) => Patch::Set(text.trim().to_owned()),
        None => Patch::Clear,
    };
    let endpoints = ChangeEndpoints {
        prometheus_url: patch("prometheus_url"),
        tempo_url: patch("tempo_url"),
        loki_url: patch("loki_url"),
        alertmanager_url: patch("alertmanager_url"),
        thanos_url: Patch::Leave,
    };
    let change = ChangeCluster {
        display_name: patch("display_name"),
        external_id,
        api_server_url,
        cluster_type,
        platform,
        platform_version: Patch::Leave,
        region: patch("region"),
        environment,
        labels: Patch::Leave,
        endpoints: Patch::Set(endpoints),
        tenant_id: Patch::Leave,
        version,
    };
    (change, labels)
}

fn with_labels(
    change: ChangeCluster,
    before: BTreeMap<String, String>,
    after: BTreeMap<String, String>,
) -> ChangeCluster {
    let gone = before.into_keys().filter(|key| !after.contains_key(key)).map(|key| (key, None));
    let gone: BTreeMap<String, Option<String>> = gone.collect();
    let mut labels: BTreeMap<String, Option<String>> =
        after.into_iter().map(|(key, value)| (key, Some(value))).collect();
    labels.extend(gone);
    ChangeCluster { labels: Patch::Set(labels), ..change }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_typed_as_selectors_are() {
        let read = labels_of("team=a, tier = 1,\nzone=").expect("labels");
        let read: Vec<_> = read.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(read, [("team", "a"), ("tier", "1"), ("zone", "")]);
        assert_eq!(labels_of(""), Some(BTreeMap::new()));
        assert_eq!(labels_of("team"), None);
    }
}

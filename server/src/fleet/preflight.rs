//! A look at a cluster with one credential, before anything is saved and whenever somebody asks: is it there, is it
//! what it says, who are we to it, what may we do that we should not, and what not that we need.
//!
//! Only asks; changes nothing. What a server answers is read for facts and repeated nowhere.

mod rights;
mod said;

use std::time::Duration;

use app::{
    fleet::{
        model::{Cluster, ClusterEndpoints},
        preflight::Preflight,
        trouble::Trouble,
        upstreams::{self, UpstreamWay},
    },
    time::Micros,
};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, api::PostParams};
use serde::Deserialize;

use super::{
    ask::{self, Answered, JSON},
    clients::Made,
    credentials::Prepared,
    error::trouble_of,
    tls::Shown,
};
use crate::clock::Clock;

/// For all of it.
const WITHIN: Duration = Duration::from_secs(25);
const TEXT_MAX: usize = 256;

/// What is known of a cluster and its credential without asking anybody.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub identity: Option<String>,
    pub expires_at: Option<Micros>,
    /// By which way each of its upstreams is reached.
    pub ways: Vec<UpstreamWay>,
}

impl Known {
    /// Of one that is to be registered.
    pub fn of_new(endpoints: &ClusterEndpoints, prepared: Option<&Prepared>) -> Self {
        let given = prepared.map(|prepared| prepared.upstreams.as_slice()).unwrap_or_default();
        let tokens: Vec<&str> = given.iter().map(|(part, _)| part.as_str()).collect();
        Self {
            identity: prepared.and_then(|prepared| prepared.identity.clone()),
            expires_at: prepared.and_then(|prepared| prepared.expires_at),
            ways: upstreams::ways(endpoints, &tokens),
        }
    }

    /// Of one that is, and what is stored for it.
    pub fn of(cluster: &Cluster) -> Self {
        let stored = cluster.credential.as_ref();
        Self {
            identity: stored.and_then(|meta| meta.identity.clone()),
            expires_at: stored.and_then(|meta| meta.expires_at),
            ways: upstreams::ways(&cluster.endpoints, &cluster.upstream_tokens()),
        }
    }
}

/// All that one look finds. Never fails: what could not be found out is said.
pub async fn look(made: &Made, known: &Known, clock: &Clock) -> Preflight {
    let now = clock.now();
    let mut found = empty(now, known);
    let looked = tokio::select! {
        looked = ask(made, known, &mut found) => looked,
        () = clock.sleep(WITHIN) => Err(Trouble::Timeout),
    };
    let shown = made.handshakes.last();
    found.certificate_expires_at = shown.expires_at;
    let over = known.expires_at.is_some_and(|at| at <= now);
    found.trouble = looked.err().map(|trouble| match shown.refused {
        // The handshake knows better than what became of the connection.
        Some(refused) if found.kubernetes_version.is_none() => refused,
        _ if trouble == Trouble::Unauthorized && over => Trouble::Expired,
        _ => trouble,
    });
    found.checks = said::checks(&found, &shown, now);
    found.with_upstreams(known.ways.clone())
}

/// A look that ended before it began: there is no client to look with.
pub fn failed(trouble: Trouble, known: &Known, clock: &Clock) -> Preflight {
    let now = clock.now();
    let mut found = empty(now, known);
    found.trouble = Some(trouble);
    found.checks = said::checks(&found, &Shown::default(), now);
    found.with_upstreams(known.ways.clone())
}

fn empty(now: Micros, known: &Known) -> Preflight {
    Preflight {
        looked_at: now,
        trouble: None,
        checks: Vec::new(),
        identity: known.identity.clone(),
        groups: Vec::new(),
        kubernetes_version: None,
        expires_at: known.expires_at,
        certificate_expires_at: None,
        excess: Vec::new(),
        missing: Vec::new(),
        upstreams: Vec::new(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
}

/// What an API server says of itself when it refuses.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    kind: String,
}

/// Anything may stand at an address that somebody typed.
async fn version(client: &kube::Client) -> Result<String, Trouble> {
    let Answered { status, body } = ask::ask(client, "/version", JSON).await?;
    if status.is_success() {
        let version: Version = serde_json::from_slice(&body).map_err(|_| Trouble::NotKubernetes)?;
        return Ok(short(&version.git_version));
    }
    match ask::refusal(status) {
        // A gateway that lets nobody in knows nothing of credentials of ours.
        Trouble::Forbidden if !is_status(&body) => Err(Trouble::NotKubernetes),
        trouble => Err(trouble),
    }
}

fn is_status(body: &[u8]) -> bool {
    serde_json::from_slice::<Status>(body).is_ok_and(|status| status.kind == "Status")
}

async fn ask(made: &Made, known: &Known, found: &mut Preflight) -> Result<(), Trouble> {
    let client = &made.client;
    found.kubernetes_version = Some(version(client).await?);
    identity(client, found).await?;
    found.excess = rights::excess(client).await?;
    found.missing = rights::missing(client, &known.ways).await?;
    Ok(())
}

async fn identity(client: &kube::Client, found: &mut Preflight) -> Result<(), Trouble> {
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let asked = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await;
    let review = match asked {
        Ok(review) => review,
        // Before Kubernetes 1.28 nobody answers this; the next question tells whether we are known.
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
        Err(error) => return Err(trouble_of(&error)),
    };
    let user = review.status.and_then(|status| status.user_info).unwrap_or_default();
    let name = user.username.as_deref().map(short);
    // Whom it does not know, it calls so.
    if name.as_deref() == Some("system:anonymous") {
        return Err(Trouble::Unauthorized);
    }
    found.identity = name.or(found.identity.take());
    found.groups =
        user.groups.unwrap_or_default().iter().take(32).map(|group| short(group)).collect();
    Ok(())
}

/// One line, without what could pass for something else.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_MAX).collect()
}

//! A look at a cluster with one credential, before anything is saved and whenever somebody asks: is it there, is it
//! what it says, who are we to it, what may we do that we should not, and what not that we need.
//!
//! Only asks; changes nothing. What a server answers is read for facts and repeated nowhere.

use std::time::Duration;

use app::{
    fleet::{
        model::Cluster,
        preflight::{Check, Excess, Missing, Preflight, Verdict},
        registration::NewCluster,
        trouble::Trouble,
        upstreams::{self, UpstreamWay},
    },
    time::Micros,
};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use k8s_openapi::api::{
    authentication::v1::SelfSubjectReview,
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
};
use kube::{Api, api::PostParams};
use serde::Deserialize;

use super::{
    ask::{self, Answered, JSON},
    clients::Made,
    credentials::Prepared,
    error::trouble_of,
    rbac::{FEATURES, TOO_MUCH},
    tls::Shown,
};
use crate::clock::Clock;

/// For all of it.
const WITHIN: Duration = Duration::from_secs(25);
/// Questions under way at once.
const AT_ONCE: usize = 8;
const TEXT_MAX: usize = 256;

/// What is known of the credential without asking anybody.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub identity: Option<String>,
    pub expires_at: Option<Micros>,
}

/// All that one look finds. Never fails: what could not be found out is said.
pub async fn look(made: &Made, known: &Known, clock: &Clock) -> Preflight {
    let now = clock.now();
    let mut found = empty(now, known);
    let looked = tokio::select! {
        looked = ask(made, &mut found) => looked,
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
    found.checks = checks(&found, &shown, now);
    found
}

/// A look that ended before it began: there is no client to look with.
pub fn failed(trouble: Trouble, known: &Known, clock: &Clock) -> Preflight {
    let now = clock.now();
    let mut found = empty(now, known);
    found.trouble = Some(trouble);
    found.checks = checks(&found, &Shown::default(), now);
    found
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

/// By which way each upstream of a cluster is reached that is to be registered.
pub fn ways_of(new: &NewCluster, prepared: Option<&Prepared>) -> Vec<UpstreamWay> {
    let given = prepared.map(|prepared| prepared.upstreams.as_slice()).unwrap_or_default();
    let tokens: Vec<&str> = given.iter().map(|(part, _)| part.as_str()).collect();
    upstreams::ways(&new.endpoints, &tokens)
}

/// The same of one that is.
pub fn ways_to(cluster: &Cluster) -> Vec<UpstreamWay> {
    upstreams::ways(&cluster.endpoints, &cluster.upstream_tokens())
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

async fn ask(made: &Made, found: &mut Preflight) -> Result<(), Trouble> {
    let client = &made.client;
    found.kubernetes_version = Some(version(client).await?);
    identity(client, found).await?;
    let asked = TOO_MUCH.iter().map(|bad| (bad.verb, bad.group, bad.resource)).collect();
    let bad = TOO_MUCH.iter().zip(all(client, asked).await?).filter(|(_, allowed)| *allowed);
    found.excess = bad
        .map(|(bad, _)| Excess {
            what: format!("{} {}", bad.verb, bad.resource),
            why: bad.why.to_owned(),
        })
        .collect();
    for feature in FEATURES {
        let mut needed: Vec<Question> = Vec::new();
        for need in feature.needs {
            for resource in need.resources {
                needed.extend(need.verbs.iter().map(|verb| (*verb, need.group, *resource)));
            }
        }
        let allowed = all(client, needed.clone()).await?;
        let lacking = needed.iter().zip(allowed).filter(|(_, allowed)| !*allowed);
        let what: Vec<String> =
            lacking.map(|((verb, _, resource), _)| format!("{verb} {resource}")).collect();
        if !what.is_empty() {
            found.missing.push(Missing { feature: feature.label.to_owned(), what });
        }
    }
    Ok(())
}

/// Verb, group, resource: may we?
type Question = (&'static str, &'static str, &'static str);

/// The answers in the order of the questions, some of them asked at once.
async fn all(client: &kube::Client, asked: Vec<Question>) -> Result<Vec<bool>, Trouble> {
    // Made before they are waited for: a closure in the stream would have to be good for every lifetime.
    let asked: Vec<BoxFuture<'static, Result<bool, Trouble>>> =
        asked.into_iter().map(|question| may(client.clone(), question).boxed()).collect();
    stream::iter(asked).buffered(AT_ONCE).try_collect().await
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

async fn may(client: kube::Client, (verb, group, resource): Question) -> Result<bool, Trouble> {
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, sub)) => (resource, Some(sub.to_owned())),
        None => (resource, None),
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource,
                verb: Some(verb.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client);
    let answered = reviews.create(&PostParams::default(), &review).await;
    let answered = answered.map_err(|error| trouble_of(&error))?;
    Ok(answered.status.is_some_and(|status| status.allowed))
}

/// One line, without what could pass for something else.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_MAX).collect()
}

fn checks(found: &Preflight, shown: &Shown, now: Micros) -> Vec<Check> {
    vec![
        reached(found),
        certificate(found, shown, now),
        known_as(found),
        expiry(found, now),
        excess(found),
        missing(found),
    ]
}

fn check(key: &str, label: &str, verdict: Verdict, says: String, way_out: Option<&str>) -> Check {
    let (key, label) = (key.to_owned(), label.to_owned());
    Check { key, label, verdict, says, way_out: way_out.map(str::to_owned) }
}

fn unknown(key: &str, label: &str) -> Check {
    let says = "Not looked at, since something before it failed.".to_owned();
    check(key, label, Verdict::Unknown, says, None)
}

fn is_tls(trouble: Trouble) -> bool {
    use Trouble::{Tls, TlsAuthority, TlsExpired, TlsName};
    matches!(trouble, Tls | TlsAuthority | TlsExpired | TlsName)
}

fn reached(found: &Preflight) -> Check {
    const LABEL: &str = "API server";
    let good = |says: String| check("reached", LABEL, Verdict::Good, says, None);
    match (&found.kubernetes_version, found.trouble) {
        (Some(version), _) => good(format!("Answers as Kubernetes {version}.")),
        (None, Some(trouble)) if is_tls(trouble) => {
            good("Something answers at this address.".to_owned())
        }
        (None, Some(trouble)) if trouble.is_unasked() => {
            let says = "Not asked, since there was nothing to show to it.".to_owned();
            check("reached", LABEL, Verdict::Unknown, says, None)
        }
        (None, Some(Trouble::Unauthorized | Trouble::Expired | Trouble::Forbidden)) => {
            good("Answers, and asks who we are.".to_owned())
        }
        (None, Some(trouble)) => {
            let says = trouble.says().to_owned();
            check("reached", LABEL, Verdict::Bad, says, Some(trouble.way_out()))
        }
        (None, None) => unknown("reached", LABEL),
    }
}

fn certificate(found: &Preflight, shown: &Shown, now: Micros) -> Check {
    const LABEL: &str = "Its certificate";
    const SOON: i64 = 30 * 24 * 3_600 * Micros::SECOND;
    if let Some(trouble) = found.trouble.filter(|trouble| is_tls(*trouble)) {
        let says = trouble.says().to_owned();
        return check("certificate", LABEL, Verdict::Bad, says, Some(trouble.way_out()));
    }
    let Some(end) = shown.expires_at else { return unknown("certificate", LABEL) };
    let issuer = shown.issuer.as_deref().unwrap_or("an authority without a name");
    let days = end.since(now) / (24 * 3_600 * Micros::SECOND);
    let says = format!("Trusted; issued by {issuer}, ends in {days} days.");
    if end.since(now) < SOON {
        let way_out = "Renew the API server's certificate before it ends.";
        return check("certificate", LABEL, Verdict::Warn, says, Some(way_out));
    }
    check("certificate", LABEL, Verdict::Good, says, None)
}

fn known_as(found: &Preflight) -> Check {
    const LABEL: &str = "Identity";
    let of_us = |trouble: &Trouble| {
        trouble.is_refusal() || trouble.is_unasked() || *trouble == Trouble::Forbidden
    };
    if let Some(trouble) = found.trouble.filter(of_us) {
        let says = trouble.says().to_owned();
        return check("identity", LABEL, Verdict::Bad, says, Some(trouble.way_out()));
    }
    match &found.identity {
        Some(identity) if found.kubernetes_version.is_some() => {
            check("identity", LABEL, Verdict::Good, format!("Known there as {identity}."), None)
        }
        _ => unknown("identity", LABEL),
    }
}

fn expiry(found: &Preflight, now: Micros) -> Check {
    const LABEL: &str = "Its end";
    const DAY: i64 = 24 * 3_600 * Micros::SECOND;
    let rotate = "Make a new one and store it here; requests under way are not broken.";
    match found.expires_at.map(|at| at.since(now)) {
        None => {
            let says = "The credential names no end.".to_owned();
            check("expiry", LABEL, Verdict::Good, says, None)
        }
        Some(left) if left <= 0 => {
            let says = "The credential has expired.".to_owned();
            check("expiry", LABEL, Verdict::Bad, says, Some(rotate))
        }
        Some(left) if left <= app::fleet::credentials::WARN_BEFORE => {
            let says = format!("It ends in {} hours.", left / (DAY / 24));
            check("expiry", LABEL, Verdict::Warn, says, Some(rotate))
        }
        Some(left) => {
            check("expiry", LABEL, Verdict::Good, format!("It ends in {} days.", left / DAY), None)
        }
    }
}

fn excess(found: &Preflight) -> Check {
    const LABEL: &str = "May do too much";
    if found.trouble.is_some() {
        return unknown("excess", LABEL);
    }
    if found.excess.is_empty() {
        let says = "Nothing that it should not.".to_owned();
        return check("excess", LABEL, Verdict::Good, says, None);
    }
    let what: Vec<&str> = found.excess.iter().map(|excess| excess.what.as_str()).collect();
    let way_out = "Use a credential that the manifest of this page grants, and no more.";
    check("excess", LABEL, Verdict::Warn, what.join(", "), Some(way_out))
}

fn missing(found: &Preflight) -> Check {
    const LABEL: &str = "Lacks";
    if found.trouble.is_some() {
        return unknown("missing", LABEL);
    }
    if found.missing.is_empty() {
        let says = "Everything that the console reads may be read.".to_owned();
        return check("missing", LABEL, Verdict::Good, says, None);
    }
    let what: Vec<String> = found
        .missing
        .iter()
        .map(|missing| format!("{}: {}", missing.feature, missing.what.join(", ")))
        .collect();
    let way_out = "Apply the manifest of this page; what is not granted is not shown.";
    check("missing", LABEL, Verdict::Warn, what.join("; "), Some(way_out))
}

//! What a credential may do that it should not, and what not that a feature needs: the API server is asked, and nothing
//! is tried.

use app::fleet::{
    preflight::{Excess, Missing},
    trouble::Trouble,
    upstreams::{self, UpstreamWay},
};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::{Api, api::PostParams};

use crate::fleet::{
    error::trouble_of,
    rbac::{FEATURES, TOO_MUCH},
};

/// Questions under way at once.
const AT_ONCE: usize = 8;

pub(super) async fn excess(client: &kube::Client) -> Result<Vec<Excess>, Trouble> {
    let asked = TOO_MUCH.iter().map(|bad| Question::of(bad.verb, bad.group, bad.resource));
    let bad = TOO_MUCH.iter().zip(all(client, asked.collect()).await?);
    let bad = bad.filter(|(_, allowed)| *allowed).map(|(bad, _)| Excess {
        what: format!("{} {}", bad.verb, bad.resource),
        why: bad.why.to_owned(),
    });
    Ok(bad.collect())
}

pub(super) async fn missing(
    client: &kube::Client,
    ways: &[UpstreamWay],
) -> Result<Vec<Missing>, Trouble> {
    let mut missing = Vec::new();
    for feature in FEATURES {
        let mut needed: Vec<Question> = Vec::new();
        for need in feature.needs {
            for resource in need.resources {
                needed
                    .extend(need.verbs.iter().map(|verb| Question::of(verb, need.group, resource)));
            }
        }
        let allowed = all(client, needed.clone()).await?;
        let lacking = needed.iter().zip(allowed).filter(|(_, allowed)| !*allowed);
        let what: Vec<String> =
            lacking.map(|(asked, _)| format!("{} {}", asked.verb, asked.resource)).collect();
        if !what.is_empty() {
            missing.push(Missing { feature: feature.label.to_owned(), what });
        }
    }
    missing.extend(unproxied(client, ways).await?);
    Ok(missing)
}

/// What is behind the API server's proxy is reached by a right of its own, in the service's namespace.
async fn unproxied(client: &kube::Client, ways: &[UpstreamWay]) -> Result<Vec<Missing>, Trouble> {
    let services: Vec<_> = ways
        .iter()
        .filter_map(|way| {
            upstreams::inside(&way.url, |s| (way, s.namespace.to_owned(), s.in_path()))
        })
        .collect();
    let asked = services.iter().map(|(_, namespace, name)| Question {
        place: Some((namespace.clone(), name.clone())),
        ..Question::of("get", "", "services/proxy")
    });
    let allowed = all(client, asked.collect()).await?;
    let lacking = services.iter().zip(allowed).filter(|(_, allowed)| !*allowed);
    let missing = lacking.map(|((way, namespace, name), _)| Missing {
        feature: way.label().to_owned(),
        what: vec![format!("get services/proxy of {name} in {namespace}")],
    });
    Ok(missing.collect())
}

/// May we?
#[derive(Clone)]
struct Question {
    verb: &'static str,
    group: &'static str,
    resource: &'static str,
    /// Namespace and name, where it is not about all of them.
    place: Option<(String, String)>,
}

impl Question {
    const fn of(verb: &'static str, group: &'static str, resource: &'static str) -> Self {
        Self { verb, group, resource, place: None }
    }
}

/// The answers in the order of the questions, some of them asked at once.
async fn all(client: &kube::Client, asked: Vec<Question>) -> Result<Vec<bool>, Trouble> {
    // Made before they are waited for: a closure in the stream would have to be good for every lifetime.
    let asked: Vec<BoxFuture<'static, Result<bool, Trouble>>> =
        asked.into_iter().map(|question| may(client.clone(), question).boxed()).collect();
    stream::iter(asked).buffered(AT_ONCE).try_collect().await
}

async fn may(client: kube::Client, asked: Question) -> Result<bool, Trouble> {
    let Question { verb, group, resource, place } = asked;
    let (namespace, name) = place.unzip();
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
                namespace,
                name,
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

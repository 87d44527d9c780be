//! Who may do what: the least-privilege kubeconfig, asked and tried.

use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    core::v1::{Node, Pod, Secret},
};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, PostParams},
};

use crate::practice::{HARBOUR, admin, echo_pod, viewer};

async fn may(
    client: &Client,
    verb: &str,
    group: &str,
    resource: &str,
    subresource: Option<&str>,
) -> bool {
    let attributes = ResourceAttributes {
        verb: Some(verb.into()),
        group: Some(group.into()),
        resource: Some(resource.into()),
        subresource: subresource.map(Into::into),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews = Api::<SelfSubjectAccessReview>::all(client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await.expect("a review");
    answer.status.expect("a verdict").allowed
}

#[tokio::test]
async fn the_viewer_is_told_what_it_may() {
    let viewer = viewer(HARBOUR).await;
    let core = ["nodes", "namespaces", "pods", "events", "services", "persistentvolumeclaims"];
    let apps = ["deployments", "statefulsets", "daemonsets", "replicasets"];
    let groups: [(&str, &[&str]); 5] = [
        ("", &core),
        ("apps", &apps),
        ("batch", &["jobs", "cronjobs"]),
        ("discovery.k8s.io", &["endpointslices"]),
        ("networking.k8s.io", &["networkpolicies"]),
    ];
    for (group, resources) in groups {
        for resource in resources {
            for verb in ["get", "list", "watch"] {
                assert!(may(&viewer, verb, group, resource, None).await, "{verb} {resource}");
            }
        }
    }
    assert!(may(&viewer, "get", "", "pods", Some("log")).await);
    assert!(may(&viewer, "get", "", "configmaps", None).await);
}

#[tokio::test]
async fn the_viewer_is_told_what_it_may_not() {
    let viewer = viewer(HARBOUR).await;
    for (verb, group, resource, subresource) in [
        ("list", "", "secrets", None),
        ("list", "", "configmaps", None),
        ("get", "", "services", Some("proxy")),
        ("create", "", "serviceaccounts", Some("token")),
        ("get", "", "nodes", Some("proxy")),
        ("create", "", "pods", Some("exec")),
        ("delete", "", "pods", None),
        ("patch", "apps", "deployments", None),
        ("impersonate", "", "users", None),
        ("escalate", "rbac.authorization.k8s.io", "clusterroles", None),
    ] {
        assert!(
            !may(&viewer, verb, group, resource, subresource).await,
            "{verb} {resource} {subresource:?}"
        );
    }
}

#[tokio::test]
async fn the_admin_may_everything() {
    assert!(may(&admin(HARBOUR).await, "*", "*", "*", None).await);
}

#[tokio::test]
async fn the_viewer_reads_nodes_and_is_refused_secrets_and_deletions() {
    let client = viewer(HARBOUR).await;
    let nodes =
        Api::<Node>::all(client.clone()).list(&ListParams::default()).await.expect("a list");
    assert_eq!(nodes.items.len(), 3);

    let secrets = Api::<Secret>::all(client.clone()).list(&ListParams::default()).await;
    assert!(
        matches!(secrets.expect_err("refused"), kube::Error::Api(status) if status.code == 403)
    );

    let pod = echo_pod(&client).await;
    let deleted =
        Api::<Pod>::namespaced(client, "agents").delete(&pod, &DeleteParams::default()).await;
    assert!(
        matches!(deleted.expect_err("refused"), kube::Error::Api(status) if status.code == 403)
    );
}

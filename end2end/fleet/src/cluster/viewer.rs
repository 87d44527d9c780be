//! The least-privilege caller: a service account that reads what a console shows, no secrets, no `nodes/proxy`, no writes.

use anyhow::{Context, Result};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, Client, api::PostParams};
use serde_json::{Value, json};

use crate::life::apply::Manifests;

pub const NAMESPACE: &str = "fleet-access";
pub const NAME: &str = "viewer";
/// The namespace whose Services have programs that answer.
const OBSERVED: &str = "agents";

/// A year: what the API server gives at most, and the default.
pub const LONGEST_HOURS: u32 = 365 * 24;

/// Creates the account with its rights, and a token for it that lives so many hours.
pub async fn create(client: &Client, hours: u32) -> Result<String> {
    Manifests::from(manifests()).apply(client).await?;
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), NAMESPACE);
    let spec = TokenRequestSpec {
        expiration_seconds: Some(i64::from(hours) * 60 * 60),
        ..TokenRequestSpec::default()
    };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let answer = accounts.create_token_request(NAME, &PostParams::default(), &request).await?;
    answer.status.and_then(|status| status.token).context("the API server gave no token")
}

fn manifests() -> Vec<Value> {
    let subject = json!([{ "kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE }]);
    let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "fleet-viewer" });
    vec![
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } }),
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": NAME, "namespace": NAMESPACE } }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": { "name": "fleet-viewer" },
            "rules": rules(),
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": { "name": "fleet-viewer" },
            "roleRef": role,
            "subjects": subject,
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": { "name": "fleet-viewer", "namespace": OBSERVED },
            "rules": observing(),
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": { "name": "fleet-viewer", "namespace": OBSERVED },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "fleet-viewer" },
            "subjects": subject,
        }),
    ]
}

/// What a console asks for that shows nodes, workloads and why they are not well. Every resource is named: a wildcard would
/// give secrets to whoever adds a group.
fn rules() -> Value {
    let read = ["get", "list", "watch"];
    json!([
        {
            "apiGroups": [""],
            "resources": ["nodes", "namespaces", "pods", "events", "persistentvolumeclaims", "services"],
            "verbs": read,
        },
        { "apiGroups": [""], "resources": ["configmaps", "pods/log"], "verbs": ["get"] },
        { "apiGroups": ["apps"], "resources": ["deployments", "statefulsets", "daemonsets", "replicasets"], "verbs": read },
        { "apiGroups": ["batch"], "resources": ["jobs", "cronjobs"], "verbs": read },
        { "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": read },
        { "apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": read },
        { "apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": ["get", "list"] },
    ])
}

/// A query to an upstream behind a Service, only reading ones, and only where the cluster's programs are.
fn observing() -> Value {
    json!([{ "apiGroups": [""], "resources": ["services/proxy"], "verbs": ["get"] }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_viewer_changes_nothing_and_sees_no_secret() {
        for rule in
            [rules(), observing()].iter().flat_map(|rules| rules.as_array().expect("a list"))
        {
            for verb in rule["verbs"].as_array().expect("verbs") {
                assert!(["get", "list", "watch"].contains(&verb.as_str().expect("a word")));
            }
            for resource in rule["resources"].as_array().expect("resources") {
                let resource = resource.as_str().expect("a word");
                assert!(
                    !resource.contains('*')
                        && resource != "secrets"
                        && !resource.starts_with("nodes/"),
                    "{resource}"
                );
            }
        }
    }
}

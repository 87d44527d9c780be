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
/// A year, in seconds.
const TOKEN_LIFETIME: i64 = 365 * 24 * 60 * 60;

/// Creates the account with its rights, and a token for it.
pub async fn create(client: &Client) -> Result<String> {
    Manifests::from(manifests()).apply(client).await?;
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), NAMESPACE);
    let spec = TokenRequestSpec {
        expiration_seconds: Some(TOKEN_LIFETIME),
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
    ]
}

/// Every resource is named: a wildcard would give secrets to whoever adds a group.
fn rules() -> Value {
    let read = ["get", "list", "watch"];
    json!([
        {
            "apiGroups": [""],
            "resources": [
                "nodes", "namespaces", "pods", "pods/log", "services", "endpoints", "events", "configmaps",
                "persistentvolumes", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas",
                "limitranges", "serviceaccounts",
            ],
            "verbs": read,
        },
        // A query to an upstream behind a Service; only reading ones.
        { "apiGroups": [""], "resources": ["services/proxy"], "verbs": ["get"] },
        { "apiGroups": ["apps"], "resources": ["deployments", "statefulsets", "daemonsets", "replicasets"], "verbs": read },
        { "apiGroups": ["batch"], "resources": ["jobs", "cronjobs"], "verbs": read },
        { "apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": read },
        { "apiGroups": ["networking.k8s.io"], "resources": ["ingresses", "networkpolicies"], "verbs": read },
        { "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": read },
        { "apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": read },
        { "apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": read },
        { "apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": read },
        { "apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": read },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_viewer_changes_nothing_and_sees_no_secret() {
        let rules = rules();
        for rule in rules.as_array().expect("a list") {
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

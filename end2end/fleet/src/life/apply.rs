//! Applies objects given as JSON, as one field manager, in an order in which they can exist.

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::Value;

/// The field manager of everything that the fleet applies.
pub const MANAGER: &str = "practice-fleet";

/// Applied at once, within one rank; an API server on loopback takes them as fast as they come.
const AT_ONCE: usize = 16;

pub struct Manifests(Vec<Value>);

impl From<Vec<Value>> for Manifests {
    fn from(objects: Vec<Value>) -> Self {
        Self(objects)
    }
}

impl Manifests {
    pub async fn apply(mut self, client: &Client) -> Result<()> {
        self.0.sort_by_key(rank);
        for rank in self.0.chunk_by(|left, right| rank(left) == rank(right)) {
            stream::iter(rank)
                .map(|object| apply_one(client, object))
                .buffer_unordered(AT_ONCE)
                .try_collect::<Vec<()>>()
                .await?;
        }
        Ok(())
    }

    /// Deletes them, the last first; what is not there is as good as deleted.
    pub async fn delete(mut self, client: &Client) -> Result<()> {
        self.0.sort_by_key(rank);
        for object in self.0.iter().rev() {
            let (api, name) = place(client, object)?;
            // What a workload has made goes with it.
            match api.delete(name, &DeleteParams::background()).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(error).with_context(|| format!("cannot delete {name}")),
            }
        }
        Ok(())
    }
}

async fn apply_one(client: &Client, object: &Value) -> Result<()> {
    let (api, name) = place(client, object)?;
    let params = PatchParams::apply(MANAGER).force();
    api.patch(name, &params, &Patch::Apply(object))
        .await
        .with_context(|| format!("cannot apply {} {name}", object["kind"]))?;
    Ok(())
}

/// Where an object is, and its name there.
fn place<'a>(client: &Client, object: &'a Value) -> Result<(Api<DynamicObject>, &'a str)> {
    let name = object["metadata"]["name"].as_str().context("an object without a name")?;
    let kind = resource(object)?;
    let api = match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind),
        None => Api::all_with(client.clone(), &kind),
    };
    Ok((api, name))
}

/// Namespaces before what is in them; Services before the pods behind them.
fn rank(object: &Value) -> u8 {
    match object["kind"].as_str() {
        Some("Namespace") => 0,
        Some(
            "ServiceAccount"
            | "Service"
            | "ConfigMap"
            | "Secret"
            | "ClusterRole"
            | "Role"
            | "PersistentVolumeClaim"
            | "NetworkPolicy",
        ) => 1,
        _ => 2,
    }
}

fn resource(object: &Value) -> Result<ApiResource> {
    let kind = object["kind"].as_str().context("an object without a kind")?;
    let api_version = object["apiVersion"].as_str().context("an object without an apiVersion")?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    Ok(ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_namespace_comes_before_all_that_lives_in_it() {
        let pod = json!({ "kind": "Pod" });
        let service = json!({ "kind": "Service" });
        let namespace = json!({ "kind": "Namespace" });
        let mut all = [&pod, &service, &namespace];
        all.sort_by_key(|object| rank(object));
        assert_eq!(all, [&namespace, &service, &pod]);
    }

    #[test]
    fn the_plural_of_every_kind_in_use_is_known() {
        let cases = [
            ("v1", "Namespace", "namespaces"),
            ("batch/v1", "CronJob", "cronjobs"),
            ("apps/v1", "StatefulSet", "statefulsets"),
            ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings"),
        ];
        for (version, kind, plural) in cases {
            let found =
                resource(&json!({ "apiVersion": version, "kind": kind })).expect("a resource");
            assert_eq!(found.plural, plural);
        }
    }
}

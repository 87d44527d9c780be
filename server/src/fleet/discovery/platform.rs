//! Which Kubernetes it is, by the API groups that it serves, and whose mesh runs in it.

use app::fleet::{
    model::{ClusterCapabilities, Platform},
    trouble::Trouble,
};
use serde::Deserialize;

use super::{Found, evidence, permitted, short, unreadable};
use crate::fleet::ask::{self, JSON};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Version {
    git_version: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Group {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ClusterVersion {
    status: ClusterVersionStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ClusterVersionStatus {
    history: Vec<Update>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    state: String,
    version: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigMap {
    data: std::collections::BTreeMap<String, String>,
}

/// API groups that only a mesh brings.
const MESHES: &[(&str, &str)] = &[
    ("networking.istio.io", "Istio"),
    ("maistra.io", "OpenShift Service Mesh"),
    ("linkerd.io", "Linkerd"),
    ("policy.linkerd.io", "Linkerd"),
    ("kuma.io", "Kuma"),
    ("consul.hashicorp.com", "Consul"),
];

pub async fn version(client: &kube::Client) -> Result<String, Trouble> {
    let version: Version = ask::read(client, "/version", JSON).await?;
    if version.git_version.is_empty() {
        return Err(Trouble::NotKubernetes);
    }
    Ok(short(&version.git_version))
}

/// The names of the API groups that are served.
pub async fn groups(client: &kube::Client) -> Result<Vec<String>, Trouble> {
    let served: Groups = ask::read(client, "/apis", JSON).await?;
    Ok(served.groups.into_iter().map(|group| group.name).collect())
}

pub async fn look(
    client: &kube::Client,
    groups: &[String],
    found: &mut Found,
) -> Result<(), Trouble> {
    let serves = |name: &str| groups.iter().any(|group| group == name);
    if serves("config.openshift.io") {
        return openshift(client, found).await;
    }
    if serves("route.openshift.io") || serves("security.openshift.io") {
        return microshift(client, found).await;
    }
    found.platform = Some(Platform::Kubernetes);
    found.platform_version = Some(found.kubernetes_version.clone());
    let says =
        format!("{} by /version; no API group of OpenShift is served.", found.kubernetes_version);
    found.capabilities.evidence.push(evidence("platform", says));
    Ok(())
}

async fn openshift(client: &kube::Client, found: &mut Found) -> Result<(), Trouble> {
    const PATH: &str = "/apis/config.openshift.io/v1/clusterversions/version";
    found.platform = Some(Platform::OpenShift);
    let mut says = "API group config.openshift.io is served".to_owned();
    match permitted(ask::read::<ClusterVersion>(client, PATH, JSON)).await {
        Ok(Some(read)) => {
            let done = read.status.history.into_iter().find(|update| update.state == "Completed");
            found.platform_version = done.map(|update| short(&update.version));
            if let Some(version) = &found.platform_version {
                says = format!("{says}; ClusterVersion says {version}");
            }
        }
        Ok(None) => says.push_str("; the credential may not read ClusterVersion"),
        // The group without its object: a hosted control plane in the making.
        Err(Trouble::NotKubernetes) => says.push_str("; there is no ClusterVersion"),
        Err(trouble) => return Err(trouble),
    }
    found.capabilities.evidence.push(evidence("platform", format!("{says}.")));
    Ok(())
}

/// It serves some groups of `OpenShift`, and says its version in a config map that everybody may read.
async fn microshift(client: &kube::Client, found: &mut Found) -> Result<(), Trouble> {
    const PATH: &str = "/api/v1/namespaces/kube-public/configmaps/microshift-version";
    match permitted(ask::read::<ConfigMap>(client, PATH, JSON)).await {
        Ok(Some(read)) => {
            found.platform = Some(Platform::MicroShift);
            found.platform_version = read.data.get("version").map(|version| short(version));
            let says = "Config map kube-public/microshift-version is there.";
            found.capabilities.evidence.push(evidence("platform", says));
        }
        Ok(None) => {
            let what = "config map kube-public/microshift-version, which would tell MicroShift";
            found.capabilities.evidence.push(unreadable("platform", what));
        }
        // Somebody brought those groups along.
        Err(Trouble::NotKubernetes) => {
            found.platform = Some(Platform::Kubernetes);
            found.platform_version = Some(found.kubernetes_version.clone());
            let says =
                "API group config.openshift.io is not served, and no MicroShift names itself.";
            found.capabilities.evidence.push(evidence("platform", says));
        }
        Err(trouble) => return Err(trouble),
    }
    Ok(())
}

pub fn mesh(groups: &[String], found: &mut ClusterCapabilities) {
    let served = MESHES.iter().find(|(group, _)| groups.iter().any(|served| served == group));
    found.has_service_mesh = Some(served.is_some());
    let says = match served {
        Some((group, label)) => format!("API group {group} of {label} is served."),
        None => "No API group of a mesh is served.".to_owned(),
    };
    found.evidence.push(evidence("has_service_mesh", says));
}

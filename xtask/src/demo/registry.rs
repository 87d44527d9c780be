//! Owns putting the practice fleet's clusters into the console's registry as they become ready, each with its
//! least-privilege credential, as a person would through the API. A demo that is started again finds them there and
//! gives them the credentials of the new fleet. Must not hold the demo up: what fails here is told and left.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::Cluster;
use crate::console::Console;
use crate::http;
use crate::process;

/// What a cluster is to the people who run it; the fleet itself knows names alone.
struct Entry {
    name: &'static str,
    display_name: &'static str,
    kind: &'static str,
    environment: &'static str,
    region: &'static str,
    labels: [(&'static str, &'static str); 2],
}

const ENTRIES: [Entry; 3] = [
    Entry {
        name: "harbour",
        display_name: "Harbour",
        kind: "HUB",
        environment: "PRODUCTION",
        region: "eu-north",
        labels: [("team", "platform"), ("tier", "core")],
    },
    Entry {
        name: "lagoon",
        display_name: "Lagoon",
        kind: "SPOKE",
        environment: "STAGING",
        region: "eu-west",
        labels: [("team", "mobile-core"), ("tier", "core")],
    },
    Entry {
        name: "lighthouse",
        display_name: "Lighthouse, quay 7",
        kind: "EDGE",
        environment: "PRODUCTION",
        region: "eu-west",
        labels: [("team", "radio"), ("site", "quay-7")],
    },
];

/// Hours that the clusters' tokens live, in the order of the entries: the last one's expiry is near enough to be
/// warned of.
pub const TOKEN_HOURS: &str = "8760,8760,72";

/// The clusters that are on their way into the registry, and those that are in.
pub struct Registry {
    address: SocketAddr,
    /// Whoever may register clusters: an admin.
    key: Option<String>,
    on_the_way: Vec<(String, JoinHandle<Result<String>>)>,
    /// The console's id of each cluster, by name; an empty one where it could not be registered.
    ids: BTreeMap<String, String>,
}

impl Registry {
    pub fn of(console: &Console) -> Self {
        Self {
            address: console.address,
            key: console.people.api_keys.get("admin").cloned(),
            on_the_way: Vec::new(),
            ids: BTreeMap::new(),
        }
    }

    /// Begins with those that are ready and were not begun with; true when one has come in since the last call.
    pub fn go_on(&mut self, clusters: &[Cluster]) -> bool {
        let ready = clusters.iter().filter(|cluster| cluster.state == "ready");
        for cluster in ready {
            let begun = self.on_the_way.iter().any(|(name, _)| *name == cluster.name);
            if let Some(key) = &self.key
                && !begun
                && !self.ids.contains_key(&cluster.name)
            {
                let (api, cluster) =
                    (Api { address: self.address, key: key.clone() }, cluster.clone());
                let name = cluster.name.clone();
                self.on_the_way.push((name, thread::spawn(move || api.register(&cluster))));
            }
        }
        let before = self.ids.len();
        let (ended, going) = std::mem::take(&mut self.on_the_way)
            .into_iter()
            .partition(|(_, thread)| thread.is_finished());
        self.on_the_way = going;
        let ended: Vec<(String, JoinHandle<Result<String>>)> = ended;
        for (name, thread) in ended {
            match thread.join() {
                Ok(Ok(id)) => drop(self.ids.insert(name, id)),
                Ok(Err(error)) => {
                    if !process::interrupted() {
                        eprintln!("  {name} is not in the registry: {error:#}");
                    }
                    // Once is enough: whoever looks can register it by hand.
                    self.ids.insert(name, String::new());
                }
                Err(_) => drop(self.ids.insert(name, String::new())),
            }
        }
        self.ids.len() > before
    }

    /// Whether all clusters are ready, and none is still on its way in.
    pub fn is_complete(&self, clusters: &[Cluster]) -> bool {
        let has_tried = |name| self.key.is_none() || self.ids.contains_key(name);
        !clusters.is_empty()
            && clusters.iter().all(|one| one.state == "ready" && has_tried(&one.name))
    }

    /// The console's id of a cluster, once it has one.
    pub fn id(&self, name: &str) -> Option<&str> {
        self.ids.get(name).map(String::as_str).filter(|id| !id.is_empty())
    }
}

struct Api {
    address: SocketAddr,
    key: String,
}

impl Api {
    /// The console's id of the cluster, which is then in its registry and can be opened.
    fn register(&self, cluster: &Cluster) -> Result<String> {
        let path = &cluster.viewer_kubeconfig;
        let kubeconfig = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let credential = json!({ "auth_type": "KUBECONFIG", "kubeconfig": kubeconfig });
        let by_name = format!("/api/v1/clusters/by-name/{}", cluster.name);
        let (status, known) = self.ask("GET", &by_name, None)?;
        if status == 404 {
            let made = self.expect("POST", "/api/v1/clusters", &new(cluster, &credential))?;
            return id(&made);
        }
        if status != 200 {
            bail!("GET {by_name} answered {status}: {known}");
        }
        let id = id(&known)?;
        let own = format!("/api/v1/clusters/{id}");
        if known["api_server_url"] != cluster.url.as_str() {
            // A credential is bound to the address that it was given for; this one's fleet is gone anyway.
            if !known["credential"].is_null() {
                let (status, said) = self.ask("DELETE", &format!("{own}/credentials"), None)?;
                if !(200..300).contains(&status) && status != 404 {
                    bail!("the old credential stays: {status} {said}");
                }
            }
            self.expect("PATCH", &own, &json!({ "api_server_url": cluster.url }))?;
        }
        self.expect("PUT", &format!("{own}/credentials"), &credential)?;
        Ok(id)
    }

    fn expect(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let (status, answer) = self.ask(method, path, Some(body))?;
        if !(200..300).contains(&status) {
            bail!("{method} {path} answered {status}: {answer}");
        }
        Ok(answer)
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        if process::interrupted() {
            bail!("the demo ends");
        }
        let body = body.map(Value::to_string);
        let answer = http::ask(self.address, method, path, body.as_deref(), Some(&self.key))?;
        Ok((answer.status, serde_json::from_slice(&answer.body).unwrap_or_default()))
    }
}

fn id(cluster: &Value) -> Result<String> {
    let id = cluster["id"].as_str().context("a registered cluster has an id")?;
    Ok(id.to_owned())
}

/// What is sent for a cluster that the registry does not have; one that has no entry here is told by its name alone.
fn new(cluster: &Cluster, credential: &Value) -> Value {
    let mut new = json!({
        "name": cluster.name,
        "api_server_url": cluster.url,
        "transport": "direct",
        "platform": "KUBERNETES",
        "credentials": credential,
    });
    if let Some(entry) = ENTRIES.iter().find(|entry| entry.name == cluster.name) {
        new["display_name"] = entry.display_name.into();
        new["cluster_type"] = entry.kind.into();
        new["environment"] = entry.environment.into();
        new["region"] = entry.region.into();
        new["labels"] = entry.labels.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect();
    }
    new
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn cluster(name: &str) -> Cluster {
        Cluster {
            name: name.to_owned(),
            state: "ready".to_owned(),
            url: "https://127.0.0.1:7181".to_owned(),
            admin_kubeconfig: PathBuf::new(),
            viewer_kubeconfig: PathBuf::new(),
            error: None,
        }
    }

    #[test]
    fn a_cluster_is_registered_as_what_it_is_and_never_as_an_admin() {
        let credential = json!({ "auth_type": "KUBECONFIG" });
        let new = new(&cluster("lighthouse"), &credential);
        assert_eq!(new["cluster_type"], "EDGE");
        assert_eq!(new["labels"]["site"], "quay-7");
        assert_eq!(new["api_server_url"], "https://127.0.0.1:7181");
        assert_eq!(new["credentials"], credential);
    }

    #[test]
    fn what_comes_after_the_registrations_waits_for_the_last_of_them() {
        let clusters = [cluster("harbour"), cluster("lagoon")];
        let mut registry = Registry {
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            key: Some("key".to_owned()),
            on_the_way: Vec::new(),
            ids: BTreeMap::new(),
        };
        assert!(!registry.is_complete(&[]));
        registry.ids.insert("harbour".to_owned(), "1".to_owned());
        assert!(!registry.is_complete(&clusters));
        // One that could not be registered holds nobody up.
        registry.ids.insert("lagoon".to_owned(), String::new());
        assert!(registry.is_complete(&clusters));
        assert_eq!((registry.id("harbour"), registry.id("lagoon")), (Some("1"), None));
    }

    #[test]
    fn a_cluster_without_an_entry_is_registered_all_the_same() {
        let new = new(&cluster("buoy-07"), &json!({}));
        assert_eq!(new["name"], "buoy-07");
        assert!(new["region"].is_null());
    }
}

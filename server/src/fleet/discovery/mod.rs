//! What is installed in a cluster, by what its API says: every answer with what it was read from. What could not be
//! read is absent, and its evidence says why.
//!
//! Only asks; changes nothing. One file per subject, none of which knows the others.

mod gpu;
mod observability;
mod platform;
mod workloads;

use app::fleet::{
    model::{ClusterCapabilities, Evidence, Platform},
    trouble::Trouble,
};
use serde::Deserialize;

use super::ask::{self, METADATA};

/// So many names stand in one line of evidence.
const NAMED: usize = 4;
const TEXT_MAX: usize = 160;
/// Objects that one question asks for; there is more where one is enough.
const LIMIT: usize = 500;

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub platform: Option<Platform>,
    pub platform_version: Option<String>,
    pub kubernetes_version: String,
    pub capabilities: ClusterCapabilities,
}

/// Looks at all of it. An error is one of the way to the cluster; a question that may not be asked is evidence.
pub async fn discover(client: &kube::Client) -> Result<Found, Trouble> {
    let mut found =
        Found { kubernetes_version: platform::version(client).await?, ..Found::default() };
    let groups = platform::groups(client).await?;
    platform::look(client, &groups, &mut found).await?;
    platform::mesh(&groups, &mut found.capabilities);
    gpu::look(client, &mut found.capabilities).await?;
    observability::look(client, &mut found.capabilities).await?;
    workloads::look(client, &mut found.capabilities).await?;
    Ok(found)
}

/// An answer, or that we may not ask. What is wrong with the way there is an error.
async fn permitted<T>(
    asked: impl Future<Output = Result<T, Trouble>>,
) -> Result<Option<T>, Trouble> {
    match asked.await {
        Ok(answer) => Ok(Some(answer)),
        Err(Trouble::Forbidden) => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

fn evidence(capability: &str, says: impl Into<String>) -> Evidence {
    Evidence { capability: capability.to_owned(), says: says.into(), readable: true }
}

fn unreadable(capability: &str, what: &str) -> Evidence {
    let says = format!("The credential may not list {what}.");
    Evidence { capability: capability.to_owned(), says, readable: false }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct List {
    metadata: ListMeta,
    #[serde(deserialize_with = "ask::null_is_empty")]
    items: Vec<Item>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta {
    r#continue: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    metadata: Meta,
}

/// What of an object's metadata we look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Meta {
    name: String,
    namespace: String,
    labels: std::collections::BTreeMap<String, String>,
}

impl Meta {
    fn label(&self, key: &str) -> &str {
        self.labels.get(key).map_or("", String::as_str)
    }
}

/// The objects that a selector names, as metadata; none when we may not list them.
async fn labelled(
    client: &kube::Client,
    path: &str,
    key: &str,
    values: &[&str],
) -> Result<Option<Vec<Meta>>, Trouble> {
    let selector = format!("{key} in ({})", values.join(","));
    let selector = selector.replace(' ', "%20").replace('/', "%2F");
    let path = format!("{path}?limit={LIMIT}&labelSelector={selector}");
    let list = permitted(ask::read::<List>(client, &path, METADATA)).await?;
    Ok(list.map(|list| list.items.into_iter().map(|item| item.metadata).collect()))
}

/// `a/b, a/c and 3 more`
fn names(all: &[Meta]) -> String {
    let mut named: Vec<String> = all
        .iter()
        .map(|meta| {
            if meta.namespace.is_empty() {
                short(&meta.name)
            } else {
                short(&format!("{}/{}", meta.namespace, meta.name))
            }
        })
        .collect();
    named.sort();
    named.dedup();
    let more = named.len().saturating_sub(NAMED);
    named.truncate(NAMED);
    let text = named.join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}

/// One line, without what could pass for something else.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_nothing_is_read_as_api_servers_write_it() {
        for items in [r#","items":null"#, r#","items":[]"#, ""] {
            let text = format!(r#"{{"kind":"PartialObjectMetadataList","metadata":{{}}{items}}}"#);
            let list: List = serde_json::from_str(&text).expect(&text);
            assert!(list.items.is_empty());
        }
    }
}

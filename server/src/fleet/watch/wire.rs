//! Lists and watch lines as the API spells them: each object stays as it came until its own kind reads it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    kind::Kind,
    names::Names,
    slim::Slim,
    talk::{StatusWire, Trouble},
};

#[derive(Deserialize)]
struct ListWire<'a> {
    #[serde(default)]
    metadata: ListMetaWire,
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMetaWire {
    resource_version: String,
    #[serde(rename = "continue")]
    next: String,
    remaining_item_count: Option<u64>,
}

/// One page of a list.
pub struct Page<T> {
    pub objects: Vec<T>,
    pub version: String,
    /// How to ask for what follows.
    pub next: Option<String>,
    pub remaining: Option<u64>,
}

impl<T: Slim> Page<T> {
    pub fn read(kind: Kind, body: &[u8], names: &Names) -> Result<Self, Trouble> {
        let malformed = |_| Trouble::Because(app::fleet::watched::Reason::Malformed);
        let list: ListWire<'_> = serde_json::from_slice(body).map_err(malformed)?;
        let items = list.items.unwrap_or_default();
        Ok(Self {
            objects: items.into_iter().filter_map(|item| object(kind, item, names)).collect(),
            version: list.metadata.resource_version,
            next: Some(list.metadata.next).filter(|next| !next.is_empty()),
            remaining: list.metadata.remaining_item_count,
        })
    }
}

/// One object that cannot be read is told and left out: all others are still worth showing.
fn object<T: Slim>(kind: Kind, item: &RawValue, names: &Names) -> Option<T> {
    read(kind, item, names).map(|(object, _)| object)
}

fn read<T: Slim>(kind: Kind, item: &RawValue, names: &Names) -> Option<(T, String)> {
    match serde_json::from_str::<T::Wire>(item.get()) {
        Ok(wire) => {
            let version = T::version(&wire).to_owned();
            Some((T::slim(kind, wire, names), version))
        }
        Err(error) => {
            tracing::warn!(kind = kind.as_str(), %error, "an object cannot be read");
            None
        }
    }
}

/// One line of a watch.
pub enum Change<T> {
    Put(T, String),
    Gone(T, String),
    /// Nothing happened up to this version.
    Mark(String),
    /// The initial list is complete.
    Complete(String),
    /// An object that cannot be read.
    Nothing,
}

#[derive(Deserialize)]
struct LineWire<'a> {
    #[serde(rename = "type", borrow)]
    what: Cow<'a, str>,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MarkWire {
    metadata: MarkMetaWire,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct MarkMetaWire {
    resource_version: String,
    annotations: std::collections::BTreeMap<String, String>,
}

const COMPLETE: &str = "k8s.io/initial-events-end";

impl<T: Slim> Change<T> {
    pub fn read(kind: Kind, line: &[u8], names: &Names) -> Result<Self, Trouble> {
        let malformed = |_| Trouble::Because(app::fleet::watched::Reason::Malformed);
        let line: LineWire<'_> = serde_json::from_slice(line).map_err(malformed)?;
        Ok(match &*line.what {
            "ADDED" | "MODIFIED" => match read(kind, line.object, names) {
                Some((object, version)) => Self::Put(object, version),
                None => Self::Nothing,
            },
            "DELETED" => match read(kind, line.object, names) {
                Some((object, version)) => Self::Gone(object, version),
                None => Self::Nothing,
            },
            "BOOKMARK" => {
                let mark: MarkWire = serde_json::from_str(line.object.get()).map_err(malformed)?;
                let complete = mark.metadata.annotations.contains_key(COMPLETE);
                let version = mark.metadata.resource_version;
                if complete { Self::Complete(version) } else { Self::Mark(version) }
            }
            "ERROR" => {
                let status: StatusWire =
                    serde_json::from_str(line.object.get()).unwrap_or_default();
                return Err(match status.reason.as_str() {
                    "Expired" | "Gone" => Trouble::Expired,
                    _ => Trouble::of_code(status.code),
                });
            }
            _ => Self::Nothing,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::watch::slim::Namespace;

    fn line(text: &str) -> Result<Change<Namespace>, Trouble> {
        Change::read(Kind::Namespaces, text.as_bytes(), &Names::default())
    }

    #[test]
    fn each_line_is_what_it_says() {
        let object = r#"{"kind":"Namespace","metadata":{"name":"a","resourceVersion":"7"}}"#;
        let said = |what: &str| line(&format!(r#"{{"type":"{what}","object":{object}}}"#));
        assert!(matches!(said("ADDED"), Ok(Change::Put(n, v)) if &*n.meta.name == "a" && v == "7"));
        assert!(matches!(said("DELETED"), Ok(Change::Gone(_, v)) if v == "7"));
        assert!(matches!(said("BOOKMARK"), Ok(Change::Mark(v)) if v == "7"));
        let end = r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}}"#;
        assert!(matches!(line(end), Ok(Change::Complete(v)) if v == "9"));
        let old = r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"}}"#;
        assert_eq!(line(old).err(), Some(Trouble::Expired));
        assert!(line("{\"type\":\"ADD").is_err());
    }

    #[test]
    fn an_object_that_cannot_be_read_hides_no_other() {
        let list = br#"{"metadata":{"resourceVersion":"3","continue":"t","remainingItemCount":5},
            "items":[{"metadata":{"name":1}},{"metadata":{"name":"b"}}]}"#;
        let page: Page<Namespace> =
            Page::read(Kind::Namespaces, list, &Names::default()).expect("a list");
        assert_eq!(page.objects.len(), 1);
        assert_eq!((page.next.as_deref(), page.remaining), (Some("t"), Some(5)));
    }
}

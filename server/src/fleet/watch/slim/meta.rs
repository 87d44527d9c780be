//! What every object has: its name, its age, its labels, who owns it; and conditions and selectors, which several have.

use std::collections::BTreeMap;

use app::time::Micros;
use serde::Deserialize;

use super::{cut, workload::Selector};
use crate::fleet::watch::names::{Labels, Name, Names};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Empty for what lives in no namespace.
    pub namespace: Name,
    pub name: Name,
    pub labels: Labels,
    pub created: Micros,
    /// Since when it is to be deleted.
    pub deleting: Option<Micros>,
    /// The controller that made it.
    pub owner: Option<Owner>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub kind: Name,
    pub name: Name,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub kind: Name,
    /// `True`, `False` or `Unknown`.
    pub status: Name,
    pub reason: Name,
    pub message: Name,
    pub since: Micros,
}

impl Meta {
    pub fn label(&self, key: &str) -> Option<&Name> {
        let found = self.labels.binary_search_by(|(held, _)| (**held).cmp(key)).ok()?;
        Some(&self.labels[found].1)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::fleet::watch) struct MetaWire {
    namespace: String,
    name: String,
    pub(in crate::fleet::watch) resource_version: String,
    pub(super) generation: i64,
    labels: Option<BTreeMap<String, String>>,
    creation_timestamp: Option<Micros>,
    deletion_timestamp: Option<Micros>,
    owner_references: Vec<OwnerWire>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OwnerWire {
    kind: String,
    name: String,
    controller: bool,
}

impl MetaWire {
    pub(super) fn slim(self, names: &Names) -> Meta {
        let owner = self.owner_references.into_iter().find(|owner| owner.controller);
        Meta {
            namespace: names.text(&self.namespace),
            // Hardly any two objects share a name, and what does not stand in the pool costs no look there.
            name: self.name.into(),
            labels: names.labels(self.labels.unwrap_or_default()),
            created: self.creation_timestamp.unwrap_or_default(),
            deleting: self.deletion_timestamp,
            owner: owner.map(|owner| Owner {
                kind: names.text(&owner.kind),
                name: names.text(&owner.name),
            }),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::fleet::watch) struct ConditionWire {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
    pub(super) last_transition_time: Option<Micros>,
}

impl ConditionWire {
    pub(super) fn slim(self, names: &Names) -> Condition {
        Condition {
            kind: names.text(&self.kind),
            status: names.text(&self.status),
            reason: names.text(&self.reason.unwrap_or_default()),
            message: names.text(&cut(self.message.unwrap_or_default())),
            since: self.last_transition_time.unwrap_or_default(),
        }
    }

    pub(super) fn all(wires: Vec<Self>, names: &Names) -> Box<[Condition]> {
        wires.into_iter().map(|wire| wire.slim(names)).collect()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::fleet::watch) struct SelectorWire {
    match_labels: Option<BTreeMap<String, String>>,
    match_expressions: Vec<ExpressionWire>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ExpressionWire {
    key: String,
    operator: String,
    values: Vec<String>,
}

impl SelectorWire {
    pub(super) fn slim(self, names: &Names) -> Selector {
        let expressions = self.match_expressions.into_iter().map(|wire| {
            let values = wire.values.iter().map(|value| names.text(value)).collect();
            (names.text(&wire.key), names.text(&wire.operator), values)
        });
        Selector {
            labels: names.labels(self.match_labels.unwrap_or_default()),
            expressions: expressions.collect(),
        }
    }
}

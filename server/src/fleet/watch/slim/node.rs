//! A node: whether it is ready and under pressure, its version, what it has to give, and whom it keeps away.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Condition, ConditionWire, Meta, MetaWire, Slim};
use crate::fleet::watch::{
    kind::Kind,
    names::{Name, Names},
};

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub meta: Meta,
    pub conditions: Box<[Condition]>,
    pub version: Name,
    pub os: Name,
    pub runtime: Name,
    pub architecture: Name,
    /// What pods may ask for: resource and quantity as the API spells it.
    pub allocatable: Box<[(Name, Name)]>,
    pub taints: Box<[Taint]>,
    /// Cordoned.
    pub unschedulable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    pub key: Name,
    pub value: Name,
    pub effect: Name,
}

impl Node {
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| &*condition.kind == kind)
    }

    /// None when the node never said.
    pub fn ready(&self) -> Option<&Condition> {
        self.condition("Ready")
    }

    pub fn is_ready(&self) -> bool {
        self.ready().is_some_and(|condition| &*condition.status == "True")
    }

    pub fn allocatable(&self, resource: &str) -> Option<&Name> {
        self.allocatable.iter().find(|(held, _)| &**held == resource).map(|(_, amount)| amount)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeWire {
    metadata: MetaWire,
    spec: SpecWire,
    status: StatusWire,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SpecWire {
    unschedulable: bool,
    taints: Vec<TaintWire>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TaintWire {
    key: String,
    value: String,
    effect: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StatusWire {
    conditions: Vec<ConditionWire>,
    node_info: InfoWire,
    allocatable: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct InfoWire {
    kubelet_version: String,
    os_image: String,
    container_runtime_version: String,
    architecture: String,
}

impl Slim for Node {
    type Wire = NodeWire;

    fn version(wire: &NodeWire) -> &str {
        &wire.metadata.resource_version
    }

    fn slim(_: Kind, wire: NodeWire, names: &Names) -> Self {
        let NodeWire { metadata, spec, status } = wire;
        let taints = spec.taints.into_iter().map(|taint| Taint {
            key: names.text(&taint.key),
            value: names.text(&taint.value),
            effect: names.text(&taint.effect),
        });
        let info = status.node_info;
        let amounts = status.allocatable.iter();
        Self {
            meta: metadata.slim(names),
            conditions: ConditionWire::all(status.conditions, names),
            version: names.text(&info.kubelet_version),
            os: names.text(&info.os_image),
            runtime: names.text(&info.container_runtime_version),
            architecture: names.text(&info.architecture),
            allocatable: amounts.map(|(k, v)| (names.text(k), names.text(v))).collect(),
            taints: taints.collect(),
            unschedulable: spec.unschedulable,
        }
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }
}

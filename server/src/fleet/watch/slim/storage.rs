//! Claims of volumes.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Meta, MetaWire, Slim};
use crate::fleet::watch::{
    kind::Kind,
    names::{Name, Names},
};

#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    pub meta: Meta,
    /// `Pending`, `Bound`, `Lost`.
    pub phase: Name,
    /// None: the cluster's default, if it has one.
    pub class: Option<Name>,
    pub asks: Name,
    pub volume: Option<Name>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ClaimWire {
    metadata: MetaWire,
    spec: SpecWire,
    status: StatusWire,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecWire {
    storage_class_name: Option<String>,
    volume_name: String,
    resources: ResourcesWire,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResourcesWire {
    requests: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StatusWire {
    phase: String,
}

impl Slim for Claim {
    type Wire = ClaimWire;

    fn version(wire: &ClaimWire) -> &str {
        &wire.metadata.resource_version
    }

    fn slim(_: Kind, wire: ClaimWire, names: &Names) -> Self {
        let ClaimWire { metadata, spec, status } = wire;
        let some = |text: &str| (!text.is_empty()).then(|| names.text(text));
        Self {
            meta: metadata.slim(names),
            phase: names.text(&status.phase),
            class: spec.storage_class_name.as_deref().and_then(some),
            asks: names.text(spec.resources.requests.get("storage").map_or("", String::as_str)),
            volume: some(&spec.volume_name),
        }
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }
}

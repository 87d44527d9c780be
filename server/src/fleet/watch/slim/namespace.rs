//! A namespace: that it is there, its labels, and whether it is going.

use serde::Deserialize;

use super::{Meta, MetaWire, Slim};
use crate::fleet::watch::{kind::Kind, names::Names};

#[derive(Clone, Debug, PartialEq)]
pub struct Namespace {
    pub meta: Meta,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NamespaceWire {
    metadata: MetaWire,
}

impl Slim for Namespace {
    type Wire = NamespaceWire;

    fn version(wire: &NamespaceWire) -> &str {
        &wire.metadata.resource_version
    }

    fn slim(_: Kind, wire: NamespaceWire, names: &Names) -> Self {
        Self { meta: wire.metadata.slim(names) }
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }
}

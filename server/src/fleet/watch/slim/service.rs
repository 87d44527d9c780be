//! Services, and the slices of endpoints that say whom each reaches.

use serde::Deserialize;
use serde_json::Value;

use super::{Meta, MetaWire, Slim};
use crate::fleet::watch::{
    kind::Kind,
    names::{Labels, Name, Names},
};

#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    pub meta: Meta,
    pub kind: Name,
    /// None: whoever made it keeps its endpoints, too.
    pub selector: Option<Labels>,
    pub ports: Box<[ServicePort]>,
    /// `None` for a headless one.
    pub cluster_ip: Name,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    pub name: Name,
    pub port: u16,
    /// The port of the pods: its number or its name.
    pub target: Name,
    pub protocol: Name,
}

#[derive(Clone, Debug, PartialEq)]
pub struct EndpointSlice {
    pub meta: Meta,
    /// The service that it belongs to.
    pub service: Option<Name>,
    pub ready: u32,
    pub not_ready: u32,
    pub ports: Box<[u16]>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ServiceWire {
    metadata: MetaWire,
    spec: SpecWire,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecWire {
    #[serde(rename = "type")]
    kind: String,
    selector: Option<std::collections::BTreeMap<String, String>>,
    ports: Vec<PortWire>,
    #[serde(rename = "clusterIP")]
    cluster_ip: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PortWire {
    name: String,
    port: u16,
    target_port: Value,
    protocol: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SliceWire {
    metadata: MetaWire,
    endpoints: Option<Vec<EndpointWire>>,
    ports: Option<Vec<SlicePortWire>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EndpointWire {
    conditions: ReadyWire,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ReadyWire {
    /// Unset means yes.
    ready: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SlicePortWire {
    port: Option<u16>,
}

impl Slim for Service {
    type Wire = ServiceWire;

    fn version(wire: &ServiceWire) -> &str {
        &wire.metadata.resource_version
    }

    fn slim(_: Kind, wire: ServiceWire, names: &Names) -> Self {
        let spec = wire.spec;
        let ports = spec.ports.into_iter().map(|port| {
            let target = match &port.target_port {
                Value::String(name) => name.clone(),
                Value::Number(number) => number.to_string(),
                _ => port.port.to_string(),
            };
            ServicePort {
                name: names.text(&port.name),
                port: port.port,
                target: names.text(&target),
                protocol: names.text(&port.protocol),
            }
        });
        let selector = spec.selector.filter(|selector| !selector.is_empty());
        Self {
            meta: wire.metadata.slim(names),
            kind: names.text(&spec.kind),
            selector: selector.map(|selector| names.labels(selector)),
            ports: ports.collect(),
            cluster_ip: names.text(&spec.cluster_ip),
        }
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }
}

impl Slim for EndpointSlice {
    type Wire = SliceWire;

    fn version(wire: &SliceWire) -> &str {
        &wire.metadata.resource_version
    }

    fn slim(_: Kind, wire: SliceWire, names: &Names) -> Self {
        let meta = wire.metadata.slim(names);
        let endpoints = wire.endpoints.unwrap_or_default();
        let ready = endpoints.iter().filter(|e| e.conditions.ready.unwrap_or(true)).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let ports = wire.ports.unwrap_or_default();
        Self {
            service: meta.label("kubernetes.io/service-name").cloned(),
            meta,
            ready: count(ready),
            not_ready: count(endpoints.len() - ready),
            ports: ports.iter().filter_map(|port| port.port).collect(),
        }
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }
}

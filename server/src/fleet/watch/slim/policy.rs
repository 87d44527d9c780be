//! Network policies: whom they are about, and what they still let through.

use serde::Deserialize;
use serde_json::Value;

use super::{Meta, MetaWire, Selector, SelectorWire, Slim};
use crate::fleet::watch::{
    kind::Kind,
    names::{Name, Names},
};

#[derive(Clone, Debug, PartialEq)]
pub struct NetworkPolicy {
    pub meta: Meta,
    pub pods: Selector,
    /// What may come in; none when the policy does not speak of it.
    pub ingress: Option<Box<[Allowed]>>,
    /// What may go out; none when the policy does not speak of it.
    pub egress: Option<Box<[Allowed]>>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Empty means everybody.
    pub peers: Box<[Peer]>,
    /// Empty means every port.
    pub ports: Box<[PolicyPort]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Pods of the policy's own namespace.
    Here(Selector),
    /// Pods of namespaces; without a selector, all of those namespaces.
    There {
        namespaces: Selector,
        pods: Option<Selector>,
    },
    Addresses(Name),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyPort {
    /// Number or name; empty means every port of the protocol.
    pub port: Name,
    pub end: Option<u16>,
    pub protocol: Name,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PolicyWire {
    metadata: MetaWire,
    spec: SpecWire,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecWire {
    pod_selector: SelectorWire,
    policy_types: Vec<String>,
    ingress: Option<Vec<RuleWire>>,
    egress: Option<Vec<RuleWire>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RuleWire {
    from: Vec<PeerWire>,
    to: Vec<PeerWire>,
    ports: Vec<PortWire>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PeerWire {
    pod_selector: Option<SelectorWire>,
    namespace_selector: Option<SelectorWire>,
    ip_block: Option<BlockWire>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BlockWire {
    cidr: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PortWire {
    port: Option<Value>,
    end_port: Option<u16>,
    protocol: String,
}

impl Slim for NetworkPolicy {
    type Wire = PolicyWire;

    fn version(wire: &PolicyWire) -> &str {
        &wire.metadata.resource_version
    }

    fn slim(_: Kind, wire: PolicyWire, names: &Names) -> Self {
        let SpecWire { pod_selector, policy_types, ingress, egress } = wire.spec;
        let speaks = |kind: &str| policy_types.iter().any(|known| known == kind);
        let rules = |rules: Option<Vec<RuleWire>>| -> Box<[Allowed]> {
            rules.unwrap_or_default().into_iter().map(|rule| rule.slim(names)).collect()
        };
        // Without types, a policy speaks of what comes in, and of what goes out when it has rules for it.
        let of_ingress = policy_types.is_empty() || speaks("Ingress");
        let of_egress = speaks("Egress") || (policy_types.is_empty() && egress.is_some());
        Self {
            meta: wire.metadata.slim(names),
            pods: pod_selector.slim(names),
            ingress: of_ingress.then(|| rules(ingress)),
            egress: of_egress.then(|| rules(egress)),
        }
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }
}

impl RuleWire {
    fn slim(self, names: &Names) -> Allowed {
        let peers = self.from.into_iter().chain(self.to);
        let ports = self.ports.into_iter().map(|port| PolicyPort {
            port: names.text(&match port.port {
                Some(Value::String(name)) => name,
                Some(Value::Number(number)) => number.to_string(),
                _ => String::new(),
            }),
            end: port.end_port,
            protocol: names.text(&port.protocol),
        });
        Allowed { peers: peers.map(|peer| peer.slim(names)).collect(), ports: ports.collect() }
    }
}

impl PeerWire {
    fn slim(self, names: &Names) -> Peer {
        let pods = self.pod_selector.map(|selector| selector.slim(names));
        if let Some(block) = self.ip_block {
            return Peer::Addresses(names.text(&block.cidr));
        }
        match (self.namespace_selector, pods) {
            (Some(namespaces), pods) => Peer::There { namespaces: namespaces.slim(names), pods },
            (None, Some(pods)) => Peer::Here(pods),
            (None, None) => Peer::Here(SelectorWire::default().slim(names)),
        }
    }
}

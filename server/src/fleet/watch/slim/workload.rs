//! Deployments, stateful sets and daemon sets: how many pods there should be and are, and what is said of it.

use serde::Deserialize;

use super::{Condition, ConditionWire, Meta, MetaWire, SelectorWire, Slim};
use crate::fleet::watch::{
    kind::Kind,
    names::{Labels, Name, Names},
};

#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    pub meta: Meta,
    pub kind: Kind,
    pub desired: i32,
    pub ready: i32,
    pub available: i32,
    pub updated: i32,
    pub paused: bool,
    /// Whether the controller has seen the newest wish.
    pub observed: bool,
    pub selector: Selector,
    pub images: Box<[Name]>,
    pub service_account: Name,
    pub conditions: Box<[Condition]>,
}

/// A key, an operator and its values.
pub type Expression = (Name, Name, Box<[Name]>);

/// Which objects are meant, by their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    pub labels: Labels,
    pub expressions: Box<[Expression]>,
}

impl Selector {
    /// An empty selector means everything.
    pub fn matches(&self, labels: &Labels) -> bool {
        let of = |key: &Name| {
            labels.binary_search_by(|(held, _)| held.cmp(key)).ok().map(|at| &labels[at].1)
        };
        self.labels.iter().all(|(key, value)| of(key) == Some(value))
            && self.expressions.iter().all(|(key, operator, values)| match &**operator {
                "In" => of(key).is_some_and(|value| values.contains(value)),
                "NotIn" => of(key).is_none_or(|value| !values.contains(value)),
                "Exists" => of(key).is_some(),
                "DoesNotExist" => of(key).is_none(),
                // One that we do not know is not guessed at.
                _ => false,
            })
    }

    pub fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.expressions.is_empty()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct WorkloadWire {
    metadata: MetaWire,
    spec: SpecWire,
    status: StatusWire,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SpecWire {
    replicas: Option<i32>,
    paused: bool,
    selector: SelectorWire,
    template: TemplateWire,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TemplateWire {
    spec: PodSpecWire,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpecWire {
    containers: Vec<ContainerWire>,
    service_account_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerWire {
    image: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StatusWire {
    observed_generation: i64,
    ready_replicas: i32,
    available_replicas: i32,
    updated_replicas: i32,
    // A daemon set's own words.
    desired_number_scheduled: i32,
    number_ready: i32,
    number_available: i32,
    updated_number_scheduled: i32,
    conditions: Vec<ConditionWire>,
}

impl Slim for Workload {
    type Wire = WorkloadWire;

    fn version(wire: &WorkloadWire) -> &str {
        &wire.metadata.resource_version
    }

    fn slim(kind: Kind, wire: WorkloadWire, names: &Names) -> Self {
        let WorkloadWire { metadata, spec, status } = wire;
        let per_node = kind == Kind::DaemonSets;
        let pod = spec.template.spec;
        Self {
            observed: metadata.generation <= status.observed_generation,
            meta: metadata.slim(names),
            kind,
            desired: if per_node {
                status.desired_number_scheduled
            } else {
                spec.replicas.unwrap_or(1)
            },
            ready: if per_node { status.number_ready } else { status.ready_replicas },
            available: if per_node { status.number_available } else { status.available_replicas },
            updated: if per_node {
                status.updated_number_scheduled
            } else {
                status.updated_replicas
            },
            paused: spec.paused,
            selector: spec.selector.slim(names),
            images: pod.containers.iter().map(|container| names.text(&container.image)).collect(),
            service_account: names.text(&pod.service_account_name),
            conditions: ConditionWire::all(status.conditions, names),
        }
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }
}

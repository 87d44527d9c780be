//! What we hold of each object: what is shown or checked, and no more. A whole `Pod` is 2.4 kB before its first
//! string; ours is a few hundred bytes with all of them.
//!
//! Each kind is read from the API's own JSON into a short-lived `…Wire` of the fields we want (serde skips the rest
//! without keeping it), and from there into its slim type, with what others share taken from [`Names`].

mod event;
mod job;
mod meta;
mod namespace;
mod node;
mod pod;
mod pod_wire;
mod policy;
mod service;
mod storage;
mod workload;

use serde::de::DeserializeOwned;

pub(super) use self::meta::{ConditionWire, MetaWire, SelectorWire};
pub use self::{
    event::Event,
    job::{CronJob, Job},
    meta::{Condition, Meta, Owner},
    namespace::Namespace,
    node::{Node, Taint},
    pod::{
        Container, ContainerSpec, ContainerState, Ended, Phase, Pod, PortSpec, Probe, Reference,
        ReferenceKind, Template, Toleration, Unready,
    },
    policy::{Allowed, NetworkPolicy, Peer, PolicyPort},
    service::{EndpointSlice, Service, ServicePort},
    storage::Claim,
    workload::{Selector, Workload},
};
use super::{kind::Kind, names::Names};

/// A kind of object that can be watched.
pub trait Slim: PartialEq + Send + Sync + Sized + 'static {
    /// The fields that are read.
    type Wire: DeserializeOwned + Send;

    fn slim(kind: Kind, wire: Self::Wire, names: &Names) -> Self;

    /// The version of the object, as the API wants it back; for equality alone, never for order.
    fn version(wire: &Self::Wire) -> &str;

    fn meta(&self) -> &Meta;
}

/// A text that only this object has; none when it is empty.
fn own(text: Option<String>) -> Option<Box<str>> {
    text.filter(|text| !text.is_empty()).map(|text| cut(text).into_boxed_str())
}

/// Longer messages say no more; an event's is at most 1 kB anyhow.
const LONGEST: usize = 1_024;

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

//! An event: what a component said about an object, how often, and when last.

use app::time::Micros;
use serde::Deserialize;

use super::{Meta, MetaWire, Slim, own};
use crate::fleet::watch::{
    kind::Kind,
    names::{Name, Names},
};

#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub meta: Meta,
    pub warning: bool,
    /// The object that it is about; its namespace is the event's own.
    pub about_kind: Name,
    pub about: Name,
    pub reason: Name,
    pub message: Box<str>,
    pub source: Name,
    pub count: u32,
    pub first: Micros,
    pub last: Micros,
}

impl Event {
    pub fn is_about(&self, kind: &str, namespace: &str, name: &str) -> bool {
        &*self.about == name && &*self.about_kind == kind && &*self.meta.namespace == namespace
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EventWire {
    metadata: MetaWire,
    #[serde(rename = "type")]
    severity: String,
    involved_object: AboutWire,
    reason: String,
    message: Option<String>,
    source: SourceWire,
    reporting_component: String,
    count: Option<u32>,
    first_timestamp: Option<Micros>,
    last_timestamp: Option<Micros>,
    event_time: Option<Micros>,
    series: Option<SeriesWire>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AboutWire {
    kind: String,
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SourceWire {
    component: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SeriesWire {
    count: u32,
    last_observed_time: Option<Micros>,
}

impl Slim for Event {
    type Wire = EventWire;

    fn version(wire: &EventWire) -> &str {
        &wire.metadata.resource_version
    }

    fn slim(_: Kind, wire: EventWire, names: &Names) -> Self {
        let meta = wire.metadata.slim(names);
        let series = wire.series.unwrap_or_default();
        let first = wire.first_timestamp.or(wire.event_time).unwrap_or(meta.created);
        // The newer API tells the last time in the series only.
        let last = series.last_observed_time.or(wire.last_timestamp).unwrap_or(first);
        let source = match wire.source.component {
            component if component.is_empty() => wire.reporting_component,
            component => component,
        };
        Self {
            meta,
            warning: wire.severity == "Warning",
            about_kind: names.text(&wire.involved_object.kind),
            about: names.text(&wire.involved_object.name),
            reason: names.text(&wire.reason),
            message: own(wire.message).unwrap_or_default(),
            source: names.text(&source),
            count: wire.count.unwrap_or(0).max(series.count).max(1),
            first,
            last,
        }
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }
}

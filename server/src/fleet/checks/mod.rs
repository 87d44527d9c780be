//! What is wrong in a cluster, found by rules over what the API says: pure functions, each with its evidence.
//!
//! Each family is a file: it looks at [`Facts`] and adds what it finds. What cannot be known from the API is not said;
//! a rule that would have to guess is no rule. Findings of the same cause at the same workload are one.

pub mod config;
mod crash;
mod facts;
mod identity;
mod image;
mod nodes;
mod policy;
mod probes;
mod scheduling;
mod services;
mod storage;
#[cfg(test)]
mod tests;
mod workloads;

use std::collections::HashMap;

use app::fleet::watched::{Cause, Evidence, Finding, Severity};

pub use self::facts::{Facts, KINDS};
use crate::fleet::watch::slim::{Event, Meta, Pod};

/// The families, in the order in which a cause explains another: what a container lacks before that it crashes.
const FAMILIES: &[fn(&Facts, &mut Findings)] = &[
    nodes::check,
    image::check,
    config::check,
    crash::check,
    probes::check,
    scheduling::check,
    storage::check,
    services::check,
    policy::check,
    identity::check,
    workloads::check,
];

/// All that is found, the worst first.
pub fn all(facts: &Facts) -> Vec<Finding> {
    let mut findings = Findings::default();
    for check in FAMILIES {
        check(facts, &mut findings);
    }
    findings.sorted()
}

/// What was found so far.
#[derive(Default)]
pub struct Findings {
    all: Vec<Finding>,
    known: HashMap<(Cause, String, String, String), usize>,
}

impl Findings {
    fn add(&mut self, finding: Finding) {
        let key = (
            finding.cause,
            finding.kind.clone(),
            finding.namespace.clone().unwrap_or_default(),
            finding.name.clone(),
        );
        let Some(at) = self.known.get(&key) else {
            self.known.insert(key, self.all.len());
            self.all.push(finding);
            return;
        };
        let held = &mut self.all[*at];
        held.pods += finding.pods;
        held.severity = held.severity.min(finding.severity);
        held.since = match (held.since, finding.since) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    /// Whether something is said of this object already.
    fn has(&self, kind: &str, namespace: &str, name: &str) -> bool {
        self.all.iter().any(|finding| {
            finding.kind == kind
                && finding.name == name
                && finding.namespace.as_deref().unwrap_or_default() == namespace
                && finding.severity != Severity::Notice
        })
    }

    fn sorted(mut self) -> Vec<Finding> {
        self.all.sort_by(|one, other| {
            let order = |f: &Finding| (f.severity, f.cause);
            order(one).cmp(&order(other)).then_with(|| one.title().cmp(&other.title()))
        });
        self.all
    }
}

/// A finding about an object itself.
fn about(cause: Cause, severity: Severity, kind: &str, meta: &Meta) -> Finding {
    Finding {
        cause,
        severity,
        kind: kind.to_owned(),
        namespace: Some(meta.namespace.to_string()).filter(|namespace| !namespace.is_empty()),
        name: meta.name.to_string(),
        pods: 0,
        says: String::new(),
        evidence: Vec::new(),
        next: String::new(),
        since: None,
    }
}

/// A finding about a pod, told of what people know it by.
fn about_pod(cause: Cause, severity: Severity, pod: &Pod) -> Finding {
    let mut finding = about(cause, severity, "Pod", &pod.meta);
    finding.pods = 1;
    if let Some((kind, name)) = pod.workload() {
        kind.clone_into(&mut finding.kind);
        name.clone_into(&mut finding.name);
        finding.evidence.push(Evidence {
            source: "pod".to_owned(),
            value: pod.meta.name.to_string(),
            at: None,
        });
    }
    finding
}

/// Putting a finding together.
trait Tell: Sized {
    fn says(self, sentence: impl Into<String>) -> Self;
    fn next(self, step: impl Into<String>) -> Self;
    fn since(self, at: app::time::Micros) -> Self;
    fn field(self, source: impl Into<String>, value: impl Into<String>) -> Self;
    fn at(self, source: impl Into<String>, value: impl Into<String>, at: app::time::Micros)
    -> Self;
    fn event(self, event: Option<&std::sync::Arc<Event>>) -> Self;
}

impl Tell for Finding {
    fn says(mut self, sentence: impl Into<String>) -> Self {
        self.says = sentence.into();
        self
    }

    fn next(mut self, step: impl Into<String>) -> Self {
        self.next = step.into();
        self
    }

    fn since(mut self, at: app::time::Micros) -> Self {
        self.since = (at.0 > 0).then_some(at);
        self
    }

    fn field(mut self, source: impl Into<String>, value: impl Into<String>) -> Self {
        let (source, value) = (source.into(), value.into());
        if !value.is_empty() {
            self.evidence.push(Evidence { source, value, at: None });
        }
        self
    }

    fn at(
        mut self,
        source: impl Into<String>,
        value: impl Into<String>,
        at: app::time::Micros,
    ) -> Self {
        let at = (at.0 > 0).then_some(at);
        self.evidence.push(Evidence { source: source.into(), value: value.into(), at });
        self
    }

    fn event(mut self, event: Option<&std::sync::Arc<Event>>) -> Self {
        if let Some(event) = event {
            let times =
                if event.count > 1 { format!(" ({} times)", event.count) } else { String::new() };
            self.evidence.push(Evidence {
                source: format!("event {}", event.reason),
                value: format!("{}{times}", event.message),
                at: Some(event.last),
            });
        }
        self
    }
}

/// The text between two others, if it is there.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

/// `app=web, tier=front`.
fn spelled(
    labels: &[(crate::fleet::watch::names::Name, crate::fleet::watch::names::Name)],
) -> String {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(", ")
}

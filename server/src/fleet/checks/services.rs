//! Services that lead nowhere: their selector finds no pod, or their port is none of the pods'.

use std::{collections::BTreeSet, sync::Arc};

use app::fleet::watched::{Cause, Finding, Severity};

use super::{Facts, Findings, Tell as _, about, spelled};
use crate::fleet::watch::{
    names::Labels,
    slim::{Pod, Service, ServicePort},
};

pub(super) fn check(facts: &Facts, findings: &mut Findings) {
    for service in &facts.services {
        let Some(selector) = &service.selector else { continue };
        // Without all pods, that none fits cannot be said.
        let Some(pods) = facts.pods_of(&service.meta.namespace) else { continue };
        let live = || pods.iter().filter(|pod| !pod.is_over() && pod.meta.deleting.is_none());
        let chosen: Vec<&Arc<Pod>> =
            live().filter(|pod| fits(selector, &pod.meta.labels)).collect();
        if chosen.is_empty() {
            if let Some(finding) = nobody(service, selector, live(), facts) {
                findings.add(finding);
            }
            continue;
        }
        for port in &service.ports {
            if let Some(finding) = wrong_port(service, port, &chosen) {
                findings.add(finding);
            }
        }
    }
}

fn fits(selector: &Labels, labels: &Labels) -> bool {
    selector.iter().all(|pair| labels.binary_search(pair).is_ok())
}

/// Of pods that could have been meant, those share most of the selector; where none shares anything, or a workload of
/// zero pods fits, nothing says that the selector is wrong.
fn nobody<'a>(
    service: &Service,
    selector: &Labels,
    pods: impl Iterator<Item = &'a Arc<Pod>>,
    facts: &Facts,
) -> Option<Finding> {
    let asleep = facts.workloads.iter().any(|workload| {
        workload.meta.namespace == service.meta.namespace
            && selector.iter().all(|pair| workload.selector.labels.binary_search(pair).is_ok())
    });
    if asleep {
        return None;
    }
    let near: BTreeSet<String> = pods
        .filter_map(|pod| {
            let same: Vec<_> = selector
                .iter()
                .filter_map(|(key, _)| {
                    pod.meta.label(key).map(|value| (Arc::clone(key), Arc::clone(value)))
                })
                .collect();
            (!same.is_empty()).then(|| spelled(&same))
        })
        .take(1_000)
        .collect();
    let (severity, carry) = if near.is_empty() {
        (Severity::Warning, "no pod of the namespace has such labels".to_owned())
    } else {
        let shown: Vec<&str> = near.iter().take(4).map(String::as_str).collect();
        (Severity::Bad, shown.join("; "))
    };
    Some(
        about(Cause::SelectorMismatch, severity, "Service", &service.meta)
            .says(format!(
                "This service has no endpoints: its selector {} fits no pod of {}.",
                spelled(selector),
                service.meta.namespace
            ))
            .field("spec.selector", spelled(selector))
            .field("pods carry", carry)
            .next("Make the selector and the labels of the pods say the same.")
            .since(service.meta.created),
    )
}

/// Containers need not declare what they listen on, so a number that none declares is worth a word only where all the
/// pods declare others; a name that none declares leads nowhere for certain.
fn wrong_port(service: &Service, port: &ServicePort, pods: &[&Arc<Pod>]) -> Option<Finding> {
    let declared = || {
        pods.iter()
            .flat_map(|pod| pod.template.containers.iter().chain(&pod.template.init))
            .flat_map(|container| &container.ports)
            .filter(|declared| declared.protocol == port.protocol || declared.protocol.is_empty())
    };
    let numbers: BTreeSet<u16> = declared().map(|declared| declared.port).collect();
    let names: BTreeSet<&str> = declared().map(|declared| &*declared.name).collect();
    let (severity, certain) = match port.target.parse::<u16>() {
        Ok(target) if numbers.is_empty() || numbers.contains(&target) => return None,
        Ok(_) => (Severity::Warning, false),
        Err(_) if names.contains(&*port.target) => return None,
        Err(_) => (Severity::Bad, true),
    };
    let all: Vec<String> = numbers.iter().map(u16::to_string).collect();
    let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
    let says = if certain {
        format!(
            "Port {} of this service leads nowhere: no pod behind it has a port named {}.",
            port.port, port.target
        )
    } else {
        format!(
            "Port {} of this service goes to {} of its pods, which declare {all} and not {}.",
            port.port, port.target, port.target
        )
    };
    Some(
        about(Cause::PortMismatch, severity, "Service", &service.meta)
            .says(says)
            .field("spec.ports.targetPort", &*port.target)
            .field("ports that the pods declare", all)
            .field("a pod behind it", &*pods[0].meta.name)
            .next("Set targetPort to the port on which the program listens.")
            .since(service.meta.created),
    )
}

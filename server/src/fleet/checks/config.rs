//! Config maps, secrets and keys that a pod wants and that are not there. A secret is never read: the kubelet says in
//! the pod's own status what it missed.

use app::fleet::watched::{Cause, Finding, Severity};

use super::{Facts, Findings, Tell as _, about_pod, between, image::told_as};
use crate::fleet::watch::slim::{ContainerState, Pod, ReferenceKind};

pub(super) fn check(facts: &Facts, findings: &mut Findings) {
    for pod in facts.live_pods() {
        let waiting =
            pod.init.iter().chain(&pod.containers).find_map(|container| match &container.state {
                ContainerState::Waiting { reason, message }
                    if &**reason == "CreateContainerConfigError" =>
                {
                    Some((container, message.as_deref().unwrap_or_default()))
                }
                _ => None,
            });
        if let Some((container, message)) = waiting {
            let source = format!("status.containers[{}].waiting", container.name);
            let told = told_as("CreateContainerConfigError", message);
            findings.add(missing(pod, message).field(source, told).since(pod.meta.created));
            continue;
        }
        mount(facts, findings, pod);
    }
}

/// What the kubelet says when it mounts volumes is an event alone.
fn mount(facts: &Facts, findings: &mut Findings, pod: &Pod) {
    let begun = pod.containers.iter().any(|container| {
        !matches!(&container.state, ContainerState::Waiting { .. } | ContainerState::Unknown)
    });
    if begun || pod.node.is_none() {
        return;
    }
    let event = facts
        .event_of_pod(pod, |event| matches!(&*event.reason, "FailedMount" | "FailedAttachVolume"));
    if let Some(told) = event {
        findings.add(missing(pod, &told.message).event(event).since(told.first));
    }
}

/// What the kubelet's words say is missing; of other words only that it did not work.
fn missing(pod: &Pod, message: &str) -> Finding {
    let namespace = &pod.meta.namespace;
    if let Some(key) = between(message, "couldn't find key ", " in ") {
        let holder = message.rsplit(" in ").next().unwrap_or_default();
        let (kind, name) = holder.split_once(' ').unwrap_or(("", holder));
        let name = name.rsplit('/').next().unwrap_or(name);
        let kind = if kind == "Secret" { ReferenceKind::Secret } else { ReferenceKind::ConfigMap };
        return about_pod(Cause::KeyMissing, Severity::Bad, pod)
            .says(format!(
                "A container does not start: {} {name} in {namespace} has no key {key}.",
                kind.as_str()
            ))
            .next(format!("Add the key {key} to it, or correct the key that the pod asks for."));
    }
    let cases = [
        ("configmap \"", ReferenceKind::ConfigMap, Cause::ConfigMapMissing),
        ("secret \"", ReferenceKind::Secret, Cause::SecretMissing),
    ];
    for (before, kind, cause) in cases {
        if message.contains("not found")
            && let Some(name) = between(message, before, "\"")
        {
            let name = name.rsplit('/').next().unwrap_or(name);
            return about_pod(cause, Severity::Bad, pod)
                .says(format!(
                    "A container does not start: there is no {} {name} in {namespace}.",
                    kind.as_str()
                ))
                .next(format!(
                    "Create it in {namespace}, or correct the name that the pod asks for."
                ));
        }
    }
    let cause = Cause::MountFailed;
    about_pod(cause, Severity::Bad, pod)
        .says("The pod does not start: what it is configured with cannot be brought into it.")
        .next("The kubelet's own words below say what it missed.")
}

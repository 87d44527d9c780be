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

/// What a kubelet says it missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed<'a> {
    pub kind: ReferenceKind,
    pub name: &'a str,
    /// Of it; all of it is missing when there is none.
    pub key: Option<&'a str>,
}

/// Reads a kubelet's words; none when they say something else.
pub fn missed(message: &str) -> Option<Missed<'_>> {
    if let Some(key) = between(message, "couldn't find key ", " in ") {
        let (_, holder) = message.split_once(" in ")?;
        let (kind, name) = holder.split_once(' ').unwrap_or(("", holder));
        // An event says behind it how often it was said.
        let name = name.split(' ').next().unwrap_or(name);
        let name = name.rsplit('/').next().unwrap_or(name);
        let kind = if kind == "Secret" { ReferenceKind::Secret } else { ReferenceKind::ConfigMap };
        return Some(Missed { kind, name, key: Some(key) });
    }
    if !message.contains("not found") {
        return None;
    }
    let kinds = [("configmap \"", ReferenceKind::ConfigMap), ("secret \"", ReferenceKind::Secret)];
    kinds.into_iter().find_map(|(before, kind)| {
        let name = between(message, before, "\"")?;
        Some(Missed { kind, name: name.rsplit('/').next().unwrap_or(name), key: None })
    })
}

/// What the kubelet's words say is missing; of other words only that it did not work.
fn missing(pod: &Pod, message: &str) -> Finding {
    let namespace = &pod.meta.namespace;
    let Some(Missed { kind, name, key }) = missed(message) else {
        return about_pod(Cause::MountFailed, Severity::Bad, pod)
            .says("The pod does not start: what it is configured with cannot be brought into it.")
            .next("The kubelet's own words below say what it missed.");
    };
    let what = kind.as_str();
    if let Some(key) = key {
        return about_pod(Cause::KeyMissing, Severity::Bad, pod)
            .says(format!(
                "A container does not start: {what} {name} in {namespace} has no key {key}."
            ))
            .next(format!("Add the key {key} to it, or correct the key that the pod asks for."));
    }
    let cause = match kind {
        ReferenceKind::ConfigMap => Cause::ConfigMapMissing,
        ReferenceKind::Secret | ReferenceKind::Claim => Cause::SecretMissing,
    };
    about_pod(cause, Severity::Bad, pod)
        .says(format!("A container does not start: there is no {what} {name} in {namespace}."))
        .next(format!("Create it in {namespace}, or correct the name that the pod asks for."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubelets_words_name_what_it_missed() {
        let map = |name, key| Some(Missed { kind: ReferenceKind::ConfigMap, name, key });
        let secret = |name, key| Some(Missed { kind: ReferenceKind::Secret, name, key });
        for (words, wanted) in [
            ("configmap \"app\" not found", map("app", None)),
            (
                "MountVolume.SetUp failed for volume \"v\" : configmap \"shop/app\" not found (3 times)",
                map("app", None),
            ),
            ("couldn't find key level in ConfigMap shop/app", map("app", Some("level"))),
            ("couldn't find key level in ConfigMap shop/app (2 times)", map("app", Some("level"))),
            ("couldn't find key api-key in Secret shop/api", secret("api", Some("api-key"))),
            ("secret \"api\" not found", secret("api", None)),
            ("configmap references non-existent config key: level", None),
            ("", None),
        ] {
            assert_eq!(missed(words), wanted, "{words}");
        }
    }
}

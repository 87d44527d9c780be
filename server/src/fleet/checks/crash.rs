//! Containers that end when they should not: crash loops, memory, and what runs before the others.

use app::fleet::watched::{Cause, Finding, Severity};
use app::time::Micros;

use super::{Facts, Findings, Tell as _, about_pod};
use crate::fleet::watch::slim::{Container, ContainerState, Ended, Pod};

pub(super) fn check(facts: &Facts, findings: &mut Findings) {
    for pod in facts.pods.iter().flatten().filter(|pod| pod.meta.deleting.is_none()) {
        if pod.reason.as_deref() == Some("Evicted") {
            findings.add(evicted(pod));
            continue;
        }
        for container in &pod.init {
            if let Some(finding) = init(facts, pod, container) {
                findings.add(finding);
            }
        }
        for container in &pod.containers {
            if let Some(finding) = main(facts, pod, container) {
                findings.add(finding);
            }
        }
    }
}

/// A kubelet that takes memory back says so in the reason; an exit code alone could be anybody's signal.
fn is_out_of_memory(ended: &Ended) -> bool {
    &*ended.reason == "OOMKilled"
}

fn ended(container: &Container) -> Option<&Ended> {
    match &container.state {
        ContainerState::Ended(ended) => Some(ended),
        _ => container.last.as_deref(),
    }
}

fn waits_to_start_again(container: &Container) -> bool {
    matches!(&container.state, ContainerState::Waiting { reason, .. } if &**reason == "CrashLoopBackOff")
}

fn main(facts: &Facts, pod: &Pod, container: &Container) -> Option<Finding> {
    let ended = ended(container)?;
    let again = waits_to_start_again(container);
    if is_out_of_memory(ended) && (again || is_recent(facts, ended) || !is_running(container)) {
        return Some(out_of_memory(pod, container, ended));
    }
    // A pod that runs to its end has its job to speak for it.
    if !again {
        return None;
    }
    let name = &container.name;
    let how = how_it_ended(ended);
    Some(
        about_pod(Cause::CrashLoop, Severity::Bad, pod)
            .says(format!(
                "Container {name} {how}, and again after each start: {} restarts so far.",
                container.restarts
            ))
            .at(format!("status.containers[{name}].lastState"), described(ended), ended.finished)
            .field(
                format!("status.containers[{name}].restartCount"),
                container.restarts.to_string(),
            )
            .field(
                format!("status.containers[{name}].message"),
                ended.message.as_deref().unwrap_or_default(),
            )
            .event(facts.event_of_pod(pod, |event| &*event.reason == "BackOff"))
            .next("Read the log of its last start: the program says there why it gave up.")
            .since(pod.meta.created),
    )
}

fn is_running(container: &Container) -> bool {
    matches!(container.state, ContainerState::Running { .. })
}

/// A container that was killed for memory and runs again is worth a word for an hour.
fn is_recent(facts: &Facts, ended: &Ended) -> bool {
    facts.now.since(ended.finished) < 3_600 * Micros::SECOND
}

fn out_of_memory(pod: &Pod, container: &Container, ended: &Ended) -> Finding {
    let name = &container.name;
    let spec = pod.template.containers.iter().find(|spec| spec.name == *name);
    let limit = spec.and_then(|spec| {
        spec.limits.iter().find(|(resource, _)| &**resource == "memory").map(|(_, limit)| limit)
    });
    let (says, next) = match limit {
        Some(limit) => (
            format!(
                "Container {name} needs more memory than its limit of {limit}, and is killed for it."
            ),
            "Raise the memory limit, or find what fills the memory.",
        ),
        None => (
            format!(
                "Container {name} was killed because memory ran out; it has no limit of its own."
            ),
            "Look at the node's memory, and give the container a request and a limit.",
        ),
    };
    let severity = if is_running(container) { Severity::Warning } else { Severity::Bad };
    about_pod(Cause::OutOfMemory, severity, pod)
        .says(says)
        .at(format!("status.containers[{name}].lastState"), described(ended), ended.finished)
        .field(
            format!("spec.containers[{name}].resources.limits.memory"),
            limit.map_or("none", |limit| limit),
        )
        .field(format!("status.containers[{name}].restartCount"), container.restarts.to_string())
        .next(next)
        .since(ended.finished)
}

fn init(facts: &Facts, pod: &Pod, container: &Container) -> Option<Finding> {
    let ended = ended(container)?;
    if ended.exit_code == 0 || pod.is_over() {
        return None;
    }
    if is_running(container) && container.restarts < 2 {
        return None;
    }
    let name = &container.name;
    Some(
        about_pod(Cause::InitFailed, Severity::Bad, pod)
            .says(format!(
                "The pod does not begin: its init container {name} {}, {} restarts so far.",
                how_it_ended(ended),
                container.restarts
            ))
            .at(
                format!("status.initContainers[{name}].lastState"),
                described(ended),
                ended.finished,
            )
            .field(
                format!("status.initContainers[{name}].message"),
                ended.message.as_deref().unwrap_or_default(),
            )
            .event(facts.event_of_pod(pod, |event| &*event.reason == "BackOff"))
            .next(format!(
                "Read the log of {name}: what it waits for or prepares did not come about."
            ))
            .since(pod.meta.created),
    )
}

fn evicted(pod: &Pod) -> Finding {
    about_pod(Cause::Evicted, Severity::Warning, pod)
        .says("The kubelet put this pod off its node to save the node.")
        .field("status.message", pod.message.as_deref().unwrap_or_default())
        .field("spec.nodeName", pod.node.as_deref().unwrap_or_default())
        .next("The message says what ran short; look at that node, and give the pods requests that fit.")
        .since(pod.meta.created)
}

fn how_it_ended(ended: &Ended) -> String {
    let ran = ended.finished.since(ended.started) / Micros::SECOND;
    let after = if (0..600).contains(&ran) { format!(" after {ran} s") } else { String::new() };
    match ended.signal {
        Some(signal) if signal > 0 => format!("was ended by signal {signal}{after}"),
        _ => format!("ended with exit code {}{after}", ended.exit_code),
    }
}

fn described(ended: &Ended) -> String {
    format!("{}, exit code {}", ended.reason, ended.exit_code)
}

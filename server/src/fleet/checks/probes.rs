//! Probes: a container that runs and is not taken as ready, and one that is started again because it does not answer.

use app::fleet::watched::{Cause, Finding, Severity};
use app::time::Micros;

use super::{Facts, Findings, Tell as _, about_pod};
use crate::fleet::watch::slim::{Container, ContainerSpec, ContainerState, Pod, Probe};

/// A container that has just begun may take so long to be ready without a word about it.
const PATIENCE: i64 = 60 * Micros::SECOND;
/// What the kubelet said longer ago says nothing about now.
const RECENT: i64 = 15 * 60 * Micros::SECOND;

pub(super) fn check(facts: &Facts, findings: &mut Findings) {
    for pod in facts.live_pods() {
        for container in &pod.containers {
            let spec = pod.template.containers.iter().find(|spec| spec.name == container.name);
            let Some(spec) = spec else { continue };
            if let Some(finding) = liveness(facts, pod, container, spec) {
                findings.add(finding);
            } else if let Some(finding) = readiness(facts, pod, container, spec) {
                findings.add(finding);
            }
        }
    }
}

fn liveness(
    facts: &Facts,
    pod: &Pod,
    container: &Container,
    spec: &ContainerSpec,
) -> Option<Finding> {
    let probe = spec.liveness.as_ref()?;
    let event = facts.event_of_pod(pod, |event| {
        &*event.reason == "Unhealthy"
            && event.message.starts_with("Liveness probe")
            && facts.now.since(event.last) < RECENT
    })?;
    if container.restarts == 0 {
        return None;
    }
    let name = &container.name;
    Some(
        about_pod(Cause::LivenessFails, Severity::Bad, pod)
            .says(format!(
                "Container {name} is started again and again: its liveness probe ({}) fails; {} restarts so far.",
                probe.asks, container.restarts
            ))
            .field(format!("spec.containers[{name}].livenessProbe"), spelled(probe))
            .field(format!("status.containers[{name}].restartCount"), container.restarts.to_string())
            .event(Some(event))
            .next("Check that the probe asks the path and port that the program answers at, and gives it time to begin.")
            .since(event.first),
    )
}

fn readiness(
    facts: &Facts,
    pod: &Pod,
    container: &Container,
    spec: &ContainerSpec,
) -> Option<Finding> {
    let ContainerState::Running { since } = &container.state else { return None };
    let probe = spec.readiness.as_ref()?;
    if container.ready {
        return None;
    }
    let event = facts.event_of_pod(pod, |event| {
        &*event.reason == "Unhealthy"
            && event.message.starts_with("Readiness probe")
            && event.last >= *since
    });
    if event.is_none() && facts.now.since(*since) < PATIENCE {
        return None;
    }
    let name = &container.name;
    let unready = pod.unready("Ready");
    let since = unready.map_or(*since, |condition| condition.since);
    Some(
        about_pod(Cause::NotReady, Severity::Bad, pod)
            .says(format!(
                "Container {name} runs, but its readiness probe ({}) does not pass, so no traffic reaches it.",
                probe.asks
            ))
            .field(format!("spec.containers[{name}].readinessProbe"), spelled(probe))
            .field(format!("status.containers[{name}].ready"), "false")
            .event(event)
            .next("Check that the probe asks the path and port that the program answers at, and what the program waits for.")
            .since(since),
    )
}

fn spelled(probe: &Probe) -> String {
    format!("{}, every {} s, {} failures count", probe.asks, probe.period_s, probe.failures)
}

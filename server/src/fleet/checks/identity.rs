//! Service accounts that are not there, and requests that RBAC forbids, where a program or a controller has said so.
//! What a program was refused and kept to itself stands in no field of the API, and is not said here.

use app::fleet::watched::{Cause, Finding, Severity};
use app::time::Micros;

use super::{Facts, Findings, Tell as _, about, about_pod, between};
use crate::fleet::watch::slim::{Event, Meta, Pod};

/// What was refused longer ago may have been put right.
const RECENT: i64 = 60 * 60 * Micros::SECOND;

pub(super) fn check(facts: &Facts, findings: &mut Findings) {
    let mut told = std::collections::HashSet::new();
    for workload in &facts.workloads {
        let failure = workload
            .conditions
            .iter()
            .find(|condition| &*condition.kind == "ReplicaFailure" && &*condition.status == "True");
        let Some(failure) = failure else { continue };
        let kind = super::workloads::kind(workload);
        let source = "status.conditions[ReplicaFailure]";
        let named = &workload.meta;
        told.insert((named.namespace.to_string(), named.name.to_string()));
        let finding =
            not_created(about(Cause::CreateFailed, Severity::Bad, kind, named), &failure.message)
                .at(source, &*failure.message, failure.since)
                .since(failure.since);
        findings.add(finding);
    }
    // Stateful sets, daemon sets and jobs say it in an event alone.
    for event in facts.events().filter(|event| &*event.reason == "FailedCreate") {
        if facts.now.since(event.last) < RECENT && still_lacks_pods(facts, event) {
            let mut finding =
                about(Cause::CreateFailed, Severity::Bad, &event.about_kind, &event.meta);
            finding.name = event.about.to_string();
            let finding =
                not_created(finding, &event.message).event(Some(event)).since(event.first);
            findings.add(finding);
        }
    }
    for pod in facts.live_pods() {
        if let Some(finding) = refused(pod) {
            findings.add(finding);
        }
    }
}

/// Whether what could not make its pods is still without them: an event outlives its cause.
fn still_lacks_pods(facts: &Facts, event: &Event) -> bool {
    let is = |meta: &Meta| meta.namespace == event.meta.namespace && meta.name == event.about;
    match &*event.about_kind {
        "Job" => facts.jobs.iter().any(|job| {
            is(&job.meta) && job.active == 0 && job.succeeded == 0 && job.finished.is_none()
        }),
        kind @ ("StatefulSet" | "DaemonSet") => facts.workloads.iter().any(|workload| {
            super::workloads::kind(workload) == kind
                && is(&workload.meta)
                && workload.ready < workload.desired
        }),
        _ => false,
    }
}

fn not_created(mut finding: Finding, message: &str) -> Finding {
    let account =
        between(message, "serviceaccount \"", "\"").filter(|_| message.contains("not found"));
    let Some(account) = account else {
        return finding.says("No pod is made: the API server refuses to create it.").next(
            "Its own words below say why: a quota, a policy, or a field that it does not take.",
        );
    };
    let namespace = finding.namespace.clone().unwrap_or_default();
    finding.cause = Cause::ServiceAccountMissing;
    finding
        .says(format!("No pod is made: there is no service account {account} in {namespace}."))
        .field("spec.serviceAccountName", account)
        .next(format!("Create the service account {account}, or name one that exists."))
}

/// The API server's words, where a program ended with them as its last.
fn refused(pod: &Pod) -> Option<Finding> {
    pod.containers.iter().chain(&pod.init).find_map(|container| {
        use crate::fleet::watch::slim::ContainerState;
        let ended = match &container.state {
            ContainerState::Ended(ended) => Some(ended),
            _ => container.last.as_ref(),
        }?;
        let message = ended.message.as_deref()?;
        let who = between(message, "User \"system:serviceaccount:", "\"")?;
        let what = between(message, "cannot ", " in API group")?;
        let place = message.split("in the namespace \"").nth(1).and_then(|rest| rest.split('"').next());
        let (cause, place, next) = match place {
            Some(namespace) => (
                Cause::RoleForbids,
                format!("in namespace {namespace}"),
                format!("Bind a role that allows it in {namespace} to that service account."),
            ),
            None if message.contains("at the cluster scope") => (
                Cause::ClusterRoleForbids,
                "in the whole cluster".to_owned(),
                "Bind a cluster role that allows it with a ClusterRoleBinding; a RoleBinding counts in its namespace alone."
                    .to_owned(),
            ),
            None => return None,
        };
        let account = who.split_once(':').map_or(who, |(_, name)| name);
        Some(
            about_pod(cause, Severity::Bad, pod)
                .says(format!("Service account {account} may not {} {place}.", what.replace('"', "")))
                .at(format!("status.containers[{}].message", container.name), message, ended.finished)
                .field("spec.serviceAccountName", &*pod.template.service_account)
                .next(next)
                .since(ended.finished),
        )
    })
}

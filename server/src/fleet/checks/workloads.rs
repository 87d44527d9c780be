//! Workloads and jobs of which no pod says what is wrong: what their controllers say.

use app::fleet::watched::{Cause, Kind, Severity};

use super::{Facts, Findings, Tell as _, about};
use crate::fleet::watch::slim::Workload;

pub(super) const fn kind(workload: &Workload) -> &'static str {
    match workload.kind {
        Kind::StatefulSets => "StatefulSet",
        Kind::DaemonSets => "DaemonSet",
        _ => "Deployment",
    }
}

pub(super) fn check(facts: &Facts, findings: &mut Findings) {
    for workload in &facts.workloads {
        let stuck = workload.conditions.iter().find(|condition| {
            &*condition.kind == "Progressing" && &*condition.reason == "ProgressDeadlineExceeded"
        });
        let named = (kind(workload), &*workload.meta.namespace, &*workload.meta.name);
        // Its pods' own cause says more.
        let Some(stuck) = stuck.filter(|_| !findings.has(named.0, named.1, named.2)) else {
            continue;
        };
        findings.add(
            about(Cause::RolloutStuck, Severity::Bad, kind(workload), &workload.meta)
                .says(format!(
                    "The rollout does not go on: {} of {} pods are ready, {} of the newest.",
                    workload.ready, workload.desired, workload.updated
                ))
                .at("status.conditions[Progressing]", &*stuck.message, stuck.since)
                .next("Look at its newest pods and their events.")
                .since(stuck.since),
        );
    }
    for job in &facts.jobs {
        let Some(failure) = job.failure() else { continue };
        // Runs of a cron job come and go; the newest that failed speaks for it while it is kept.
        let mut finding = about(Cause::JobFailed, Severity::Warning, "Job", &job.meta);
        if let Some(owner) = &job.meta.owner {
            finding.kind = owner.kind.to_string();
            finding.name = owner.name.to_string();
            finding = finding.field("job", &*job.meta.name);
        }
        findings.add(
            finding
                .says(format!(
                    "It failed: {} of {} completions, {} pods failed.",
                    job.succeeded, job.completions, job.failed
                ))
                .at(
                    "status.conditions[Failed]",
                    format!("{}: {}", failure.reason, failure.message),
                    failure.since,
                )
                .next("Read the log of its last pod, while it is kept.")
                .since(failure.since),
        );
    }
}

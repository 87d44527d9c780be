//! Claims of volumes that nothing fulfils.

use app::fleet::watched::{Cause, Severity};
use app::time::Micros;

use super::{Facts, Findings, Tell as _, about, between};
use crate::fleet::watch::slim::{Claim, ReferenceKind};

/// A provisioner takes its time.
const PATIENCE: i64 = 120 * Micros::SECOND;

pub(super) fn check(facts: &Facts, findings: &mut Findings) {
    for claim in facts.claims.iter().flatten().filter(|claim| &*claim.phase == "Lost") {
        findings.add(
            about(Cause::ClaimUnbound, Severity::Bad, "PersistentVolumeClaim", &claim.meta)
                .says("The volume that this claim was bound to is gone.")
                .field("status.phase", "Lost")
                .field("spec.volumeName", claim.volume.as_deref().unwrap_or_default())
                .next("Restore the volume, or make the claim anew: its data are not in the cluster any more."),
        );
    }
    for claim in facts.claims.iter().flatten().filter(|claim| &*claim.phase == "Pending") {
        pending(facts, findings, claim);
    }
}

fn pending(facts: &Facts, findings: &mut Findings, claim: &Claim) {
    let (namespace, name) = (&claim.meta.namespace, &claim.meta.name);
    let said = |is: &dyn Fn(&str) -> bool| {
        facts.event("PersistentVolumeClaim", namespace, name, |event| is(&event.reason))
    };
    let failed = said(&|reason| matches!(reason, "ProvisioningFailed" | "FailedBinding"));
    // Such a class binds when a pod comes; who waits is then the pod, and only a scheduled one gets the volume.
    let waits_for_pod = said(&|reason| reason == "WaitForFirstConsumer").is_some();
    let old = facts.now.since(claim.meta.created) > PATIENCE;
    if failed.is_none() && (!old || waits_for_pod) {
        return;
    }
    let missing = failed
        .filter(|event| event.message.contains("not found"))
        .and_then(|event| between(&event.message, "storageclass.storage.k8s.io \"", "\""));
    let (says, next) = match (missing, &claim.class) {
        (Some(class), _) => (
            format!("This claim is not bound: there is no storage class {class}."),
            "Make that storage class, or name one that exists; a claim's class cannot be changed later.",
        ),
        (None, Some(class)) => (
            format!("This claim is not bound: storage class {class} has given no volume."),
            "Look at what the provisioner of that class says.",
        ),
        (None, None) => (
            "This claim is not bound: it names no storage class, and no volume fits.".to_owned(),
            "Name a storage class, make one the default, or make a volume that fits.",
        ),
    };
    let users = users(facts, claim);
    findings.add(
        about(Cause::ClaimUnbound, Severity::Bad, "PersistentVolumeClaim", &claim.meta)
            .says(says)
            .field("spec.storageClassName", claim.class.as_deref().unwrap_or("none"))
            .field("spec.resources.requests.storage", &*claim.asks)
            .field("pods that wait for it", users)
            .event(failed)
            .next(next)
            .since(claim.meta.created),
    );
}

fn users(facts: &Facts, claim: &Claim) -> String {
    let pods = facts.pods_of(&claim.meta.namespace).unwrap_or_default();
    let uses = pods.iter().filter(|pod| {
        let mut volumes = pod.template.volumes.iter();
        volumes.any(|v| v.kind == ReferenceKind::Claim && v.name == claim.meta.name)
    });
    uses.take(5).map(|pod| pod.meta.name.to_string()).collect::<Vec<_>>().join(", ")
}

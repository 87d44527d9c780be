//! Pods for which the scheduler finds no node: what they ask for, and what keeps them off.

use std::collections::BTreeSet;

use app::fleet::watched::{Cause, Finding, Severity};

use super::{Facts, Findings, Tell as _, about_pod, between};
use crate::fleet::watch::slim::{Pod, Taint, Toleration};

pub(super) fn check(facts: &Facts, findings: &mut Findings) {
    for pod in facts.live_pods() {
        let Some(unready) = pod.unready("PodScheduled") else { continue };
        if &*unready.reason != "Unschedulable" {
            continue;
        }
        let message = unready.message.as_deref().unwrap_or_default();
        let finding = why(facts, pod, message)
            .at("status.conditions[PodScheduled]", message, unready.since)
            .since(unready.since);
        findings.add(finding);
    }
}

fn why(facts: &Facts, pod: &Pod, message: &str) -> Finding {
    let short = short_of(message);
    if message.contains("unbound immediate PersistentVolumeClaims")
        || message.contains("persistentvolumeclaim")
    {
        return about_pod(Cause::ClaimUnbound, Severity::Bad, pod)
            .says("The pod waits for a volume: a claim of its is not bound.")
            .field("spec.volumes", claims(pod))
            .next("Look at the claim: its storage class, and what the provisioner says of it.");
    }
    if !short.is_empty() {
        return no_room(facts, pod, &short);
    }
    if message.contains("untolerated taint") {
        // Newer schedulers do not name it any more.
        return tainted(facts, pod, between(message, "untolerated taint {", "}"));
    }
    about_pod(Cause::Unschedulable, Severity::Bad, pod)
        .says("The scheduler finds no node for this pod.")
        .field("spec.nodeSelector", super::spelled(&pod.template.node_selector))
        .next("The scheduler's words below count the nodes and say for each why not.")
}

/// The resources that some node has too little of.
fn short_of(message: &str) -> Vec<&str> {
    let mut found: Vec<&str> = message
        .split("Insufficient ")
        .skip(1)
        .map(|rest| rest.split([',', ' ']).next().unwrap_or(rest).trim_end_matches('.'))
        .filter(|resource| !resource.is_empty())
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn no_room(facts: &Facts, pod: &Pod, short: &[&str]) -> Finding {
    let mut finding = about_pod(Cause::ResourcesShort, Severity::Bad, pod);
    let mut wants = Vec::new();
    for resource in short {
        let asked: Vec<String> = pod
            .template
            .containers
            .iter()
            .filter_map(|spec| {
                let wish = spec.requests.iter().chain(&spec.limits);
                let wish = wish.into_iter().find(|(held, _)| &**held == *resource);
                wish.map(|(_, amount)| format!("{}: {amount}", spec.name))
            })
            .collect();
        let amounts = asked.join(", ");
        wants.push(if amounts.is_empty() {
            (*resource).to_owned()
        } else {
            format!("{resource} ({amounts})")
        });
        finding = finding.field(format!("requests of {resource}"), amounts);
        if let Some(most) = most(facts, resource) {
            finding = finding.field(format!("the most {resource} that a node has"), most);
        }
    }
    finding
        .says(format!("No node has room for this pod: too little {} is free.", wants.join(" and ")))
        .next("Ask for less, free a node, or add one that is large enough.")
}

/// What the largest node can give in all, in the API's own spelling.
fn most(facts: &Facts, resource: &str) -> Option<String> {
    let nodes = facts.nodes.as_ref()?;
    let amounts = nodes.iter().filter_map(|node| node.allocatable(resource));
    let most = amounts.max_by(|one, other| quantity(one).total_cmp(&quantity(other)));
    Some(most.map_or_else(|| "none".to_owned(), std::string::ToString::to_string))
}

/// For comparison alone.
fn quantity(text: &str) -> f64 {
    const SUFFIXES: &[(&str, f64)] = &[
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("m", 0.001),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
    ];
    for (suffix, factor) in SUFFIXES {
        if let Some(number) = text.strip_suffix(suffix) {
            return number.parse::<f64>().map_or(0.0, |number| number * factor);
        }
    }
    text.parse().unwrap_or(0.0)
}

fn tainted(facts: &Facts, pod: &Pod, named: Option<&str>) -> Finding {
    let taints = facts.nodes.iter().flatten().flat_map(|node| &node.taints);
    let hinders: BTreeSet<String> = taints
        .filter(|taint| &*taint.effect != "PreferNoSchedule")
        .filter(|taint| !pod.template.tolerations.iter().any(|t| tolerates(t, taint)))
        .map(spell)
        .collect();
    let hinders: Vec<String> = hinders.into_iter().collect();
    let tolerated: Vec<String> = pod
        .template
        .tolerations
        .iter()
        // The kubelet's own two stand on every pod.
        .filter(|toleration| !toleration.key.starts_with("node.kubernetes.io/"))
        .map(|toleration| format!("{}={}:{}", toleration.key, toleration.value, toleration.effect))
        .collect();
    let tolerated = if tolerated.is_empty() { "none".to_owned() } else { tolerated.join(", ") };
    let says = match (named, hinders.as_slice()) {
        (Some(taint), _) => {
            format!("No node takes this pod: it does not tolerate the taint {taint}.")
        }
        (None, [one]) => format!("No node takes this pod: it does not tolerate the taint {one}."),
        (None, _) => "No node takes this pod: it does not tolerate their taints.".to_owned(),
    };
    about_pod(Cause::Taint, Severity::Bad, pod)
        .says(says)
        .field("taints of nodes that it does not tolerate", hinders.join(", "))
        .field("spec.tolerations", tolerated)
        .next(
            "Give the pod a toleration for it, or take the taint off a node that is meant for it.",
        )
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = toleration.effect.is_empty() || toleration.effect == taint.effect;
    let exists = &*toleration.operator == "Exists";
    let key = (toleration.key.is_empty() && exists) || toleration.key == taint.key;
    effect && key && (exists || toleration.value == taint.value)
}

fn spell(taint: &Taint) -> String {
    format!("{}={}:{}", taint.key, taint.value, taint.effect)
}

fn claims(pod: &Pod) -> String {
    use crate::fleet::watch::slim::ReferenceKind;
    let claims = pod.template.volumes.iter().filter(|volume| volume.kind == ReferenceKind::Claim);
    claims.map(|claim| claim.name.to_string()).collect::<Vec<_>>().join(", ")
}

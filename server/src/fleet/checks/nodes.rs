//! Nodes that are not ready, or short of something.

use app::fleet::watched::{Cause, Severity};

use super::{Facts, Findings, Tell as _, about};

pub(super) fn check(facts: &Facts, findings: &mut Findings) {
    for node in facts.nodes.iter().flatten() {
        let pods = facts.live_pods().filter(|pod| pod.node.as_ref() == Some(&node.meta.name));
        match node.ready() {
            Some(ready) if &*ready.status == "True" => {}
            ready => {
                let says = match ready.map(|ready| &*ready.status) {
                    Some("Unknown") => {
                        "This node has not been heard of: its kubelet does not answer."
                    }
                    Some(_) => "This node says that it is not ready for pods.",
                    None => "This node has never said that it is ready.",
                };
                let mut finding =
                    about(Cause::NodeNotReady, Severity::Bad, "Node", &node.meta).says(says);
                finding.pods = u32::try_from(pods.count()).unwrap_or(u32::MAX);
                if let Some(ready) = ready {
                    let told = format!("{} {}: {}", ready.status, ready.reason, ready.message);
                    finding = finding
                        .at("status.conditions[Ready]", told, ready.since)
                        .since(ready.since);
                }
                findings.add(finding.next(
                    "Look at the machine and its kubelet; its pods are moved after five minutes.",
                ));
            }
        }
        for kind in ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"] {
            let Some(condition) = node.condition(kind).filter(|c| &*c.status == "True") else {
                continue;
            };
            findings.add(
                about(Cause::NodePressure, Severity::Warning, "Node", &node.meta)
                    .says(match kind {
                        "MemoryPressure" => "This node runs short of memory and puts pods off.",
                        "DiskPressure" => "This node runs short of disk and puts pods off.",
                        "PIDPressure" => "This node runs short of process ids.",
                        _ => "The network of this node is not set up.",
                    })
                    .at(
                        format!("status.conditions[{kind}]"),
                        format!("{}: {}", condition.reason, condition.message),
                        condition.since,
                    )
                    .next("Look at what uses it on that node.")
                    .since(condition.since),
            );
        }
    }
}

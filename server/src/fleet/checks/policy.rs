//! Network policies that shut pods off. Whether traffic was meant to pass nobody but its owner knows, so these are told
//! as what they are: settings that explain much.

use app::fleet::watched::{Cause, Finding, Severity};

use super::{Facts, Findings, Tell as _, about, spelled};
use crate::fleet::watch::slim::{Allowed, NetworkPolicy, Peer, Selector};

pub(super) fn check(facts: &Facts, findings: &mut Findings) {
    for policy in &facts.policies {
        // Another policy may allow what this one does not speak of: what is allowed by any is allowed.
        let others = || {
            facts.policies.iter().filter(|other| {
                other.meta.namespace == policy.meta.namespace
                    && other.meta.name != policy.meta.name
                    && (other.pods == policy.pods || other.pods.is_everything())
            })
        };
        let pods = concerned(facts, policy);
        if pods == Some(0) {
            continue;
        }
        if let Some(rules) = &policy.ingress
            && !others().any(|other| other.ingress.as_ref().is_some_and(|rules| !rules.is_empty()))
        {
            findings.all_of(ingress(policy, rules, pods));
        }
        if let Some(rules) = &policy.egress
            && !others().any(|other| other.egress.as_ref().is_some_and(|rules| !rules.is_empty()))
        {
            findings.all_of(egress(policy, rules, pods));
        }
    }
}

impl Findings {
    fn all_of(&mut self, finding: Option<Finding>) {
        if let Some(finding) = finding {
            self.add(finding);
        }
    }
}

/// How many pods it is about; none when pods are not known.
fn concerned(facts: &Facts, policy: &NetworkPolicy) -> Option<usize> {
    let pods = facts.pods_of(&policy.meta.namespace)?;
    Some(pods.iter().filter(|pod| !pod.is_over() && policy.pods.matches(&pod.meta.labels)).count())
}

fn whom(policy: &NetworkPolicy, pods: Option<usize>) -> String {
    let count = pods.map_or(String::new(), |pods| format!(" ({pods} now)"));
    if policy.pods.is_everything() {
        return format!("any pod of {}{count}", policy.meta.namespace);
    }
    format!("pods with {} in {}{count}", selected(&policy.pods), policy.meta.namespace)
}

fn selected(selector: &Selector) -> String {
    let mut all = vec![spelled(&selector.labels)];
    all.extend(selector.expressions.iter().map(|(key, operator, values)| {
        let values: Vec<&str> = values.iter().map(|value| &**value).collect();
        format!("{key} {operator} {}", values.join("|"))
    }));
    all.retain(|part| !part.is_empty());
    if all.is_empty() { "any label".to_owned() } else { all.join(", ") }
}

fn told(policy: &NetworkPolicy, cause: Cause, pods: Option<usize>) -> Finding {
    let mut finding = about(cause, Severity::Notice, "NetworkPolicy", &policy.meta);
    finding.pods = u32::try_from(pods.unwrap_or(0)).unwrap_or(u32::MAX);
    finding.field("spec.podSelector", selected(&policy.pods)).since(policy.meta.created)
}

fn ingress(policy: &NetworkPolicy, rules: &[Allowed], pods: Option<usize>) -> Option<Finding> {
    if rules.is_empty() {
        return Some(
            told(policy, Cause::IngressDenied, pods)
                .says(format!("Nothing may reach {}.", whom(policy, pods)))
                .field("spec.ingress", "no rule")
                .next(
                    "If something should reach them, add an ingress rule for it; policies add up.",
                ),
        );
    }
    let here = |rule: &Allowed| {
        !rule.peers.is_empty() && rule.peers.iter().all(|peer| matches!(peer, Peer::Here(_)))
    };
    rules.iter().all(here).then(|| {
        told(policy, Cause::OtherNamespacesDenied, pods)
            .says(format!("Nothing from other namespaces may reach {}.", whom(policy, pods)))
            .field("spec.ingress", "rules for pods of its own namespace alone")
            .next("If another namespace should reach them, add a rule with a namespaceSelector.")
    })
}

fn egress(policy: &NetworkPolicy, rules: &[Allowed], pods: Option<usize>) -> Option<Finding> {
    let finding = told(policy, Cause::EgressDenied, pods);
    if rules.is_empty() {
        return Some(
            finding
                .says(format!(
                    "From {} nothing may go out, not even to look up a name.",
                    whom(policy, pods)
                ))
                .field("spec.egress", "no rule")
                .next("If they should reach something, add an egress rule for it, and one for DNS (port 53)."),
        );
    }
    let open = |rule: &Allowed| rule.peers.is_empty();
    if rules.iter().any(open) {
        return None;
    }
    let outside = rules.iter().flat_map(|rule| &rule.peers);
    let addresses: Vec<&str> = outside
        .filter_map(|peer| match peer {
            Peer::Addresses(block) => Some(&**block),
            _ => None,
        })
        .collect();
    if addresses.contains(&"0.0.0.0/0") {
        return None;
    }
    let addresses = if addresses.is_empty() { "none".to_owned() } else { addresses.join(", ") };
    Some(
        finding
            .says(format!(
                "From {} traffic may go only where the policy names: not to the rest of the network.",
                whom(policy, pods)
            ))
            .field("addresses that are allowed", addresses)
            .next("If they should reach something else, add an egress rule for it."),
    )
}

//! Network functions, by the component that their workloads say they are.

use std::collections::BTreeMap;

use app::fleet::{
    model::{ClusterCapabilities, CnfType},
    trouble::Trouble,
};

use super::{Meta, evidence, labelled, names, unreadable};

const LABEL: &str = "app.kubernetes.io/component";
const PLACES: [&str; 3] =
    ["/apis/apps/v1/deployments", "/apis/apps/v1/statefulsets", "/apis/apps/v1/daemonsets"];

/// What 3GPP and O-RAN call them.
const COMPONENTS: &[(&str, CnfType)] = &[
    ("du", CnfType::Vdu),
    ("vdu", CnfType::Vdu),
    ("cu", CnfType::Vcu),
    ("vcu", CnfType::Vcu),
    ("upf", CnfType::Upf),
    ("amf", CnfType::Amf),
    ("smf", CnfType::Smf),
    ("ausf", CnfType::Other),
    ("nrf", CnfType::Other),
    ("nssf", CnfType::Other),
    ("pcf", CnfType::Other),
    ("udm", CnfType::Other),
    ("udr", CnfType::Other),
];

pub async fn look(client: &kube::Client, found: &mut ClusterCapabilities) -> Result<(), Trouble> {
    let values: Vec<&str> = COMPONENTS.iter().map(|(value, _)| *value).collect();
    let mut all = Vec::new();
    for place in PLACES {
        let Some(more) = labelled(client, place, LABEL, &values).await? else {
            let what = "deployments, stateful sets and daemon sets";
            found.evidence.push(unreadable("has_cnf_workloads", what));
            return Ok(());
        };
        all.extend(more);
    }
    tell(all, found);
    Ok(())
}

fn tell(all: Vec<Meta>, found: &mut ClusterCapabilities) {
    let mut by_type: BTreeMap<CnfType, Vec<Meta>> = BTreeMap::new();
    for meta in all {
        let kind = COMPONENTS.iter().find(|(value, _)| *value == meta.label(LABEL));
        if let Some((_, kind)) = kind {
            by_type.entry(*kind).or_default().push(meta);
        }
    }
    found.has_cnf_workloads = Some(!by_type.is_empty());
    found.cnf_types = by_type.keys().copied().collect();
    if by_type.is_empty() {
        let says = format!("No workload's label {LABEL} names a network function.");
        found.evidence.push(evidence("has_cnf_workloads", says));
        return;
    }
    let each: Vec<String> =
        by_type.iter().map(|(kind, of)| format!("{}: {}", kind.as_str(), names(of))).collect();
    let says = format!("Label {LABEL}; {}.", each.join("; "));
    found.evidence.push(evidence("has_cnf_workloads", says));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_function_is_one_by_its_component() {
        let workload = |name: &str, component: &str| Meta {
            name: name.to_owned(),
            namespace: "core".to_owned(),
            labels: [(LABEL.to_owned(), component.to_owned())].into(),
        };
        let mut found = ClusterCapabilities::default();
        tell(vec![workload("a", "upf"), workload("b", "nrf"), workload("amf", "web")], &mut found);
        assert_eq!(found.cnf_types, [CnfType::Upf, CnfType::Other]);
        assert_eq!(found.has_cnf_workloads, Some(true));
        let mut none = ClusterCapabilities::default();
        tell(Vec::new(), &mut none);
        assert_eq!(none.has_cnf_workloads, Some(false), "it was looked for");
    }
}

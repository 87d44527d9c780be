//! Prometheus, Thanos, Tempo and Loki, by the labels that their charts and operators give to their services.

use app::fleet::{model::ClusterCapabilities, trouble::Trouble};

use super::{Meta, evidence, labelled, names, unreadable};

const SERVICES: &str = "/api/v1/services";
const NAME: &str = "app.kubernetes.io/name";
const APP: &str = "app";

struct Kind {
    capability: &'static str,
    label: &'static str,
    /// What [`NAME`] or [`APP`] says of such a service.
    values: &'static [&'static str],
    set: fn(&mut ClusterCapabilities, bool),
}

const KINDS: [Kind; 4] = [
    Kind {
        capability: "has_prometheus",
        label: "Prometheus",
        values: &["prometheus", "kube-prometheus-stack-prometheus"],
        set: |found, has| found.has_prometheus = Some(has),
    },
    Kind {
        capability: "has_thanos",
        label: "Thanos",
        values: &["thanos", "thanos-query", "thanos-query-frontend", "thanos-querier"],
        set: |found, has| found.has_thanos = Some(has),
    },
    Kind {
        capability: "has_tempo",
        label: "Tempo",
        values: &["tempo", "tempo-distributed", "tempo-stack"],
        set: |found, has| found.has_tempo = Some(has),
    },
    Kind {
        capability: "has_loki",
        label: "Loki",
        values: &["loki", "lokistack", "loki-distributed"],
        set: |found, has| found.has_loki = Some(has),
    },
];

pub async fn look(client: &kube::Client, found: &mut ClusterCapabilities) -> Result<(), Trouble> {
    let values: Vec<&str> = KINDS.iter().flat_map(|kind| kind.values.iter().copied()).collect();
    let mut services = Vec::new();
    for key in [NAME, APP] {
        let Some(more) = labelled(client, SERVICES, key, &values).await? else {
            for kind in &KINDS {
                found.evidence.push(unreadable(kind.capability, "services"));
            }
            return Ok(());
        };
        services.extend(more);
    }
    for kind in &KINDS {
        tell(kind, &services, found);
    }
    Ok(())
}

fn tell(kind: &Kind, services: &[Meta], found: &mut ClusterCapabilities) {
    let is = |meta: &&Meta| [NAME, APP].iter().any(|key| kind.values.contains(&meta.label(key)));
    let of: Vec<Meta> = services.iter().filter(is).cloned().collect();
    (kind.set)(found, !of.is_empty());
    let says = if of.is_empty() {
        format!("No service is labelled as {}.", kind.label)
    } else {
        format!("Services by their labels: {}.", names(&of))
    };
    found.evidence.push(evidence(kind.capability, says));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_counts_by_its_label_and_not_by_its_name() {
        let service = |name: &str, key: &str, value: &str| Meta {
            name: name.to_owned(),
            namespace: "monitoring".to_owned(),
            labels: [(key.to_owned(), value.to_owned())].into(),
        };
        let all = [
            service("p", NAME, "prometheus"),
            service("q", APP, "thanos-query"),
            service("loki", NAME, "something"),
        ];
        let mut found = ClusterCapabilities::default();
        for kind in &KINDS {
            tell(kind, &all, &mut found);
        }
        assert_eq!((found.has_prometheus, found.has_thanos), (Some(true), Some(true)));
        assert_eq!((found.has_tempo, found.has_loki), (Some(false), Some(false)));
        assert_eq!(found.evidence[0].says, "Services by their labels: monitoring/p.");
    }
}

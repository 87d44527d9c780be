//! What the console needs to be allowed in a cluster, once: the manifest that grants it, and the questions by which a
//! preflight finds out what is missing, come from the same table. Grants reading and nothing else; no `*`, no secrets.

use std::fmt::Write as _;

/// Some resources of one API group that a feature reads.
pub struct Need {
    pub group: &'static str,
    pub resources: &'static [&'static str],
    pub verbs: &'static [&'static str],
    /// Why just this, where that is not plain.
    pub why: Option<&'static str>,
}

pub struct Feature {
    pub label: &'static str,
    pub needs: &'static [Need],
}

const READ: &[&str] = &["get", "list", "watch"];

const fn read(group: &'static str, resources: &'static [&'static str]) -> Need {
    Need { group, resources, verbs: READ, why: None }
}

/// In the order in which a page names them.
pub const FEATURES: &[Feature] = &[
    Feature { label: "Nodes and GPUs", needs: &[read("", &["nodes"])] },
    Feature {
        label: "Workloads",
        needs: &[
            read("", &["namespaces", "pods"]),
            read("apps", &["daemonsets", "deployments", "replicasets", "statefulsets"]),
            read("batch", &["cronjobs", "jobs"]),
        ],
    },
    Feature { label: "Warnings", needs: &[read("", &["events"])] },
    Feature {
        label: "Why a workload is not healthy",
        needs: &[
            read("", &["persistentvolumeclaims", "services"]),
            read("discovery.k8s.io", &["endpointslices"]),
            read("networking.k8s.io", &["networkpolicies"]),
            Need {
                group: "",
                resources: &["configmaps"],
                verbs: &["get"],
                why: Some(
                    "One at a time and by its name, when a pod says that it is missing: is it there, and which keys has it?",
                ),
            },
        ],
    },
    Feature {
        label: "Logs",
        needs: &[Need { group: "", resources: &["pods/log"], verbs: &["get"], why: None }],
    },
    Feature {
        label: "Discovery of what is installed",
        needs: &[Need {
            group: "apiextensions.k8s.io",
            resources: &["customresourcedefinitions"],
            verbs: &["get", "list"],
            why: None,
        }],
    },
];

/// Something that no credential of the console should be allowed.
pub struct TooMuch {
    pub group: &'static str,
    pub resource: &'static str,
    pub verb: &'static str,
    pub why: &'static str,
}

const fn too_much(
    verb: &'static str,
    group: &'static str,
    resource: &'static str,
    why: &'static str,
) -> TooMuch {
    TooMuch { group, resource, verb, why }
}

pub const TOO_MUCH: &[TooMuch] = &[
    too_much("*", "*", "*", "It may do everything: whoever takes it has the cluster."),
    too_much("get", "", "nodes/proxy", "It reaches the kubelet, which runs commands in every pod."),
    too_much("list", "", "secrets", "It reads every secret of the cluster."),
    too_much("get", "", "secrets", "It reads any secret whose name it knows."),
    too_much("create", "", "serviceaccounts/token", "It makes tokens for other service accounts."),
    too_much("impersonate", "", "users", "It can act as anybody."),
    too_much(
        "escalate",
        "rbac.authorization.k8s.io",
        "clusterroles",
        "It can grant itself what it does not have.",
    ),
    too_much(
        "bind",
        "rbac.authorization.k8s.io",
        "clusterroles",
        "It can bind itself to any role.",
    ),
    too_much("create", "", "pods", "It starts pods, with whatever those may do."),
    too_much("create", "", "pods/exec", "It runs commands in every pod."),
    too_much("delete", "", "nodes", "It can take nodes away."),
];

/// What a manifest is made for.
#[derive(Clone, Debug)]
pub struct Ask {
    pub namespace: String,
    pub name: String,
    /// Namespaces whose services the console reads through the API server: Prometheus, Loki, Tempo.
    pub observe: Vec<String>,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            namespace: "quarterdeck".to_owned(),
            name: "quarterdeck-viewer".to_owned(),
            observe: Vec::new(),
        }
    }
}

/// The least that the console needs, to be applied with `kubectl apply -f -`.
pub fn manifest(ask: &Ask) -> String {
    let Ask { namespace, name, observe } = ask;
    let mut text = format!(
        "# What Quarterdeck may read in this cluster: no secrets, no writing, nothing by \"*\".\n\
         # Afterwards, a token for it:\n\
         #   kubectl -n {namespace} create token {name} --duration=2160h\n\
         apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {namespace}\n---\n\
         apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\n  namespace: {namespace}\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: {name}\nrules:\n"
    );
    for feature in FEATURES {
        text.extend(["  # ", feature.label, "\n"]);
        for need in feature.needs {
            rule(&mut text, need);
        }
    }
    let subject = format!(
        "subjects:\n  - kind: ServiceAccount\n    name: {name}\n    namespace: {namespace}\n"
    );
    // Writing into a String cannot fail.
    let _ = write!(
        text,
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata:\n  name: {name}\n\
         roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n  name: {name}\n{subject}"
    );
    for place in observe {
        let _ = write!(
            text,
            "---\n# Metrics, logs and traces, through the API server\n\
             apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: {name}\n  namespace: {place}\n\
             rules:\n  - apiGroups: [\"\"]\n    resources: [\"services/proxy\"]\n    verbs: [\"get\"]\n---\n\
             apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n  name: {name}\n  namespace: {place}\n\
             roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: Role\n  name: {name}\n{subject}"
        );
    }
    text
}

fn rule(text: &mut String, need: &Need) {
    let quoted = |words: &[&str]| {
        words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
    };
    if let Some(why) = need.why {
        let _ = writeln!(text, "  # {why}");
    }
    let _ = write!(
        text,
        "  - apiGroups: [\"{}\"]\n    resources: [{}]\n    verbs: [{}]\n",
        need.group,
        quoted(need.resources),
        quoted(need.verbs)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_grants_reading_and_neither_secrets_nor_everything() {
        let ask = Ask { observe: vec!["monitoring".to_owned()], ..Ask::default() };
        let text = manifest(&ask);
        let rules: String =
            text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        assert!(!rules.contains('*') && !rules.contains("secrets"), "{text}");
        for verb in ["create", "update", "patch", "delete", "impersonate", "bind", "escalate"] {
            assert!(!rules.contains(&format!("\"{verb}\"")), "{verb}");
        }
        assert!(!rules.contains("nodes/proxy"));
        assert_eq!(text.matches("\n---\n").count(), 5);
    }

    #[test]
    fn nothing_that_is_needed_is_called_too_much() {
        for feature in FEATURES {
            for need in feature.needs {
                for bad in TOO_MUCH {
                    let same = need.group == bad.group
                        && need.resources.contains(&bad.resource)
                        && need.verbs.contains(&bad.verb);
                    assert!(!same, "{} {}", bad.verb, bad.resource);
                }
            }
        }
    }
}

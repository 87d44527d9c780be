//! Which kinds of object are watched, and where the API serves each. Nothing else is ever read by a watch:
//! secrets are not in this list, and config maps are asked for one by one.

pub use app::fleet::watched::Kind;

/// Where the API serves a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Of all namespaces.
    pub path: &'static str,
    pub plural: &'static str,
}

const fn at(path: &'static str, plural: &'static str) -> Resource {
    Resource { path, plural }
}

pub const fn resource(kind: Kind) -> Resource {
    match kind {
        Kind::Nodes => at("/api/v1/nodes", "nodes"),
        Kind::Namespaces => at("/api/v1/namespaces", "namespaces"),
        Kind::Pods => at("/api/v1/pods", "pods"),
        Kind::Events => at("/api/v1/events", "events"),
        Kind::Services => at("/api/v1/services", "services"),
        Kind::Claims => at("/api/v1/persistentvolumeclaims", "persistentvolumeclaims"),
        Kind::Deployments => at("/apis/apps/v1/deployments", "deployments"),
        Kind::StatefulSets => at("/apis/apps/v1/statefulsets", "statefulsets"),
        Kind::DaemonSets => at("/apis/apps/v1/daemonsets", "daemonsets"),
        Kind::Jobs => at("/apis/batch/v1/jobs", "jobs"),
        Kind::CronJobs => at("/apis/batch/v1/cronjobs", "cronjobs"),
        Kind::EndpointSlices => at("/apis/discovery.k8s.io/v1/endpointslices", "endpointslices"),
        Kind::NetworkPolicies => {
            at("/apis/networking.k8s.io/v1/networkpolicies", "networkpolicies")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_is_a_secret_or_a_config_map() {
        for kind in Kind::ALL {
            let Resource { path, plural } = resource(*kind);
            assert!(path.ends_with(plural), "{path}");
            assert!(!path.contains("secret") && !path.contains("configmap"), "{path}");
        }
    }
}

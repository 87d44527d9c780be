//! Which teams there are and what they run: one table, and the rules that turn its rows into objects.

use serde_json::{Value, json};

use super::role::Role;
use crate::{MARK, programs::Program};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Deployment(u32),
    StatefulSet(u32),
    DaemonSet,
    /// A Job that is there from the start.
    Job,
    CronJob(&'static str),
}

/// One row: a workload, whose only container has its name.
#[derive(Clone, Copy)]
struct Workload {
    namespace: &'static str,
    name: &'static str,
    shape: Shape,
    /// A value of the label `practice-fleet.dev/trouble`; `stages/` and [`crate::troubles`] say what each does.
    trouble: Option<&'static str>,
    gpus: u32,
    program: Option<Program>,
    place: Place,
    /// The label `app.kubernetes.io/component`, where others tell by it what this is.
    component: Option<&'static str>,
}

/// In which clusters a workload is, and on which nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Everywhere,
    /// Where there are GPUs.
    Gpus,
    /// There, on the nodes that the GPU operator has marked for it.
    GpuNodes,
    /// In clusters with this role.
    Only(Role),
}

const fn plain(namespace: &'static str, name: &'static str, shape: Shape) -> Workload {
    Workload {
        namespace,
        name,
        shape,
        trouble: None,
        gpus: 0,
        program: None,
        place: Place::Everywhere,
        component: None,
    }
}

const fn troubled(
    namespace: &'static str,
    name: &'static str,
    shape: Shape,
    trouble: &'static str,
) -> Workload {
    Workload { trouble: Some(trouble), ..plain(namespace, name, shape) }
}

const fn on_gpus(namespace: &'static str, name: &'static str, shape: Shape, gpus: u32) -> Workload {
    Workload { gpus, place: Place::Gpus, ..plain(namespace, name, shape) }
}

/// One agent of the GPU operator.
const fn gpu_agent(name: &'static str) -> Workload {
    Workload { place: Place::GpuNodes, ..plain("gpu-operator", name, Shape::DaemonSet) }
}

/// A function of a mobile network, called what it is.
const fn network_function(
    namespace: &'static str,
    name: &'static str,
    component: &'static str,
    shape: Shape,
    role: Role,
) -> Workload {
    let place = Place::Only(role);
    Workload { place, component: Some(component), ..plain(namespace, name, shape) }
}

const WORKLOADS: [Workload; 41] = [
    plain("payments", "checkout", Shape::Deployment(4)),
    plain("payments", "ledger", Shape::Deployment(2)),
    troubled("payments", "fraud-scoring", Shape::Deployment(2), "flapping"),
    plain("payments", "ledger-db", Shape::StatefulSet(3)),
    plain("payments", "settle-accounts", Shape::CronJob("*/2 * * * *")),
    troubled("payments", "reconcile-bank", Shape::CronJob("*/3 * * * *"), "job-fails"),
    plain("search", "query-api", Shape::Deployment(3)),
    plain("search", "indexer", Shape::Deployment(2)),
    plain("search", "shards", Shape::StatefulSet(3)),
    plain("search", "rebuild-synonyms", Shape::CronJob("*/5 * * * *")),
    plain("storefront", "web", Shape::Deployment(5)),
    plain("storefront", "cart", Shape::Deployment(2)),
    plain("storefront", "session-cache", Shape::StatefulSet(2)),
    plain("platform", "ingress-gateway", Shape::Deployment(2)),
    plain("platform", "cert-rotator", Shape::Deployment(1)),
    plain("platform", "node-logger", Shape::DaemonSet),
    plain("platform", "backup-volumes", Shape::CronJob("*/10 * * * *")),
    troubled("platform", "prune-images", Shape::CronJob("*/7 * * * *"), "job-fails"),
    Workload { program: Some(Program::Echo), ..plain("agents", "echo", Shape::Deployment(1)) },
    plain("agents", "night-watch", Shape::CronJob("*/4 * * * *")),
    on_gpus("ml", "inference", Shape::Deployment(2), 1),
    on_gpus("ml", "embedder", Shape::Deployment(1), 2),
    // No node has so many: a real scheduler says why, again and again.
    on_gpus("ml", "train-large", Shape::Job, 64),
    Workload { place: Place::Gpus, ..plain("ml", "feature-store", Shape::StatefulSet(2)) },
    plain("sandbox", "notebook", Shape::Deployment(1)),
    troubled("sandbox", "prototype", Shape::Deployment(1), "image-pull"),
    Workload { place: Place::Gpus, ..plain("gpu-operator", "gpu-operator", Shape::Deployment(1)) },
    gpu_agent("nvidia-driver-daemonset"),
    gpu_agent("nvidia-container-toolkit-daemonset"),
    gpu_agent("nvidia-device-plugin-daemonset"),
    gpu_agent("nvidia-dcgm-exporter"),
    gpu_agent("gpu-feature-discovery"),
    gpu_agent("nvidia-mig-manager"),
    gpu_agent("nvidia-operator-validator"),
    network_function("5g-core", "amf", "amf", Shape::Deployment(2), Role::Spoke),
    network_function("5g-core", "smf", "smf", Shape::Deployment(2), Role::Spoke),
    network_function("5g-core", "nrf", "nrf", Shape::Deployment(1), Role::Spoke),
    network_function("upf-north", "upf", "upf", Shape::StatefulSet(2), Role::Spoke),
    network_function("du-quay", "vdu", "du", Shape::StatefulSet(3), Role::Edge),
    network_function("cu-quay", "vcu-cp", "cu", Shape::Deployment(1), Role::Edge),
    network_function("cu-quay", "vcu-up", "cu", Shape::Deployment(2), Role::Edge),
];

const DCGM_EXPORTER: &str = "nvidia-dcgm-exporter";

/// The teams' namespaces, each once.
pub fn namespaces() -> impl Iterator<Item = &'static str> {
    WORKLOADS
        .chunk_by(|left, right| left.namespace == right.namespace)
        .map(|team| team[0].namespace)
}

/// The containers in a namespace; each has its workload's name.
pub fn containers(namespace: &str) -> impl Iterator<Item = &'static str> {
    WORKLOADS.into_iter().filter(move |row| row.namespace == namespace).map(|row| row.name)
}

pub fn cron_jobs() -> impl Iterator<Item = (&'static str, &'static str)> {
    WORKLOADS
        .into_iter()
        .filter(|row| matches!(row.shape, Shape::CronJob(_)))
        .map(|row| (row.namespace, row.name))
}

/// The deployments that life may change, with their usual replicas.
pub fn changeable() -> impl Iterator<Item = (&'static str, &'static str, u32)> {
    WORKLOADS.into_iter().filter_map(|row| match row.shape {
        Shape::Deployment(replicas)
            if row.trouble.is_none()
                && row.program.is_none()
                && row.gpus == 0
                && row.place == Place::Everywhere =>
        {
            Some((row.namespace, row.name, replicas))
        }
        _ => None,
    })
}

/// Everything that the teams of a cluster have; the clusters of a fleet differ in size.
pub fn manifests(index: u8) -> Vec<Value> {
    let role = Role::of(index);
    let here = |row: &&Workload| row.place.is_in(role);
    let is_used = |name: &&str| WORKLOADS.iter().filter(here).any(|row| row.namespace == *name);
    let teams = namespaces().filter(is_used).map(|name| {
        let labels = json!({ format!("{MARK}/team"): name });
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels } })
    });
    let rows = WORKLOADS.iter().filter(here);
    teams.chain(rows.flat_map(|row| row.manifests(u32::from(index)))).collect()
}

impl Place {
    fn is_in(self, role: Role) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Gpus | Self::GpuNodes => role.has_gpus(),
            Self::Only(only) => only == role,
        }
    }
}

impl Workload {
    fn manifests(&self, index: u32) -> Vec<Value> {
        match self.shape {
            Shape::Deployment(replicas) => {
                vec![self.service(), self.deployment(replicas + index % 3)]
            }
            Shape::StatefulSet(replicas) => vec![self.service(), self.stateful_set(replicas)],
            Shape::DaemonSet if self.name == DCGM_EXPORTER => {
                vec![self.exporter_service(), self.daemon_set()]
            }
            Shape::DaemonSet => vec![self.daemon_set()],
            Shape::Job => vec![self.object("batch/v1", "Job", &self.job())],
            Shape::CronJob(schedule) => vec![self.cron_job(schedule)],
        }
    }

    fn object(&self, version: &str, kind: &str, spec: &Value) -> Value {
        let metadata =
            json!({ "name": self.name, "namespace": self.namespace, "labels": self.labels() });
        json!({ "apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec })
    }

    fn labels(&self) -> Value {
        let mut labels = json!({ "app.kubernetes.io/name": self.name, "app.kubernetes.io/part-of": self.namespace });
        if self.place == Place::GpuNodes {
            // The operator's own way to name its pods.
            labels["app"] = self.name.into();
        }
        if let Some(component) = self.component {
            labels["app.kubernetes.io/component"] = component.into();
        }
        labels
    }

    fn selector(&self) -> Value {
        json!({ "app.kubernetes.io/name": self.name })
    }

    fn deployment(&self, replicas: u32) -> Value {
        // A new pod counts after 3 s, so that a rollout takes as long as one can watch.
        let spec = json!({
            "replicas": replicas,
            "minReadySeconds": 3,
            "revisionHistoryLimit": 5,
            "progressDeadlineSeconds": 60,
            "selector": { "matchLabels": self.selector() },
            "template": self.template("Always"),
        });
        self.object("apps/v1", "Deployment", &spec)
    }

    fn stateful_set(&self, replicas: u32) -> Value {
        let spec = json!({
            "replicas": replicas,
            "serviceName": self.name,
            "selector": { "matchLabels": self.selector() },
            "template": self.template("Always"),
        });
        self.object("apps/v1", "StatefulSet", &spec)
    }

    fn daemon_set(&self) -> Value {
        let spec = json!({ "selector": { "matchLabels": self.selector() }, "template": self.template("Always") });
        self.object("apps/v1", "DaemonSet", &spec)
    }

    fn cron_job(&self, schedule: &str) -> Value {
        let spec = json!({
            "schedule": schedule,
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": { "metadata": { "labels": self.labels() }, "spec": self.job() },
        });
        self.object("batch/v1", "CronJob", &spec)
    }

    fn job(&self) -> Value {
        json!({ "backoffLimit": 1, "template": self.template("Never") })
    }

    fn service(&self) -> Value {
        let port = self.program.map_or(8080, Program::pod_port);
        let spec =
            json!({ "selector": self.selector(), "ports": [{ "name": "http", "port": port }] });
        self.object("v1", "Service", &spec)
    }

    /// As the operator makes it; its pods are not really there, so nothing answers.
    fn exporter_service(&self) -> Value {
        let spec = json!({ "selector": self.selector(), "ports": [{ "name": "gpu-metrics", "port": 9400 }] });
        self.object("v1", "Service", &spec)
    }

    fn template(&self, restart: &str) -> Value {
        let mut labels = self.labels();
        if let Some(trouble) = self.trouble {
            labels[format!("{MARK}/trouble")] = trouble.into();
        }
        let annotations =
            self.program.map(|program| json!({ format!("{MARK}/program"): program.name() }));
        let mut container = json!({
            "name": self.name,
            "image": image(self.namespace, self.name, 1),
            "resources": { "requests": { "cpu": "100m", "memory": "128Mi" } },
        });
        if self.gpus > 0 {
            container["resources"]["limits"] = json!({ "nvidia.com/gpu": self.gpus.to_string() });
        }
        if restart == "Always" {
            container["ports"] = json!([{ "name": "http", "containerPort": 8080 }]);
        }
        let nodes = (self.place == Place::GpuNodes)
            .then(|| json!({ "nvidia.com/gpu.deploy.operator-validator": "true" }));
        json!({
            "metadata": { "labels": labels, "annotations": annotations },
            "spec": {
                "restartPolicy": restart,
                "terminationGracePeriodSeconds": 1,
                "nodeSelector": nodes,
                "containers": [container],
            },
        })
    }
}

/// The image of a release; nothing pulls it.
pub fn image(namespace: &str, name: &str, release: u64) -> String {
    format!("registry.practice.test/{namespace}/{name}:1.{release}.0")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::troubles;

    #[test]
    fn the_rows_of_a_team_stand_together() {
        let all: Vec<_> = namespaces().collect();
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(all.len(), distinct.len());
    }

    #[test]
    fn no_two_workloads_share_a_name_in_a_namespace() {
        let names: BTreeSet<_> = WORKLOADS.iter().map(|row| (row.namespace, row.name)).collect();
        assert_eq!(names.len(), WORKLOADS.len());
    }

    #[test]
    fn every_trouble_has_a_stage() {
        let files =
            [include_str!("../../stages/pod-flapping.yaml"), include_str!("../../stages/job.yaml")]
                .concat();
        let stages = troubles::stages();
        for trouble in WORKLOADS.iter().filter_map(|row| row.trouble) {
            let made =
                stages.iter().any(|stage| stage["metadata"]["name"] == format!("pod-{trouble}"));
            assert!(made || files.contains(&format!("values: [{trouble}]")), "{trouble}");
        }
    }

    #[test]
    fn pods_behind_a_program_name_it() {
        let echo = WORKLOADS.iter().find(|row| row.program.is_some()).expect("one has a program");
        assert_eq!(
            echo.template("Always")["metadata"]["annotations"]["practice-fleet.dev/program"],
            "echo"
        );
    }

    #[test]
    fn only_where_there_are_gpus_somebody_asks_for_them() {
        for index in 0..3 {
            let asked =
                manifests(index).iter().any(|object| object.to_string().contains("nvidia.com/gpu"));
            assert_eq!(asked, Role::of(index).has_gpus());
        }
    }

    #[test]
    fn the_radio_is_at_the_edge_and_the_core_in_a_spoke() {
        let components = |index| -> BTreeSet<String> {
            let all = manifests(index);
            let labels = all
                .iter()
                .map(|object| &object["metadata"]["labels"]["app.kubernetes.io/component"]);
            labels.filter_map(|label| label.as_str().map(String::from)).collect()
        };
        assert!(components(0).is_empty());
        assert_eq!(components(1), ["amf", "nrf", "smf", "upf"].map(String::from).into());
        assert_eq!(components(2), ["cu", "du"].map(String::from).into());
    }

    #[test]
    fn clusters_differ_in_size() {
        assert_ne!(manifests(0), manifests(1));
    }
}

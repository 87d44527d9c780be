//! Pods that fit nowhere. The scheduler and the volume controller are real: what they say is theirs.

use serde_json::json;

use super::{
    Trouble,
    objects::{App, object},
};

/// The scene whose troubles need a node with [`TAINT`].
pub const SCENE: &str = "unschedulable";

/// The taint that the scene `unschedulable` puts on one node, and the label by which a pod insists on that node.
pub const TAINT: (&str, &str) = ("app", "critical");

pub fn all() -> Vec<Trouble> {
    vec![too_large(), tainted(), unbound()]
}

fn too_large() -> Trouble {
    let resources = json!({ "requests": { "cpu": "1000", "memory": "64Mi" } });
    let app = App::new("search", "simulator").container(json!({ "resources": resources }));
    placed(SCENE, &app, vec![app.deployment()])
}

/// It insists on the node that the scene has tainted, and does not tolerate the taint.
fn tainted() -> Trouble {
    let app =
        App::new("platform", "edge-cache").pod(json!({ "nodeSelector": { TAINT.0: TAINT.1 } }));
    placed(SCENE, &app, vec![app.deployment()])
}

fn unbound() -> Trouble {
    let claim = object(
        "v1",
        "PersistentVolumeClaim",
        "search",
        "archive-data",
        &json!({ "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "fast-ssd",
            "resources": { "requests": { "storage": "10Gi" } },
        } }),
    );
    let volume =
        json!({ "name": "data", "persistentVolumeClaim": { "claimName": "archive-data" } });
    let app = App::new("search", "archive")
        .container(json!({ "volumeMounts": [{ "name": "data", "mountPath": "/data" }] }))
        .pod(json!({ "volumes": [volume] }));
    placed("pvc-pending", &app, vec![claim, app.deployment()])
}

fn placed(scene: &'static str, app: &App, objects: Vec<serde_json::Value>) -> Trouble {
    Trouble { scene, namespace: app.namespace, name: app.name, conduct: None, objects, log: &[] }
}

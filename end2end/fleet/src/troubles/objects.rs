//! The objects that a trouble is made of, with the fleet's labels.

use serde_json::{Value, json};

use crate::MARK;

/// A Deployment whose only container has its name.
pub struct App {
    pub namespace: &'static str,
    pub name: &'static str,
    /// The value of the label by which a stage finds its pods.
    pub label: Option<&'static str>,
    /// What its container has besides, or instead.
    pub container: Value,
    /// What its pods have besides.
    pub pod: Value,
}

impl App {
    pub fn new(namespace: &'static str, name: &'static str) -> Self {
        Self { namespace, name, label: None, container: json!({}), pod: json!({}) }
    }

    pub fn label(self, label: &'static str) -> Self {
        Self { label: Some(label), ..self }
    }

    pub fn container(self, container: Value) -> Self {
        Self { container, ..self }
    }

    pub fn pod(self, pod: Value) -> Self {
        Self { pod, ..self }
    }

    pub fn deployment(&self) -> Value {
        let mut labels = labels(self.namespace, self.name);
        if let Some(label) = self.label {
            labels[format!("{MARK}/trouble")] = label.into();
        }
        let mut container = json!({
            "name": self.name,
            "image": format!("registry.practice.test/{}/{}:1.0.0", self.namespace, self.name),
            "ports": [{ "name": "http", "containerPort": 8080 }],
            "resources": { "requests": { "cpu": "50m", "memory": "64Mi" } },
        });
        overlay(&mut container, &self.container);
        let mut pod = json!({ "terminationGracePeriodSeconds": 1, "containers": [container] });
        overlay(&mut pod, &self.pod);
        let spec = json!({
            "replicas": 1,
            "revisionHistoryLimit": 2,
            "progressDeadlineSeconds": 60,
            "selector": { "matchLabels": { "app.kubernetes.io/name": self.name } },
            "template": { "metadata": { "labels": labels }, "spec": pod },
        });
        object("apps/v1", "Deployment", self.namespace, self.name, &json!({ "spec": spec }))
    }

    /// A Service that would find the pods, but for what `spec` says instead.
    pub fn service(&self, spec: &Value) -> Value {
        let mut whole = json!({
            "selector": { "app.kubernetes.io/name": self.name },
            "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }],
        });
        overlay(&mut whole, spec);
        object("v1", "Service", self.namespace, self.name, &json!({ "spec": whole }))
    }
}

pub fn labels(namespace: &str, name: &str) -> Value {
    json!({ "app.kubernetes.io/name": name, "app.kubernetes.io/part-of": namespace })
}

/// Any object; `content` is what it has besides its head.
pub fn object(version: &str, kind: &str, namespace: &str, name: &str, content: &Value) -> Value {
    let labels = labels(namespace, name);
    let mut object = json!({
        "apiVersion": version,
        "kind": kind,
        "metadata": { "name": name, "namespace": namespace, "labels": labels },
    });
    overlay(&mut object, content);
    object
}

fn overlay(base: &mut Value, over: &Value) {
    for (key, value) in over.as_object().into_iter().flatten() {
        base[key] = value.clone();
    }
}

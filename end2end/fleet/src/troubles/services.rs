//! Services that lead nowhere though their pods are well: a selector that finds none, a port on which none listens.

use serde_json::json;

use super::{Trouble, objects::App};

pub fn all() -> Vec<Trouble> {
    let selector = App::new("storefront", "catalogue");
    let port = App::new("storefront", "pricing")
        .container(json!({ "ports": [{ "name": "http", "containerPort": 80 }] }));
    let of = |app: &App, service| Trouble {
        scene: "selector-mismatch",
        namespace: app.namespace,
        name: app.name,
        conduct: None,
        objects: vec![app.service(&service), app.deployment()],
        log: &["level=info msg=\"listening\""],
    };
    vec![
        of(&selector, json!({ "selector": { "app.kubernetes.io/name": "catalog" } })),
        of(&port, json!({ "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }] })),
    ]
}

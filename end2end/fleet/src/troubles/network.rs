//! Network policies that cut what should be open. Nothing enforces them here, so the calls that fail are in logs alone,
//! and one of the callers says by its probe that it is not ready.

use serde_json::{Value, json};

use super::{
    Trouble,
    kubelet::Conduct,
    objects::{App, object},
};

const SCENE: &str = "network-policy";

const NOT_READY: (&str, Conduct) =
    ("upstream-timeout", Conduct::Unready { failure: "HTTP probe failed with statuscode: 503" });

pub fn all() -> Vec<Trouble> {
    vec![ingress(), egress(), across()]
}

fn policy(app: &App, name: &str, spec: Value) -> Value {
    let mut spec = spec;
    if spec["podSelector"].is_null() {
        spec["podSelector"] = json!({ "matchLabels": { "app.kubernetes.io/name": app.name } });
    }
    object("networking.k8s.io/v1", "NetworkPolicy", app.namespace, name, &json!({ "spec": spec }))
}

/// Nobody may call it.
fn ingress() -> Trouble {
    let app = App::new("payments", "invoices");
    let deny = policy(&app, "deny-ingress", json!({ "policyTypes": ["Ingress"] }));
    Trouble {
        scene: SCENE,
        namespace: app.namespace,
        name: app.name,
        conduct: None,
        objects: vec![deny, app.service(&json!({})), app.deployment()],
        log: &["level=info msg=\"listening\" port=8080"],
    }
}

/// It may call nobody, not even the cluster's DNS.
fn egress() -> Trouble {
    let app = App::new("search", "crawler").label(NOT_READY.0).container(json!({
        "readinessProbe": { "httpGet": { "path": "/ready", "port": 8080 }, "periodSeconds": 5 },
    }));
    let deny = policy(&app, "deny-egress", json!({ "policyTypes": ["Egress"] }));
    Trouble {
        scene: SCENE,
        namespace: app.namespace,
        name: app.name,
        conduct: Some(NOT_READY),
        objects: vec![deny, app.deployment()],
        log: &["level=error msg=\"dial tcp 8.8.8.8:443: i/o timeout\" component=crawler"],
    }
}

/// Its callers live in another namespace, and only its own may come in.
fn across() -> Trouble {
    let app = App::new("platform", "feature-flags");
    let own = json!({ "podSelector": {} });
    let spec = json!({ "policyTypes": ["Ingress"], "ingress": [{ "from": [own] }] });
    let from_own = policy(&app, "only-own-namespace", spec);
    let caller = App::new("storefront", "flags-client").deployment();
    Trouble {
        scene: SCENE,
        namespace: app.namespace,
        name: app.name,
        conduct: None,
        objects: vec![from_own, app.service(&json!({})), app.deployment(), caller],
        log: &["level=info msg=\"listening\" port=8080"],
    }
}

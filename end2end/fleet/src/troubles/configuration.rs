//! Configuration that is not there: a config map, a key of a secret, a config map that is to be mounted.

use serde_json::{Value, json};

use super::{
    Trouble,
    kubelet::Conduct,
    objects::{App, object},
};

const SCENE: &str = "config-missing";

pub fn all() -> Vec<Trouble> {
    vec![config_map(), secret_key(), volume()]
}

fn trouble(
    namespace: &'static str,
    name: &'static str,
    conduct: (&'static str, Conduct),
    objects: Vec<Value>,
) -> Trouble {
    Trouble { scene: SCENE, namespace, name, conduct: Some(conduct), objects, log: &[] }
}

fn config_map() -> Trouble {
    let label = "config-map-missing";
    let message = "configmap \"receipts-config\" not found";
    let env = json!({ "envFrom": [{ "configMapRef": { "name": "receipts-config" } }] });
    let app = App::new("payments", "receipts").label(label).container(env);
    trouble(app.namespace, app.name, (label, Conduct::NoConfig { message }), vec![app.deployment()])
}

/// The secret is there, with another key than the one that the container asks for.
fn secret_key() -> Trouble {
    let label = "secret-key-missing";
    let message = "couldn't find key api-key in Secret payments/tax-provider";
    let secret = json!({ "type": "Opaque", "stringData": { "apikey": "for-practice-only" } });
    let from = json!({ "secretKeyRef": { "name": "tax-provider", "key": "api-key" } });
    let env = json!({ "env": [{ "name": "TAX_API_KEY", "valueFrom": from }] });
    let app = App::new("payments", "tax-rates").label(label).container(env);
    let objects =
        vec![object("v1", "Secret", "payments", "tax-provider", &secret), app.deployment()];
    trouble(app.namespace, app.name, (label, Conduct::NoConfig { message }), objects)
}

fn volume() -> Trouble {
    let label = "volume-missing";
    let conduct =
        Conduct::NoVolume { volume: "rules", message: "configmap \"banner-rules\" not found" };
    let volume = json!({ "name": "rules", "configMap": { "name": "banner-rules" } });
    let app = App::new("storefront", "banner")
        .label(label)
        .container(json!({ "volumeMounts": [{ "name": "rules", "mountPath": "/etc/rules" }] }))
        .pod(json!({ "volumes": [volume] }));
    trouble(app.namespace, app.name, (label, conduct), vec![app.deployment()])
}

//! Rights that are missing: a service account that nobody made, a role that grants too little, one bound in one namespace
//! alone. Admission refuses the first; the others end as their API server refuses them.

use serde_json::{Value, json};

use super::{
    Trouble,
    kubelet::Conduct,
    objects::{App, object},
};

const RBAC: &str = "rbac.authorization.k8s.io";

const ROLE: (&str, Conduct) = (
    "role-missing",
    Conduct::Crashes {
        exit_code: 1,
        reason: "Error",
        last_words: "fatal: secrets is forbidden: User \"system:serviceaccount:agents:key-watcher\" cannot list resource \
                     \"secrets\" in API group \"\" in the namespace \"agents\"",
    },
);

const CLUSTER_ROLE: (&str, Conduct) = (
    "cluster-role-missing",
    Conduct::Crashes {
        exit_code: 1,
        reason: "Error",
        last_words: "fatal: pods is forbidden: User \"system:serviceaccount:agents:inventory\" cannot list resource \
                     \"pods\" in API group \"\" at the cluster scope",
    },
);

pub fn all() -> Vec<Trouble> {
    vec![account(), role(), cluster_role()]
}

fn account() -> Trouble {
    let app = App::new("platform", "janitor").pod(json!({ "serviceAccountName": "custom-sa" }));
    Trouble {
        scene: "service-account",
        namespace: app.namespace,
        name: app.name,
        conduct: None,
        objects: vec![app.deployment()],
        log: &[],
    }
}

fn with_account(name: &'static str, label: &'static str) -> (App, Value) {
    let app = App::new("agents", name).label(label).pod(json!({ "serviceAccountName": name }));
    let account = object("v1", "ServiceAccount", app.namespace, name, &json!({}));
    (app, account)
}

fn binding(app: &App, kind: &str) -> Value {
    let subject = json!({ "kind": "ServiceAccount", "name": app.name, "namespace": app.namespace });
    let role = json!({ "apiGroup": RBAC, "kind": kind, "name": app.name });
    let content = json!({ "roleRef": role, "subjects": [subject] });
    object(&format!("{RBAC}/v1"), "RoleBinding", app.namespace, app.name, &content)
}

/// Its role is about pods, and it asks for secrets.
fn role() -> Trouble {
    let (app, account) = with_account("key-watcher", ROLE.0);
    let rules =
        json!({ "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] }] });
    let role = object(&format!("{RBAC}/v1"), "Role", app.namespace, app.name, &rules);
    refused(&app, ROLE, vec![account, role, binding(&app, "Role"), app.deployment()])
}

/// Its cluster role is bound by a RoleBinding, so that it holds in its own namespace alone.
fn cluster_role() -> Trouble {
    let (app, account) = with_account("inventory", CLUSTER_ROLE.0);
    let rules =
        json!({ "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] }] });
    let mut role = object(&format!("{RBAC}/v1"), "ClusterRole", app.namespace, app.name, &rules);
    role["metadata"] = json!({ "name": app.name });
    refused(&app, CLUSTER_ROLE, vec![account, role, binding(&app, "ClusterRole"), app.deployment()])
}

fn refused(app: &App, conduct: (&'static str, Conduct), objects: Vec<Value>) -> Trouble {
    Trouble {
        scene: "rbac",
        namespace: app.namespace,
        name: app.name,
        conduct: Some(conduct),
        objects,
        log: &["level=info msg=\"starting\"", "level=error msg=\"403 Forbidden\" attempt=1"],
    }
}

//! Probes that fail: a pod that never becomes ready, and one that is restarted again and again.

use serde_json::json;

use super::{Trouble, kubelet::Conduct, objects::App};

const READINESS: (&str, Conduct) =
    ("unready", Conduct::Unready { failure: "HTTP probe failed with statuscode: 404" });

const LIVENESS: (&str, Conduct) =
    ("unalive", Conduct::Unalive { failure: "HTTP probe failed with statuscode: 500" });

pub fn all() -> Vec<Trouble> {
    let probe = |path: &str| json!({ "httpGet": { "path": path, "port": 8080 }, "periodSeconds": 5, "failureThreshold": 3 });
    let readiness = App::new("storefront", "wishlist")
        .label(READINESS.0)
        .container(json!({ "readinessProbe": probe("/ready") }));
    let liveness = App::new("storefront", "reviews")
        .label(LIVENESS.0)
        .container(json!({ "livenessProbe": probe("/healthz") }));
    let of = |app: &App, conduct, log| Trouble {
        scene: "probes-failing",
        namespace: app.namespace,
        name: app.name,
        conduct: Some(conduct),
        objects: vec![app.deployment(), app.service(&json!({}))],
        log,
    };
    vec![
        of(
            &readiness,
            READINESS,
            &["level=warn msg=\"not found\" method=GET path=/ready status=404"],
        ),
        of(
            &liveness,
            LIVENESS,
            &[
                "level=error msg=\"connection pool exhausted\" waiting=64",
                "level=error msg=\"health\" method=GET path=/healthz status=500",
            ],
        ),
    ]
}

//! Containers that end: too much memory, a program that gives up, an init container that waits for what never comes.

use serde_json::json;

use super::{Trouble, kubelet::Conduct, objects::App};

/// For the scene `crash-loop`, which releases it in the place of something good.
pub const BAD_RELEASE: (&str, Conduct) = (
    "crash-loop",
    Conduct::Crashes {
        exit_code: 1,
        reason: "Error",
        last_words: "panic: ledger schema 42 is newer than this program",
    },
);

const OOM: (&str, Conduct) =
    ("oom", Conduct::Crashes { exit_code: 137, reason: "OOMKilled", last_words: "" });

const GIVES_UP: (&str, Conduct) = (
    "gives-up",
    Conduct::Crashes {
        exit_code: 1,
        reason: "Error",
        last_words: "fatal: PAYOUT_BUCKET is not set",
    },
);

const INIT: (&str, Conduct) = (
    "init-fails",
    Conduct::InitCrashes {
        exit_code: 1,
        last_words: "nslookup: can't resolve 'database-service.payments.svc.cluster.local': Name or service not known",
    },
);

pub fn all() -> Vec<Trouble> {
    vec![oom(), gives_up(), init()]
}

fn oom() -> Trouble {
    let resources =
        json!({ "requests": { "cpu": "100m", "memory": "15Mi" }, "limits": { "memory": "15Mi" } });
    let app =
        App::new("search", "ranker").label(OOM.0).container(json!({ "resources": resources }));
    Trouble {
        scene: "oom",
        namespace: app.namespace,
        name: app.name,
        conduct: Some(OOM),
        objects: vec![app.deployment()],
        log: &[
            "level=info msg=\"loading model\" path=/models/ranker-v7.bin bytes=241172480",
            "level=info msg=\"allocated\" bytes=15204352",
        ],
    }
}

fn gives_up() -> Trouble {
    let app = App::new("payments", "payouts").label(GIVES_UP.0);
    Trouble {
        scene: "crashing",
        namespace: app.namespace,
        name: app.name,
        conduct: Some(GIVES_UP),
        objects: vec![app.deployment()],
        log: &[
            "level=info msg=\"starting\" version=1.0.0",
            "level=error msg=\"fatal: PAYOUT_BUCKET is not set\"",
        ],
    }
}

fn init() -> Trouble {
    let command = ["sh", "-c", "nslookup database-service.payments.svc.cluster.local"];
    let first = json!({ "name": "await-database", "image": "busybox:1.36", "command": command });
    let app =
        App::new("payments", "dunning").label(INIT.0).pod(json!({ "initContainers": [first] }));
    Trouble {
        scene: "init-failing",
        namespace: app.namespace,
        name: app.name,
        conduct: Some(INIT),
        objects: vec![app.deployment()],
        log: &[],
    }
}

//! What KWOK is told: how pods and nodes live (stages), what their logs are, what `exec` runs and where a forwarded port leads.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::Result;
use serde_json::{Value, json};

use super::Plan;
use crate::{
    life::{logs, teams},
    programs::Programs,
    troubles,
};

const OWN_STAGES: [&str; 3] = [
    include_str!("../../stages/pod-flapping.yaml"),
    include_str!("../../stages/job.yaml"),
    include_str!("../../stages/node.yaml"),
];

/// Programs that `exec` finds first on its PATH; more can be put into the folder while the fleet runs.
const SCRIPTS: [(&str, &str); 1] = [("about", include_str!("../../scripts/about"))];

/// KWOK's configuration: KWOK's stages, ours, and the rules for logs, exec and port-forward.
pub fn configuration(plan: &Plan, stages: &str, programs: &Programs) -> Result<String> {
    let scripts = scripts(&plan.folder);
    write_scripts(&scripts)?;
    let mut rules = vec![exec_rule(plan, &scripts), port_rule(programs)];
    rules.extend(teams::namespaces().map(|namespace| log_rule(&plan.folder, namespace)));
    let mut documents = vec![stages.to_owned()];
    documents.extend(OWN_STAGES.map(String::from));
    documents.extend(troubles::stages().iter().map(Value::to_string));
    documents.extend(rules.iter().map(Value::to_string));
    Ok(documents.join("\n---\n"))
}

fn scripts(folder: &Path) -> PathBuf {
    folder.join("exec")
}

/// Where `exec` looks for programs: in our scripts first, then among the machine's own.
pub fn search_path(folder: &Path) -> String {
    format!("{}:/usr/local/bin:/usr/bin:/bin", scripts(folder).display())
}

fn write_scripts(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, text) in SCRIPTS {
        let path = folder.join(name);
        std::fs::write(&path, text)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn rule(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": kind,
        "metadata": { "name": name },
        "spec": spec,
    })
}

/// `exec` in any pod runs a real process of this machine, as the user of the fleet.
fn exec_rule(plan: &Plan, scripts: &Path) -> Value {
    let envs = json!([{ "name": "PATH", "value": search_path(&plan.folder) }, { "name": "PRACTICE_FLEET_CLUSTER", "value": plan.name }]);
    rule(
        "ClusterExec",
        "scripts",
        &json!({ "execs": [{ "local": { "workDir": scripts, "envs": envs } }] }),
    )
}

fn port_rule(programs: &Programs) -> Value {
    let forwards: Vec<_> = programs
        .iter()
        .map(|(program, at)| {
            let target = json!({ "address": at.ip().to_string(), "port": at.port() });
            json!({ "ports": [program.pod_port()], "target": target })
        })
        .collect();
    rule("ClusterPortForward", "programs", &json!({ "forwards": forwards }))
}

/// The pods of a workload share a log; its file bears the name of their container.
fn log_rule(folder: &Path, namespace: &str) -> Value {
    let of_troubles = troubles::logs(namespace).into_iter().map(|(container, _)| container);
    let files: Vec<_> = teams::containers(namespace)
        .chain(of_troubles)
        .map(|container| {
            let file = logs::file(folder, namespace, container);
            json!({ "containers": [container], "logsFile": file, "previousLogsFile": file, "follow": true })
        })
        .collect();
    rule(
        "ClusterLogs",
        namespace,
        &json!({ "selector": { "matchNamespaces": [namespace] }, "logs": files }),
    )
}

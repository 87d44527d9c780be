//! The chart: linted, refused where its values cannot be meant, and each rendering taken by a real API server under
//! strict validation of every field, within the restricted Pod Security Standard, with no more rights than asked for,
//! and with settings that the console itself can read.

mod practice;
mod values;

use std::path::Path;

use practice::{Practice, chart, cluster, helm, said, told};
use serde_json::Value as Json;
use values::{FULL, LEAST, REFUSED, TAKEN};

const NAMESPACE: &str = "quarterdeck";

/// Everything is checked as for storing it, and nothing is stored.
const DRY_RUN: [&str; 6] =
    ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];

fn render(values: &str) -> practice::Said {
    let chart = chart();
    let chart = chart.to_str().expect("UTF-8");
    helm(&["template", "qd", chart, "--namespace", NAMESPACE, "--values", "-"], values)
}

#[test]
fn helm_finds_nothing_to_say() {
    let chart = chart();
    let said = helm(&["lint", "--strict", chart.to_str().expect("UTF-8"), "--values", "-"], LEAST);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(!said.out.contains("[WARNING]") && !said.out.contains("[ERROR]"), "{}", said.out);
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_name() {
    for (values, wanted) in REFUSED {
        let said = render(values);
        assert_ne!(said.code, 0, "{values}");
        assert!(said.err.contains(wanted), "{values}: {}", said.err);
    }
}

/// What is said after an install, which a template does not show.
#[test]
fn the_notes_say_how_the_first_person_gets_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("values.yaml");
    std::fs::write(&file, LEAST).expect("written");
    let chart = chart();
    let args = ["install", "qd", chart.to_str().expect("UTF-8"), "--dry-run=client", "--values"];
    let said = helm(&[args.as_slice(), &[file.to_str().expect("UTF-8")]].concat(), "").done();
    for wanted in ["Nobody can sign in yet", "quarterdeck.db.key", "trustedProxies is empty"] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}

#[test]
fn every_rendering_is_taken_by_a_real_api_server() {
    let practice = cluster();
    prepare(&practice);
    for (what, values) in TAKEN {
        let rendered = render(values).done();
        let objects = dry_run(&practice, what, &rendered);
        let documents = rendered.lines().filter(|line| line.starts_with("kind: ")).count();
        assert_eq!(objects.len(), documents, "{what}: each document is an object");
        pods_are_restrained(what, &objects);
        rights_are_few(what, &objects);
        if !values.contains("rbac:") {
            let kinds = objects.iter().filter_map(|object| object["kind"].as_str());
            let rights: Vec<_> = kinds.filter(|kind| kind.contains("Role")).collect();
            assert!(rights.is_empty(), "{what}: {rights:?}, and nobody asked");
        }
        settings_are_read(what, &objects);
    }
    a_slip_is_refused(&practice);
    rights_are_as_told(&practice);
}

/// The namespaces that the values speak of, and the kinds that a bare cluster lacks.
fn prepare(practice: &Practice) {
    for namespace in [NAMESPACE, "ops", "monitoring"] {
        practice.kubectl(&["create", "namespace", namespace], "").done();
    }
    let labels =
        ["enforce", "warn"].map(|mode| format!("pod-security.kubernetes.io/{mode}=restricted"));
    practice.kubectl(&["label", "namespace", NAMESPACE, &labels[0], &labels[1]], "").done();
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    practice.kubectl(&["apply", "-f", crds.to_str().expect("UTF-8")], "").done();
    let wait = ["wait", "--for=condition=Established", "--timeout=60s", "crd"];
    for name in ["servicemonitors.monitoring.coreos.com", "httproutes.gateway.networking.k8s.io"] {
        practice.kubectl(&[wait.as_slice(), &[name]].concat(), "").done();
    }
}

/// The objects as the server would store them.
fn dry_run(practice: &Practice, what: &str, rendered: &str) -> Vec<Json> {
    let said = practice.kubectl(&[DRY_RUN.as_slice(), &["-o", "json"]].concat(), rendered);
    assert_eq!(said.code, 0, "{what}: {}", said.err);
    // Of the Pod Security Standard, and of fields that are on their way out.
    assert!(!said.err.contains("Warning"), "{what}: {}", said.err);
    let answer: Json = serde_json::from_str(&said.out).expect("JSON");
    match answer["items"].as_array() {
        Some(items) => items.clone(),
        None => vec![answer],
    }
}

fn pods(objects: &[Json]) -> impl Iterator<Item = &Json> {
    let kinds = ["Deployment", "Job"];
    let with = move |object: &&Json| kinds.iter().any(|kind| object["kind"] == *kind);
    objects.iter().filter(with).map(|object| &object["spec"]["template"]["spec"])
}

/// What the Standard asks for, and what it does not.
fn pods_are_restrained(what: &str, objects: &[Json]) {
    let mut seen = 0;
    for pod in pods(objects) {
        seen += 1;
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{what}");
        assert_eq!(pod["enableServiceLinks"], false, "{what}");
        assert!(pod["hostNetwork"].is_null() && pod["hostPID"].is_null(), "{what}");
        for container in pod["containers"].as_array().expect("containers") {
            let security = &container["securityContext"];
            assert_eq!(security["readOnlyRootFilesystem"], true, "{what}");
            assert_eq!(security["runAsNonRoot"], true, "{what}");
            assert_eq!(security["allowPrivilegeEscalation"], false, "{what}");
            assert_eq!(security["capabilities"]["drop"], serde_json::json!(["ALL"]), "{what}");
            assert!(container["resources"]["requests"]["memory"].is_string(), "{what}");
            if container["name"] == "quarterdeck" {
                let path = |probe: &str| container[probe]["httpGet"]["path"].clone();
                assert_eq!(path("startupProbe"), "/healthz", "{what}");
                assert_eq!(path("livenessProbe"), "/healthz", "{what}");
                assert_eq!(path("readinessProbe"), "/readyz", "{what}");
            }
        }
    }
    assert!(seen > 0, "{what}: no pod was looked at");
}

/// No rule says "all", and secrets are named one by one and only read.
fn rights_are_few(what: &str, objects: &[Json]) {
    for object in objects {
        for rule in object["rules"].as_array().into_iter().flatten() {
            let words = |key: &str| {
                let words = rule[key].as_array().into_iter().flatten();
                words.filter_map(Json::as_str).map(str::to_owned).collect::<Vec<_>>()
            };
            // An Ingress and a route have rules of another kind.
            if words("verbs").is_empty() {
                continue;
            }
            let all = [words("verbs"), words("resources"), words("apiGroups")].concat();
            assert!(!all.iter().any(|word| word.contains('*')), "{what}: {rule}");
            assert!(
                words("verbs").iter().all(|verb| ["get", "list", "watch"].contains(&verb.as_str())),
                "{rule}"
            );
            let named = ["secrets", "services/proxy"];
            if words("resources").iter().any(|resource| named.contains(&resource.as_str())) {
                assert!(!words("resourceNames").is_empty(), "{what}: {rule}");
                assert_eq!(words("verbs"), ["get"], "{what}: {rule}");
                assert_eq!(object["kind"], "Role", "{what}: {rule}");
            }
        }
    }
}

/// The console reads each pod's settings as the pod would, up to the moment when it needs the database.
fn settings_are_read(what: &str, objects: &[Json]) {
    let config = objects.iter().find(|object| object["kind"] == "ConfigMap").expect("a ConfigMap");
    let config = config["data"]["quarterdeck.toml"].as_str().expect("a file");
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().to_str().expect("UTF-8");
    let authority = fleet::pki::Authority::new("practice").expect("an authority").certificate;
    for name in ["oidc-ca", "egress-ca"] {
        std::fs::create_dir(folder.path().join(name)).expect("a folder");
        std::fs::write(folder.path().join(name).join("ca.crt"), &authority).expect("written");
    }
    let here = config.replace("/etc/quarterdeck", root).replace("/var/lib/quarterdeck", root);
    let file = folder.path().join("quarterdeck.toml");
    std::fs::write(&file, here).expect("written");
    for pod in pods(objects) {
        let mut command = std::process::Command::new(told("QUARTERDECK_BIN"));
        command.env_clear().current_dir(folder.path()).args(["keys", "list"]);
        for variable in pod["containers"][0]["env"].as_array().into_iter().flatten() {
            let name = variable["name"].as_str().expect("a name");
            let value = match name {
                "QUARTERDECK_CONFIG" => file.to_str().expect("UTF-8"),
                "QUARTERDECK_DATABASE_URL" => "postgres://nobody@127.0.0.1:1/none",
                "QUARTERDECK_VAULT_KEYS" => "k-1 cXVhcnRlcmRlY2sgdGVzdCByaW5nLCBub3Qgc2VjcmU=",
                "QUARTERDECK_OIDC_CLIENT_SECRET" => "not-a-secret",
                _ => variable["value"].as_str().expect("a value"),
            };
            command.env(name, value);
        }
        let said = said(&mut command, "");
        // 2 would be a setting that it does not understand; 1 is the database that is not there.
        assert_eq!(said.code, 1, "{what}: {}{}", said.out, said.err);
        assert!(said.err.contains("the database cannot be opened"), "{what}: {}", said.err);
    }
}

/// The same check finds a field that does not exist, and a pod that may do more than it should.
fn a_slip_is_refused(practice: &Practice) {
    let good = render(LEAST).done();
    let slip = good.replacen("enableServiceLinks: false", "enableServiceLink: false", 1);
    assert_ne!(good, slip);
    let said = practice.kubectl(&DRY_RUN, &slip);
    assert_ne!(said.code, 0);
    assert!(said.err.contains("enableServiceLink: field not declared"), "{}", said.err);
    let loose = good.replacen("drop: [ALL]", "drop: [CHOWN]", 1);
    assert_ne!(good, loose);
    let said = practice.kubectl(&DRY_RUN, &loose);
    assert!(said.err.contains("would violate PodSecurity"), "{}", said.err);
}

/// Applied in earnest, the rights are what the values say, asked of the API server itself.
fn rights_are_as_told(practice: &Practice) {
    let rendered = render(FULL).done();
    let rights: Vec<&str> = rendered
        .split("\n---\n")
        .filter(|text| {
            text.contains("kind: ServiceAccount\nmetadata") || text.contains("rbac.authorization")
        })
        .collect();
    practice.kubectl(&["apply", "-f", "-"], &rights.join("\n---\n")).done();
    let who = format!("--as=system:serviceaccount:{NAMESPACE}:qd-quarterdeck");
    let may = |words: &[&str]| {
        let said = practice.kubectl(&[&["auth", "can-i", &who], words].concat(), "");
        said.out.trim() == "yes"
    };
    for yes in [
        &["get", "secret/prometheus-token", "-n", "ops"][..],
        &["get", "secret/tempo-token", "-n", "monitoring"],
        &["get", "services/prometheus:9090", "--subresource=proxy", "-n", "monitoring"],
        &["list", "pods", "-A"],
        &["watch", "nodes"],
        &["get", "configmap/any", "-n", "ops"],
    ] {
        assert!(may(yes), "{yes:?}");
    }
    for no in [
        &["get", "secret/another", "-n", "ops"][..],
        &["get", "secret/prometheus-token", "-n", NAMESPACE],
        &["list", "secrets", "-n", "ops"],
        &["list", "configmaps", "-n", "ops"],
        &["delete", "pods", "-n", "ops"],
        &["create", "pods", "--subresource=exec", "-n", "ops"],
        &["get", "nodes", "--subresource=proxy"],
        &["get", "services/other", "--subresource=proxy", "-n", "monitoring"],
        &["create", "tokenreviews.authentication.k8s.io"],
        &["impersonate", "users"],
        &["escalate", "clusterroles.rbac.authorization.k8s.io"],
    ] {
        assert!(!may(no), "{no:?}");
    }
}

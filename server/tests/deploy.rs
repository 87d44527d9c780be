//! What `deploy/` says is true: the chart grants what the console itself says that it needs, and each line of the table
//! of dependencies names a test that is there.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use server::fleet::rbac::FEATURES;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

type Rights = BTreeSet<(String, String, String)>;

fn words(list: &str) -> Vec<String> {
    let words = list.trim_matches(['[', ']']).split(',');
    words.map(|word| word.trim().trim_matches('"').to_owned()).collect()
}

/// The rules of the chart's ClusterRole, which are written out, without a template in them.
fn of_the_chart() -> Rights {
    let file =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/helm/quarterdeck/templates/rbac.yaml");
    let text = std::fs::read_to_string(file).expect("the chart");
    let (_, rest) = text.split_once("\nrules:\n").expect("rules");
    let (rules, _) = rest.split_once("\n---\n").expect("an end");
    let mut rights = Rights::new();
    let (mut groups, mut resources) = (Vec::new(), Vec::new());
    for line in rules.lines() {
        let line = line.trim().trim_start_matches("- ");
        if let Some(list) = line.strip_prefix("apiGroups: ") {
            groups = words(list);
        } else if let Some(list) = line.strip_prefix("resources: ") {
            resources = words(list);
        } else if let Some(list) = line.strip_prefix("verbs: ") {
            for verb in words(list) {
                for resource in &resources {
                    rights.insert((groups.concat(), resource.clone(), verb.clone()));
                }
            }
        } else {
            assert!(line.starts_with('#'), "what is {line:?}?");
        }
    }
    rights
}

#[test]
fn the_chart_grants_what_the_console_needs_and_nothing_else() {
    let mut needed = Rights::new();
    for need in FEATURES.iter().flat_map(|feature| feature.needs) {
        for resource in need.resources {
            for verb in need.verbs {
                needed.insert((need.group.into(), (*resource).into(), (*verb).into()));
            }
        }
    }
    let granted = of_the_chart();
    assert!(granted.len() > 20, "{granted:?}");
    assert_eq!(needed, granted);
}

/// Every Rust file of the tests below a folder.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() && !name.ends_with("node_modules") && !name.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push((name, std::fs::read_to_string(&path).expect("text")));
        }
    }
}

#[test]
fn each_line_of_the_table_of_dependencies_names_what_tries_it() {
    let table = std::fs::read_to_string(root().join("deploy/DEPENDENCIES.md")).expect("the table");
    let mut tests = Vec::new();
    for folder in ["server/tests", "server/src", "end2end"] {
        sources(&root().join(folder), &mut tests);
    }
    let mut lines = 0;
    for line in table.lines().filter(|line| line.starts_with("| ")) {
        let tried = line.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        if tried == "tried by" {
            continue;
        }
        lines += 1;
        let mut named = 0;
        for name in tried.split('`').skip(1).step_by(2) {
            let function = format!("fn {name}(");
            assert!(tests.iter().any(|(_, text)| text.contains(&function)), "{name}: {line}");
            named += 1;
        }
        // Whole files by their path below the tests.
        for file in tried.split([' ', ',']).filter(|word| word.contains('/') || *word == "backup") {
            let file = file.trim_matches(['(', ')', ',']);
            let there = |(path, _): &(String, String)| {
                path.ends_with(&format!("tests/{file}.rs"))
                    || path.contains(&format!("tests/{file}/"))
                    || path.contains(&format!("{}/tests/", file.split('/').next().unwrap_or(file)))
            };
            assert!(tests.iter().any(there), "{file}: {line}");
            named += 1;
        }
        assert!(named > 0, "nothing tries this: {line}");
    }
    assert!(lines > 30, "{lines} lines");
}

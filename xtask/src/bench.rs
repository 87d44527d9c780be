//! Owns the list of benchmarks and starts the program that each of them is. Must not measure anything itself.

use std::path::Path;

use anyhow::{Result, bail};

use crate::build;
use crate::process;
use crate::workspace::Workspace;

/// A program of the workspace, started with the benchmark's name.
struct Bench {
    name: &'static str,
    what: &'static str,
    package: &'static str,
    folder: &'static str,
}

const BENCHES: &[Bench] = &[Bench {
    name: "lists",
    what: "first byte and whole page of the run lists at 1 k, 100 k and 1 M runs, on both engines",
    package: "bench",
    folder: "end2end/bench",
}];

pub fn names() -> String {
    BENCHES.iter().map(|bench| bench.name).collect::<Vec<_>>().join(", ")
}

/// What `bench --help` says after its own words.
pub fn describe() {
    for bench in BENCHES {
        println!("    {:<10}{}", bench.name, bench.what);
    }
}

pub fn run(workspace: &Workspace, name: &str, args: &[String]) -> Result<()> {
    let bench = find(name, &workspace.root)?;
    let mut cargo = build::cargo(workspace, "run");
    cargo.args(["--release", "--package", bench.package, "--", bench.name]).args(args);
    process::run(&mut cargo)
}

fn find(name: &str, root: &Path) -> Result<&'static Bench> {
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == name) else {
        bail!("no benchmark is called `{name}`; known: {}", names());
    };
    if !root.join(bench.folder).exists() {
        bail!("the benchmark `{name}` is not in this tree yet: {} is missing", bench.folder);
    }
    Ok(bench)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_lists_those_that_are_known() {
        let words = find("list", Path::new("/")).err().unwrap().to_string();
        assert!(words.contains("`list`") && words.contains("lists"), "{words}");
    }

    #[test]
    fn a_benchmark_without_its_program_says_what_is_missing() {
        let words = find("lists", Path::new("/nowhere")).err().unwrap().to_string();
        assert!(words.contains("end2end/bench"), "{words}");
    }
}

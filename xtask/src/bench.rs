//! Owns the list of benchmarks and starts each with what it needs. Must not measure anything itself.

use std::path::Path;

use anyhow::{Result, bail};

use crate::build;
use crate::postgres::{POSTGRES_URL, Postgres};
use crate::process;
use crate::setup;
use crate::test::browser;
use crate::workspace::Workspace;

/// A bench target of a crate.
struct Bench {
    name: &'static str,
    what: &'static str,
    package: &'static str,
    source: &'static str,
    /// What of it is measured in a browser: a file of `end2end/tests/bench`.
    browser: Option<&'static str>,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "lists",
        what: "first byte and whole page of the run lists at 1 k, 100 k and 1 M runs, on both engines",
        package: "server",
        source: "server/benches/lists.rs",
        browser: None,
    },
    Bench {
        name: "audit",
        what: "audited changes a second by 16 writers on Postgres",
        package: "server",
        source: "server/benches/audit.rs",
        browser: None,
    },
    Bench {
        name: "identity",
        what: "sign-ins a second, and requests with a session and a capability check against those without",
        package: "server",
        source: "server/benches/identity.rs",
        browser: None,
    },
    Bench {
        name: "runs",
        what: "runs a second, time from enqueue to start, lists under writes, memory over time, on both engines",
        package: "server",
        source: "server/benches/runs/main.rs",
        browser: None,
    },
    Bench {
        name: "fleet",
        what: "memory for each watched pod at 50 000 pods; how late 500 clusters are looked at; the first row of 10 000 pods in a browser, with the bytes",
        package: "server",
        source: "server/benches/fleet.rs",
        browser: Some("pods"),
    },
];

pub fn names() -> String {
    BENCHES.iter().map(|bench| bench.name).collect::<Vec<_>>().join(", ")
}

/// What `bench --help` says after its own words.
pub fn describe() {
    for bench in BENCHES {
        println!("    {:<10}{}", bench.name, bench.what);
    }
}

/// Gives it a Postgres of its own, and the assets without which a page would be lighter than it is.
pub fn run(workspace: &Workspace, name: &str, args: &[String]) -> Result<()> {
    let bench = find(name, &workspace.root)?;
    build::assets(workspace)?;
    let postgres = Postgres::start(&setup::postgres::ensure(workspace)?, workspace)?;
    let mut cargo = build::cargo(workspace, "bench");
    cargo
        .args(["--package", bench.package, "--bench", bench.name])
        .env(POSTGRES_URL, &postgres.url);
    process::run(cargo.arg("--").args(args))?;
    match bench.browser {
        // Built for the benchmark, as its package's program.
        Some(name) => browser::measure(workspace, &workspace.built("release", "quarterdeck"), name),
        None => Ok(()),
    }
}

fn find(name: &str, root: &Path) -> Result<&'static Bench> {
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == name) else {
        bail!("no benchmark is called `{name}`; known: {}", names());
    };
    if !root.join(bench.source).exists() {
        bail!("the benchmark `{name}` is not in this tree: {} is missing", bench.source);
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
        assert!(words.contains("benches/lists.rs"), "{words}");
    }
}

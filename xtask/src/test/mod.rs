//! Owns `test`: its parts, their order, and the one summary at the end. A part that fails does not keep the
//! others from running, so that one run tells all there is to repair. Each part is a module; none may depend on
//! what another one left behind.

pub mod browser;
mod budget;
mod licences;
mod lints;
mod rust;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::build;
use crate::process;
use crate::progress::seconds;
use crate::workspace::Workspace;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Fmt,
    Clippy,
    Deny,
    Unit,
    Store,
    Identity,
    Fleet,
    Deploy,
    Size,
    Budget,
    Browser,
}

impl Part {
    pub const ALL: [Self; 11] = [
        Self::Fmt,
        Self::Clippy,
        Self::Deny,
        Self::Unit,
        Self::Store,
        Self::Identity,
        Self::Fleet,
        Self::Deploy,
        Self::Size,
        Self::Budget,
        Self::Browser,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Deny => "deny",
            Self::Unit => "unit",
            Self::Store => "store",
            Self::Identity => "identity",
            Self::Fleet => "fleet",
            Self::Deploy => "deploy",
            Self::Size => "size",
            Self::Budget => "budget",
            Self::Browser => "browser",
        }
    }

    pub fn parse(word: &str) -> Result<Self> {
        let name = if word == "postgres" { "store" } else { word };
        let found = Self::ALL.into_iter().find(|part| part.name() == name);
        found.with_context(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!("`{word}` is no part of the tests; known: {known}")
        })
    }

    fn run(self, workspace: &Workspace) -> Result<()> {
        match self {
            Self::Fmt => lints::fmt(workspace),
            Self::Clippy => lints::clippy(workspace),
            Self::Deny => licences::check(workspace),
            Self::Unit => rust::unit(workspace),
            Self::Store => rust::store(workspace),
            Self::Identity => rust::identity(workspace),
            Self::Fleet => rust::fleet(workspace),
            Self::Deploy => rust::deploy(workspace),
            Self::Size => budget::size(workspace),
            Self::Budget => budget::page(workspace),
            Self::Browser => browser::run(workspace),
        }
    }
}

/// One line of the summary.
struct Outcome {
    name: &'static str,
    result: Result<()>,
    time: Duration,
}

/// What the runs of parts amount to.
struct Summary {
    since: Instant,
    outcomes: Vec<Outcome>,
}

pub fn run(workspace: &Workspace, parts: &[Part]) -> Result<()> {
    let mut summary = Summary { since: Instant::now(), outcomes: Vec::new() };
    if parts.is_empty() {
        everything(workspace, &mut summary);
    } else {
        for part in parts {
            summary.take(part.name(), || part.run(workspace));
        }
    }
    summary.close()
}

/// The quick ones first, and all crates' tests in one run of cargo: one set of features, one link of each test.
fn everything(workspace: &Workspace, summary: &mut Summary) {
    for part in [Part::Fmt, Part::Deny] {
        summary.take(part.name(), || part.run(workspace));
    }
    summary.take("assets", || build::assets(workspace).map(drop));
    let tools = summary
        .take("control plane", || crate::control_plane::ensure(&workspace.cache, &workspace.root));
    let helm = summary.take("helm", || crate::helm::ensure(&workspace.cache, &workspace.root));
    summary.take("unit, store, fleet", || {
        rust::everything(workspace, tools.as_deref(), helm.as_deref())
    });
    for part in [Part::Clippy, Part::Size, Part::Budget, Part::Browser] {
        summary.take(part.name(), || part.run(workspace));
    }
}

impl Summary {
    fn take<T>(&mut self, name: &'static str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        if process::interrupted() {
            return None;
        }
        println!("\n── {name} ──");
        let since = Instant::now();
        let (value, result) = match work() {
            Ok(value) => (Some(value), Ok(())),
            Err(error) => {
                eprintln!("{name} failed: {error:#}");
                (None, Err(error))
            }
        };
        self.outcomes.push(Outcome { name, result, time: since.elapsed() });
        value
    }

    fn close(self) -> Result<()> {
        println!("\n── summary ──");
        for outcome in &self.outcomes {
            let word = if outcome.result.is_ok() { "ok" } else { "FAILED" };
            println!("  {:<22}{word:<8}{:>12}", outcome.name, seconds(outcome.time));
            if let Err(error) = &outcome.result {
                println!("      {}", first_line(&format!("{error:#}")));
            }
        }
        println!("  {:<22}{:<8}{:>12}", "all", "", seconds(self.since.elapsed()));
        if process::interrupted() {
            bail!("interrupted");
        }
        let failed: Vec<_> =
            self.outcomes.iter().filter(|outcome| outcome.result.is_err()).collect();
        if let [first, ..] = &failed[..] {
            bail!(
                "{} of {} parts failed; run one of them alone with `cargo xtask test {}`",
                failed.len(),
                self.outcomes.len(),
                alone(first.name)
            );
        }
        Ok(())
    }
}

/// The part to type for a line of the summary.
fn alone(name: &str) -> &str {
    match name {
        "assets" => "size",
        "control plane" => "fleet",
        "helm" => "deploy",
        "unit, store, fleet" => "unit",
        part => part,
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_the_names_that_are_typed() {
        for part in Part::ALL {
            assert_eq!(Part::parse(part.name()).unwrap(), part);
        }
        assert_eq!(Part::parse("postgres").unwrap(), Part::Store);
        assert!(Part::parse("all").unwrap_err().to_string().contains("browser"));
    }

    #[test]
    fn a_failure_does_not_hide_the_parts_after_it() {
        let mut summary = Summary { since: Instant::now(), outcomes: Vec::new() };
        summary.take("fmt", || -> Result<()> { bail!("run cargo fmt") });
        let seen = summary.take("deny", || Ok(7));
        assert_eq!(seen, Some(7));
        let words = summary.close().unwrap_err().to_string();
        assert_eq!(words, "1 of 2 parts failed; run one of them alone with `cargo xtask test fmt`");
    }

    #[test]
    fn what_the_summary_names_can_be_typed() {
        for name in ["fmt", "assets", "control plane", "helm", "unit, store, fleet"] {
            assert!(Part::parse(alone(name)).is_ok(), "{name}");
        }
    }
}

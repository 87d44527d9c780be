//! Owns which versions of Go and Node serve, and where to get them. Neither is installed by xtask: Debian's
//! own are too old, and a tool chain is for its user to choose.

use anyhow::{Result, bail};

use crate::process;

/// The control plane's modules ask for it.
const GO: Version = Version(1, 26);

/// The oldest that the npm packages of the build and of the browser tests support.
const NODE: Version = Version(20, 0);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

pub fn ensure_go() -> Result<()> {
    ensure("Go", "go", "version", GO, "https://go.dev/dl/")
}

pub fn ensure_node() -> Result<()> {
    ensure(
        "Node.js",
        "node",
        "--version",
        NODE,
        "https://nodejs.org/en/download, or a version manager such as nvm or fnm",
    )
}

fn ensure(name: &str, program: &str, argument: &str, least: Version, from: &str) -> Result<()> {
    let wanted = format!("{name} {}.{} or newer is needed: get it from {from}", least.0, least.1);
    if process::find(program).is_none() {
        bail!("`{program}` is not on PATH. {wanted}");
    }
    let printed = process::capture(process::command(program).arg(argument))?;
    match parse(&printed) {
        Some(version) if version >= least => Ok(()),
        Some(Version(major, minor)) => bail!("`{program}` is {major}.{minor}. {wanted}"),
        None => bail!("`{program} {argument}` said {printed:?}, which names no version. {wanted}"),
    }
}

/// Finds the first `digits.digits` in what a program says of itself.
pub fn parse(text: &str) -> Option<Version> {
    text.split(|letter: char| !letter.is_ascii_digit() && letter != '.').find_map(|word| {
        let mut numbers = word.split('.').map(str::parse::<u32>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Some(Version(major, minor)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_tools_print() {
        assert_eq!(parse("go version go1.26.8 linux/amd64"), Some(Version(1, 26)));
        assert_eq!(parse("v20.20.2\n"), Some(Version(20, 20)));
        assert_eq!(parse("rustc 1.96.0 (ac68faa20 2026-05-25)"), Some(Version(1, 96)));
        assert_eq!(parse("postgres (PostgreSQL) 15.14 (Debian 15.14-0)"), Some(Version(15, 14)));
        assert_eq!(parse("devel"), None);
    }

    #[test]
    fn newer_is_more() {
        assert!(Version(1, 100) > Version(1, 26));
        assert!(Version(2, 0) > Version(1, 26));
        assert!(Version(1, 9) < Version(1, 26));
    }
}

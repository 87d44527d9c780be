//! Owns the style checks: rustfmt, and clippy for the server's half and for the browser's half of the workspace.

use anyhow::{Context, Result};

use crate::build::{self, wasm};
use crate::process;
use crate::setup;
use crate::workspace::Workspace;

const DENY_WARNINGS: [&str; 3] = ["--", "-D", "warnings"];

pub fn fmt(workspace: &Workspace) -> Result<()> {
    process::run(
        process::command("cargo").current_dir(&workspace.root).args(["fmt", "--all", "--check"]),
    )
    .context("run `cargo fmt --all`")
}

/// The crate `app` is two programs, one per feature; each has lints of its own.
pub fn clippy(workspace: &Workspace) -> Result<()> {
    let mut server = build::cargo(workspace, "clippy");
    server.args(["--workspace", "--exclude", "frontend", "--all-targets"]).args(DENY_WARNINGS);
    process::run(&mut server).context("for the server")?;

    let toolchain = setup::wasm::ensure(workspace)?;
    let linted = toolchain.has_clippy();
    let command = if linted { "clippy" } else { "check" };
    let mut browser = wasm::cargo(&toolchain, workspace, command);
    browser.args(["--package", "app"]);
    if linted {
        browser.args(DENY_WARNINGS);
    } else {
        println!("no clippy beside {}: the browser's half is only compiled", toolchain.label);
    }
    process::run(&mut browser).context("for the browser")
}

//! Owns running Playwright (`end2end/tests`) against the built server in Debian's Chromium, with a cluster of the practice
//! fleet where its programs can be had.
//! Must not know any page.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build::{self, hash};
use crate::console;
use crate::control_plane;
use crate::process;
use crate::progress::step;
use crate::setup;
use crate::workspace::Workspace;

/// Remembers which lock file `node_modules` was made from.
const STAMP: &str = "node_modules/.quarterdeck-lock";

/// The console that is looked at.
const QUARTERDECK_BIN: &str = "QUARTERDECK_BIN";

/// What the specs start a cluster of the practice fleet with, or why they have none.
const FLEET_TOOLS: &str = "FLEET_TOOLS";
const FLEET_BIN: &str = "FLEET_BIN";
const FLEET_MISSING: &str = "FLEET_MISSING";

pub fn run(workspace: &Workspace) -> Result<()> {
    let mut playwright = playwright(workspace)?;
    build::assets(workspace)?;
    playwright.env(QUARTERDECK_BIN, build::server(workspace)?);
    process::run(&mut playwright).context(
        "traces and screenshots are in end2end/tests/results; `npx playwright test --help` there narrows it down",
    )
}

/// What is measured in the browser, of a console that is built already.
pub fn measure(workspace: &Workspace, console: &Path, name: &str) -> Result<()> {
    let mut playwright = playwright(workspace)?;
    playwright.env(QUARTERDECK_BIN, console).args(["--config", "bench.config.ts", name]);
    process::run(&mut playwright)
}

/// Playwright with all that it needs but a console.
fn playwright(workspace: &Workspace) -> Result<Command> {
    let folder = workspace.root.join("end2end/tests");
    if !folder.join("package.json").exists() {
        bail!("there are no browser tests in end2end/tests yet");
    }
    setup::version::ensure_node()?;
    let chromium = setup::chromium::ensure(workspace)?;
    packages(workspace, &folder)?;
    let mut playwright = process::command("npx");
    console::forget_settings(&mut playwright);
    match practice(workspace) {
        Ok((tools, fleet)) => playwright.env(FLEET_TOOLS, tools).env(FLEET_BIN, fleet),
        Err(error) => {
            eprintln!("what is looked at with a cluster is skipped: {error:#}");
            playwright.env(FLEET_MISSING, format!("{error:#}"))
        }
    };
    playwright.current_dir(&folder).env("CHROMIUM", chromium);
    playwright.args(["--no-install", "playwright", "test"]);
    Ok(playwright)
}

/// The programs of a cluster, and the one that starts it.
fn practice(workspace: &Workspace) -> Result<(PathBuf, PathBuf)> {
    let tools = control_plane::ensure(&workspace.cache, &workspace.root)?;
    let fleet = step("practice fleet", || build::program(workspace, "fleet"))?;
    Ok((tools, fleet))
}

fn packages(workspace: &Workspace, folder: &Path) -> Result<()> {
    let lock =
        fs::read(folder.join("package-lock.json")).context("end2end/tests/package-lock.json")?;
    let (stamp, wanted) = (folder.join(STAMP), hash::short(&lock));
    if fs::read_to_string(&stamp).is_ok_and(|had| had == wanted) {
        return Ok(());
    }
    step("npm: browser tests", || {
        process::run_logged(
            process::command("npm")
                .current_dir(folder)
                // The browser is Debian's; Playwright's own is a download from elsewhere.
                .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
                .args(["ci", "--no-audit", "--no-fund"]),
            &workspace.logs().join("npm-tests.log"),
        )?;
        fs::write(&stamp, wanted).context("cannot write into node_modules")
    })
}

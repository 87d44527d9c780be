//! Owns running Playwright (`end2end/tests`) against the built server in Debian's Chromium.
//! Must not know any page.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::build::{self, hash};
use crate::console;
use crate::process;
use crate::progress::step;
use crate::setup;
use crate::workspace::Workspace;

/// Remembers which lock file `node_modules` was made from.
const STAMP: &str = "node_modules/.quarterdeck-lock";

pub fn run(workspace: &Workspace) -> Result<()> {
    let folder = workspace.root.join("end2end/tests");
    if !folder.join("package.json").exists() {
        bail!("there are no browser tests in end2end/tests yet");
    }
    setup::version::ensure_node()?;
    let chromium = setup::chromium::ensure(workspace)?;
    packages(workspace, &folder)?;
    build::assets(workspace)?;
    let server = build::server(workspace)?;
    let mut playwright = process::command("npx");
    console::forget_settings(&mut playwright);
    playwright
        .current_dir(&folder)
        .env("QUARTERDECK_BIN", server)
        .env("CHROMIUM", chromium)
        .args(["--no-install", "playwright", "test"]);
    process::run(&mut playwright).context(
        "traces and screenshots are in end2end/tests/results; `npx playwright test --help` there narrows it down",
    )
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

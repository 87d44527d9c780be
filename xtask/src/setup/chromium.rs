//! Owns finding the Chromium that the browser tests drive. Debian's own, not Playwright's download.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::debian::{self, Missing};
use crate::process;
use crate::workspace::Workspace;

/// `CHROMIUM` names another one.
pub fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM").filter(|value| !value.is_empty()) {
        return Ok(named.into());
    }
    if let Some(found) = find() {
        return Ok(found);
    }
    debian::install(
        workspace,
        &Missing {
            what: "Chromium, for the browser tests",
            // A page without any font draws nothing that a screenshot could show.
            packages: &["chromium", "fonts-dejavu-core"],
            elsewhere: "Install Chromium or Chrome and name its program in the variable CHROMIUM.",
        },
    )?;
    find().context("apt installed chromium, yet no `chromium` is on PATH")
}

fn find() -> Option<PathBuf> {
    process::find("chromium").or_else(|| process::find("chromium-browser"))
}

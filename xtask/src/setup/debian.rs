//! Owns apt: installs packages on Debian as root, and says what to type everywhere else.
//! Must not be called when the thing is there already: apt takes seconds even to do nothing.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::progress::step;
use crate::workspace::Workspace;

/// What is missing, in the words of a person and of Debian.
pub struct Missing<'a> {
    /// For example "Chromium, for the browser tests".
    pub what: &'a str,
    pub packages: &'a [&'a str],
    /// What to do where there is no apt.
    pub elsewhere: &'a str,
}

pub fn is_debian() -> bool {
    Path::new("/etc/debian_version").exists() && process::find("apt-get").is_some()
}

pub fn may_install() -> bool {
    is_debian() && rustix::process::geteuid().is_root()
}

pub fn install(workspace: &Workspace, missing: &Missing) -> Result<()> {
    let packages = missing.packages.join(" ");
    if !is_debian() {
        bail!("missing: {}. {}", missing.what, missing.elsewhere);
    }
    if !may_install() {
        bail!(
            "missing: {}. Install it with\n    sudo apt-get install --no-install-recommends {packages}\n\
             and start this command again (as root, xtask does it by itself)",
            missing.what
        );
    }
    step(&format!("apt: {}", missing.packages[0]), || {
        let log = workspace.logs().join("apt.log");
        process::run_logged(process::command("apt-get").args(["update", "-q"]), &log)
            .context("apt cannot read its sources")?;
        process::run_logged(
            process::command("apt-get")
                .env("DEBIAN_FRONTEND", "noninteractive")
                .args(["install", "-q", "-y", "--no-install-recommends"])
                .args(missing.packages),
            &log,
        )
        .with_context(|| format!("missing: {}. apt-get could not install {packages}", missing.what))
    })
}

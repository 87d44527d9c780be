//! Owns the npm packages of the build (`xtask/npm`), installed into the cache by the hash of their lock file.
//! Must not touch the packages of the browser tests; those belong to `test browser`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::version;
use crate::build::hash;
use crate::process;
use crate::progress::step;
use crate::workspace::Workspace;

/// The folder that holds `node_modules`.
pub fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    let source = workspace.root.join("xtask/npm");
    let lock = fs::read(source.join("package-lock.json")).context("xtask/npm/package-lock.json")?;
    let folder = workspace.cache.join(format!("npm-{}", hash::short(&lock)));
    if folder.exists() {
        return Ok(folder);
    }
    version::ensure_node()?;
    let _lock = super::lock(&workspace.cache)?;
    if folder.exists() {
        return Ok(folder);
    }
    step("npm: build tools", || {
        let fresh = folder.with_extension("new");
        if fresh.exists() {
            fs::remove_dir_all(&fresh)?;
        }
        fs::create_dir_all(&fresh).with_context(|| format!("cannot make {}", fresh.display()))?;
        for name in ["package.json", "package-lock.json"] {
            fs::copy(source.join(name), fresh.join(name))
                .with_context(|| format!("cannot copy {name}"))?;
        }
        process::run_logged(
            process::command("npm")
                .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
                .current_dir(&fresh),
            &workspace.logs().join("npm.log"),
        )
        .context(
            "npm cannot install the build tools: is its registry within reach (`npm ping`)?",
        )?;
        fs::rename(&fresh, &folder).with_context(|| format!("cannot write {}", folder.display()))
    })?;
    Ok(folder)
}

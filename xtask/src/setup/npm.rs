//! Owns npm packages that are installed into the cache, by the hash of their lock file: those of the build
//! (`xtask/npm`) and those of the tests' identity provider (`end2end/idp`).
//! Must not touch the packages of the browser tests; those belong to `test browser`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::version;
use crate::build::hash;
use crate::process;
use crate::progress::step;
use crate::workspace::Workspace;

/// One lock file.
struct Set {
    /// In the repository, with `package.json` and `package-lock.json`.
    source: &'static str,
    /// How its folder in the cache begins.
    name: &'static str,
    what: &'static str,
}

const BUILD: Set = Set { source: "xtask/npm", name: "npm", what: "build tools" };
const IDP: Set = Set { source: "end2end/idp", name: "idp", what: "identity provider" };

/// The folder that holds `node_modules` of the build.
pub fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    install(workspace, &BUILD)
}

/// The folder that holds `node_modules` of the provider that the tests of sign-in run against.
pub fn ensure_idp(workspace: &Workspace) -> Result<PathBuf> {
    // It runs even when it need not be installed.
    version::ensure_node()?;
    install(workspace, &IDP)
}

fn install(workspace: &Workspace, set: &Set) -> Result<PathBuf> {
    let source = workspace.root.join(set.source);
    let lock = source.join("package-lock.json");
    let lock = fs::read(&lock).with_context(|| lock.display().to_string())?;
    let folder = workspace.cache.join(format!("{}-{}", set.name, hash::short(&lock)));
    if folder.exists() {
        return Ok(folder);
    }
    version::ensure_node()?;
    let _lock = super::lock(&workspace.cache)?;
    if folder.exists() {
        return Ok(folder);
    }
    step(&format!("npm: {}", set.what), || {
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
            &workspace.logs().join(format!("{}.log", set.name)),
        )
        .with_context(|| {
            format!(
                "npm cannot install the {}: is its registry within reach (`npm ping`)?",
                set.what
            )
        })?;
        fs::rename(&fresh, &folder).with_context(|| format!("cannot write {}", folder.display()))
    })?;
    Ok(folder)
}

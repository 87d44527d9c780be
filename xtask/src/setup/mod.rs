//! Owns what must be on the machine before a command can do its work, one file per kind of thing.
//! Each `ensure` is free when nothing is missing and otherwise installs it or says how; a command calls only
//! those that it needs. Must not build anything of the product.

pub mod chromium;
mod debian;
pub mod npm;
pub mod postgres;
pub mod version;
pub mod wasm;

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};

use crate::progress::note;
use crate::workspace::Workspace;

/// Everything that any command needs.
pub fn all(workspace: &Workspace) -> Result<()> {
    version::ensure_go()?;
    version::ensure_node()?;
    let wasm = wasm::ensure(workspace)?;
    println!("  wasm: {}", wasm.label);
    npm::ensure(workspace)?;
    let idp = npm::ensure_idp(workspace)?;
    println!("  identity provider: {}", idp.display());
    let postgres = postgres::ensure(workspace)?;
    println!("  postgres: {}", postgres.display());
    let chromium = chromium::ensure(workspace)?;
    println!("  chromium: {}", chromium.display());
    let since = std::time::Instant::now();
    let tools = crate::control_plane::ensure(&workspace.cache, &workspace.root)?;
    note("control plane", since.elapsed());
    println!("  control plane: {}", tools.display());
    let since = std::time::Instant::now();
    let helm = crate::helm::ensure(&workspace.cache, &workspace.root)?;
    note("helm", since.elapsed());
    println!("  helm: {}", helm.display());
    Ok(())
}

/// Holds off other runs of xtask while this one changes what they share.
pub fn lock(folder: &Path) -> Result<File> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("xtask.lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

//! Owns building the control plane of the practice fleet from Go modules. Not here yet.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Builds what is missing and gives the folder with the programs.
pub fn ensure(_cache: &Path, _workspace: &Path) -> Result<PathBuf> {
    bail!(
        "the control plane of the practice fleet is not in this tree yet; `cargo xtask demo --no-fleet` works without it"
    )
}

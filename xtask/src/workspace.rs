//! Owns where things lie: the tree, the folder for build output, the cache outside the tree.
//! Must not create or change anything; whoever writes a path makes its folder.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What the user may tell xtask, apart from cargo's own variables.
pub const VARIABLES: [&str; 2] = [CACHE, WASM];
const CACHE: &str = "QUARTERDECK_CACHE";
pub const WASM: &str = "QUARTERDECK_WASM";

/// The paths that every command starts from.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The folder with the workspace's `Cargo.toml`.
    pub root: PathBuf,
    /// Cargo's output folder, wherever `CARGO_TARGET_DIR` puts it.
    pub target: PathBuf,
    /// Heavy outputs that outlive `cargo clean` and are shared by all clones, keyed by version.
    pub cache: PathBuf,
}

impl Workspace {
    pub fn find() -> Result<Self> {
        // Cargo sets the variable when it runs us; the compiled-in value serves a direct start.
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().context("xtask lies in no workspace")?.to_path_buf();
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        Ok(Self {
            target: if target.is_absolute() { target } else { root.join(target) },
            root,
            cache: cache_folder()?,
        })
    }

    /// What the server embeds. Always inside the tree, so that `server/build.rs` finds it without being told.
    pub fn assets(&self) -> PathBuf {
        self.root.join("target/site/assets")
    }

    /// Everything a demo leaves: its database, logs, the fleet's state.
    pub fn demo(&self) -> PathBuf {
        self.root.join("target/demo")
    }

    /// The output of quiet steps, one file each.
    pub fn logs(&self) -> PathBuf {
        self.root.join("target/xtask")
    }

    /// A program that cargo built in this workspace.
    pub fn built(&self, profile: &str, name: &str) -> PathBuf {
        self.target.join(profile).join(name)
    }

    /// A path as a reader of the terminal would name it.
    pub fn short(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

fn cache_folder() -> Result<PathBuf> {
    if let Some(folder) = env::var_os(CACHE).filter(|value| !value.is_empty()) {
        return std::path::absolute(folder)
            .with_context(|| format!("{CACHE} is not a usable path"));
    }
    let home =
        env::home_dir().context("no home folder: set QUARTERDECK_CACHE to a folder of yours")?;
    Ok(home.join(".cache/quarterdeck"))
}

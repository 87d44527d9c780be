//! Owns finding the programs of a Postgres server. Starting one is `crate::postgres`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::debian::{self, Missing};
use super::version;
use crate::process;
use crate::workspace::Workspace;

/// The folder with `initdb` and `postgres`.
pub fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(found) = find() {
        return Ok(found);
    }
    debian::install(
        workspace,
        &Missing {
            what: "Postgres 15 or newer, for the store's tests",
            packages: &["postgresql"],
            elsewhere: "Install the Postgres server and put the folder of its `initdb` on PATH.",
        },
    )?;
    find().context("apt installed postgresql, yet /usr/lib/postgresql holds no initdb")
}

/// Debian keeps them off PATH, one folder per version; the newest is taken.
fn find() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    debian
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").is_file())
        .max_by_key(|bin| {
            let number = bin.parent().and_then(|parent| parent.file_name()).unwrap_or_default();
            version::parse(&format!("{}.0", number.to_string_lossy()))
                .map_or(0, |version| version.0)
        })
        .or_else(|| process::find("initdb").and_then(|path| path.parent().map(Into::into)))
}

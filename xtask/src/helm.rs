//! Owns building Helm, by which the chart is checked, from the Go modules that `end2end/helm/go.mod` pins. A module of
//! its own: it wants newer libraries of Kubernetes than the control plane is made of. Must not know the chart.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::control_plane::{go, key};
use crate::process;
use crate::setup::{lock, version};

const SOURCE: &str = "end2end/helm";
const PACKAGE: &str = "helm.sh/helm/v4/cmd/helm";

/// Builds it when it is missing, and gives the program.
pub fn ensure(cache: &Path, workspace: &Path) -> Result<PathBuf> {
    version::ensure_go()?;
    let source = workspace.join(SOURCE);
    let home = cache.join("helm");
    let go_version = go(&source, &["env", "GOVERSION", "GOARCH"])?;
    let whole = home.join(key(&source, &["go.mod", "go.sum"], &go_version)?);
    let program = whole.join("helm");
    if program.is_file() {
        return Ok(program);
    }
    let _lock = lock(&home)?;
    // Another run may have built it while this one waited.
    if program.is_file() {
        return Ok(program);
    }
    let (draft, log) = (home.join("draft"), home.join("build.log"));
    fs::create_dir_all(&draft).with_context(|| format!("cannot make {}", draft.display()))?;
    let mut build = process::command("go");
    build.current_dir(&source).env("CGO_ENABLED", "0").env("GOWORK", "off");
    build.args(["build", "-trimpath", "-ldflags", "-s -w", "-o"]).arg(draft.join("helm"));
    process::run_logged(build.arg(PACKAGE), &log).with_context(|| {
        format!(
            "Helm was not built; its modules are in {SOURCE}, and Go's words in {}",
            log.display()
        )
    })?;
    fs::rename(&draft, &whole).with_context(|| format!("cannot make {}", whole.display()))?;
    Ok(program)
}

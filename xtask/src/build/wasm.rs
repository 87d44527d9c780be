//! Owns the way from the crate `frontend` to what a browser loads: cargo, wasm-bindgen (as a library, so that its
//! version is the lock file's), wasm-opt. Skips what an unchanged module makes superfluous.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use super::hash;
use crate::process;
use crate::setup::wasm::Toolchain;
use crate::workspace::Workspace;

pub const GLUE: &str = "quarterdeck.js";
pub const MODULE: &str = "quarterdeck_bg.wasm";

const PROFILE: &str = "wasm-release";

/// By name: `--all-features` makes a module that Chromium refuses ("Invalid import kind 127").
const WASM_OPT: &[&str] = &[
    "-Oz",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
    "--enable-call-indirect-overlong",
];

/// Raise it when the steps below change what they make of the same module.
const RECIPE: &str = "2";

/// The two files of the page's program, as the browser gets them.
#[derive(Debug)]
pub struct Program {
    pub glue: String,
    pub module: Vec<u8>,
}

/// The cargo command whose target folder and features the module is built with; checks use them too.
pub fn cargo(toolchain: &Toolchain, workspace: &Workspace, command: &str) -> Command {
    let mut cargo = toolchain.cargo(workspace, command);
    cargo.args(["--package", "frontend", "--profile", PROFILE]);
    cargo
}

/// Builds the raw module and gives its path.
pub fn compile(toolchain: &Toolchain, workspace: &Workspace) -> Result<PathBuf> {
    process::run_logged(
        &mut cargo(toolchain, workspace, "build"),
        &workspace.logs().join("wasm.log"),
    )?;
    let module = Toolchain::module(workspace, PROFILE, "frontend.wasm");
    if !module.exists() {
        bail!("cargo built no {}", module.display());
    }
    Ok(module)
}

/// Makes the browser's files of the raw module, or gives those made before of the same one.
pub fn bundle(raw: &Path, npm: &Path, workspace: &Workspace) -> Result<Program> {
    let bytes = fs::read(raw).with_context(|| format!("cannot read {}", raw.display()))?;
    let tools = fs::read(npm.join("package-lock.json")).context("the build tools' lock file")?;
    let fingerprint = format!(
        "{RECIPE} {} {} {}",
        wasm_bindgen_shared_version(),
        hash::short(&tools),
        hash::short(&bytes)
    );
    let stage = Toolchain::target_dir(workspace).join("bundle");
    let stamp = stage.join("fingerprint");
    if !fs::read_to_string(&stamp).is_ok_and(|old| old == fingerprint) {
        if stage.exists() {
            fs::remove_dir_all(&stage)
                .with_context(|| format!("cannot clear {}", stage.display()))?;
        }
        bind(bytes, &stage)?;
        optimise(npm, &stage, workspace)?;
        fs::write(&stamp, fingerprint)?;
    }
    Ok(Program {
        glue: fs::read_to_string(stage.join(GLUE))?,
        module: fs::read(stage.join(MODULE))?,
    })
}

fn bind(raw: Vec<u8>, stage: &Path) -> Result<()> {
    Bindgen::new()
        .input_bytes("quarterdeck", raw)
        .out_name("quarterdeck")
        .web(true)?
        .typescript(false)
        // So that a page may call the glue without naming the module.
        .omit_default_module_path(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(stage)
        .context("wasm-bindgen cannot bind the module: are its crate and xtask's on one version in Cargo.lock?")?;
    if stage.join("snippets").exists() {
        bail!(
            "a dependency of the page brings JavaScript snippets, for which the asset manifest has no place"
        );
    }
    Ok(())
}

fn optimise(npm: &Path, stage: &Path, workspace: &Workspace) -> Result<()> {
    let module = stage.join(MODULE);
    let smaller = stage.join("optimised.wasm");
    process::run_logged(
        process::command("node")
            .arg(npm.join("node_modules/binaryen/bin/wasm-opt"))
            .args(WASM_OPT)
            .arg(&module)
            .arg("-o")
            .arg(&smaller),
        &workspace.logs().join("wasm-opt.log"),
    )?;
    fs::rename(&smaller, &module).context("wasm-opt wrote nothing")
}

/// The version that xtask was built with; cargo refuses any other than the page's.
fn wasm_bindgen_shared_version() -> &'static str {
    "0.2.130"
}

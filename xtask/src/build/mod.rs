//! Owns `build`: from sources to the folder of assets, to the server with these assets inside.
//!
//! ```text
//! frontend ─cargo─► module ─wasm-bindgen─► glue + module ─wasm-opt─┐
//! style/main.css ─concatenate──────────────────────────────────────┼─► target/site/assets ─► quarterdeck
//! style/static/* ──────────────────────────────────────────────────┘      (manifest.json)
//! ```
//!
//! The server's build script embeds what the manifest in that folder lists.

pub mod css;
pub mod hash;
pub mod manifest;
pub mod wasm;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use self::manifest::Manifest;
use crate::process;
use crate::progress::step;
use crate::setup;
use crate::workspace::Workspace;

/// What tells the server's build script of other assets than ours, for packagers. It is left unset, not set to our
/// folder, which is the default: set here and unset in an editor, it would rebuild the server at each turn.
const ASSETS_DIR: &str = "QUARTERDECK_ASSETS_DIR";

/// What is built and tested together. Features are those of all of them, so that building, testing and the demo share
/// every compiled dependency. xtask stays apart: with the features it has by itself, it is compiled already.
pub const CRATES: [&str; 5] = ["--workspace", "--exclude", "frontend", "--exclude", "xtask"];

const STYLESHEET: &str = "quarterdeck.css";

/// Builds assets and server; `--release` leaves the one file to ship in `dist/`.
pub fn run(workspace: &Workspace, release: bool) -> Result<()> {
    let manifest = assets(workspace)?;
    print_sizes(&manifest);
    if release {
        return ship(workspace);
    }
    let binary = server(workspace)?;
    println!("  built {}", workspace.short(&binary));
    Ok(())
}

/// One line per asset.
pub fn print_sizes(manifest: &Manifest) {
    for (logical, entry) in manifest {
        println!(
            "    {logical:<24}{:>9} B{:>9} B brotli{:>9} B gzip",
            entry.bytes, entry.brotli, entry.gzip
        );
    }
}

/// Makes the folder of assets up to date.
pub fn assets(workspace: &Workspace) -> Result<Manifest> {
    let toolchain = setup::wasm::ensure(workspace)?;
    let npm = setup::npm::ensure(workspace)?;
    let _lock = setup::lock(&workspace.root.join("target"))?;
    let raw =
        step(&format!("wasm, with {}", toolchain.label), || wasm::compile(&toolchain, workspace))?;
    step("assets", || {
        let program = wasm::bundle(&raw, &npm, workspace)?;
        manifest::write(&workspace.assets(), &collect(program, workspace)?)
    })
}

/// Builds the console for development.
pub fn server(workspace: &Workspace) -> Result<PathBuf> {
    step("server", || program(workspace, "quarterdeck"))
}

/// Builds one program of ours, quietly.
pub fn program(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let mut cargo = cargo(workspace, "build");
    cargo.args(CRATES).args(["--bin", name]);
    process::run_logged(&mut cargo, &workspace.logs().join(format!("{name}.log")))?;
    Ok(workspace.built("debug", name))
}

/// The host's cargo. It embeds the assets that [`assets`] has made.
pub fn cargo(workspace: &Workspace, command: &str) -> Command {
    let mut cargo = process::command("cargo");
    cargo.current_dir(&workspace.root).env_remove(ASSETS_DIR).args([command, "--locked"]);
    cargo
}

/// One file, built with the server's own features and nothing else's.
fn ship(workspace: &Workspace) -> Result<()> {
    step("server, release", || {
        let mut cargo = cargo(workspace, "build");
        cargo.args(["--release", "--package", "server", "--bin", "quarterdeck"]);
        process::run_logged(&mut cargo, &workspace.logs().join("server-release.log"))
    })?;
    let dist = workspace.root.join("dist");
    fs::create_dir_all(&dist).context("cannot make dist/")?;
    let (fresh, ready) = (dist.join("quarterdeck.new"), dist.join("quarterdeck"));
    fs::copy(workspace.built("release", "quarterdeck"), &fresh)
        .context("cannot copy into dist/")?;
    fs::rename(&fresh, &ready).context("cannot write dist/quarterdeck")?;
    println!(
        "  dist/quarterdeck: {:.1} MB, its assets inside",
        megabytes(fs::metadata(&ready)?.len())
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a size for people; a program is no petabyte")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Logical name → contents of everything that the page may load.
fn collect(program: wasm::Program, workspace: &Workspace) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = statics(workspace)?;
    let main = workspace.root.join("style/main.css");
    // A tree without a stylesheet is a young one, not a broken one.
    if main.exists() {
        files.insert(STYLESHEET.to_owned(), css::bundle(&main)?.into_bytes());
    }
    // The glue looks for the module beside itself, so it must know the name that the module is served under.
    let glue = program.glue.replace(wasm::MODULE, &hash::name(wasm::MODULE, &program.module));
    files.insert(wasm::GLUE.to_owned(), glue.into_bytes());
    files.insert(wasm::MODULE.to_owned(), program.module);
    Ok(files)
}

fn statics(workspace: &Workspace) -> Result<BTreeMap<String, Vec<u8>>> {
    let folder = workspace.root.join("style/static");
    let mut files = BTreeMap::new();
    if !folder.exists() {
        return Ok(files);
    }
    for entry in fs::read_dir(&folder).context("cannot read style/static")? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .context("a name in style/static is not text")?;
        if !path.is_file() {
            bail!("style/static/{name} is not a file: assets lie flat, one name each");
        }
        files.insert(
            name.to_owned(),
            fs::read(&path).with_context(|| format!("cannot read style/static/{name}"))?,
        );
    }
    Ok(files)
}

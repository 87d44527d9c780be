//! Owns the choice of the compiler for wasm32-unknown-unknown, and getting one.
//!
//! In this order: a compiler on PATH that has the target; Debian's, prepared earlier; `rustup target add`;
//! Debian's, prepared now. The last builds the standard library from Debian's own sources, for machines that
//! reach a package mirror and nothing else; it takes two minutes, once.
//!
//! Debian's compiler must have a target folder of its own: two compilers in one rebuild everything at each turn.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::debian::{self, Missing};
use super::version;
use crate::process;
use crate::progress::step;
use crate::workspace::{WASM, Workspace};

const TARGET: &str = "wasm32-unknown-unknown";

/// Where Debian's compiler looks for the target.
const DEBIAN_TARGET: &str = "/usr/lib/rustlib/wasm32-unknown-unknown";

/// Names the compiler that the folder was made by: after an upgrade it must be made again.
const STAMP: &str = "quarterdeck-rustc";

/// A cargo that can build for the browser.
#[derive(Debug)]
pub struct Toolchain {
    pub label: String,
    cargo: PathBuf,
    rustc: Option<PathBuf>,
    linker: Option<PathBuf>,
}

impl Toolchain {
    /// A cargo command for the browser's target, in its own target folder.
    pub fn cargo(&self, workspace: &Workspace, command: &str) -> Command {
        let mut cargo = process::command(&self.cargo);
        if let Some(rustc) = &self.rustc {
            // The proxy's choice of a tool chain must not leak into Debian's.
            cargo.env("RUSTC", rustc).env_remove("RUSTUP_TOOLCHAIN");
        }
        if let Some(linker) = &self.linker {
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        cargo
            .current_dir(&workspace.root)
            .arg(command)
            .args(["--locked", "--target", TARGET, "--target-dir"])
            .arg(Self::target_dir(workspace));
        cargo
    }

    pub fn target_dir(workspace: &Workspace) -> PathBuf {
        workspace.target.join("wasm")
    }

    /// Where cargo leaves a module.
    pub fn module(workspace: &Workspace, profile: &str, file: &str) -> PathBuf {
        Self::target_dir(workspace).join(TARGET).join(profile).join(file)
    }

    /// Whether this compiler brings clippy.
    pub fn has_clippy(&self) -> bool {
        match &self.rustc {
            Some(_) => Path::new("/usr/bin/clippy-driver").exists(),
            None => process::succeeds(&self.cargo, &["clippy", "--version"]),
        }
    }
}

pub fn ensure(workspace: &Workspace) -> Result<Toolchain> {
    let debian_only = std::env::var_os(WASM).is_some_and(|value| value == "debian");
    if !debian_only && on_path()? {
        return Ok(path_toolchain());
    }
    if debian_ready() {
        return debian_toolchain();
    }
    if !debian_only && process::find("rustup").is_some() {
        let added = step("rustup target add wasm32", || {
            let log = workspace.logs().join("rustup.log");
            // A refusal is not the end: the next way does not need rustup's servers.
            Ok(process::run_logged(
                process::command("rustup").args(["target", "add", TARGET]),
                &log,
            )
            .is_ok())
        })?;
        if added && on_path()? {
            return Ok(path_toolchain());
        }
    }
    prepare_debian(workspace)?;
    debian_toolchain()
}

fn on_path() -> Result<bool> {
    let folder = process::capture(process::command("rustc").args([
        "--print",
        "target-libdir",
        "--target",
        TARGET,
    ]))
    .context("cannot ask rustc for its targets")?;
    Ok(has_std(Path::new(folder.trim())))
}

fn path_toolchain() -> Toolchain {
    Toolchain {
        label: "the compiler on PATH".to_owned(),
        cargo: "cargo".into(),
        rustc: None,
        linker: None,
    }
}

fn debian_toolchain() -> Result<Toolchain> {
    Ok(Toolchain {
        label: "Debian's compiler".to_owned(),
        cargo: "/usr/bin/cargo".into(),
        rustc: Some("/usr/bin/rustc".into()),
        linker: Some(linker()?),
    })
}

/// Debian's compiler brings no linker for wasm; rustup's and LLVM's both serve.
fn linker() -> Result<PathBuf> {
    let sysroot = process::capture(process::command("rustc").args(["--print", "sysroot"]))?;
    let host = Path::new(sysroot.trim()).join("lib/rustlib");
    let of_rustup = fs::read_dir(&host)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin/rust-lld"))
        .find(|path| path.is_file());
    of_rustup
        .or_else(|| ["wasm-ld", "wasm-ld-22"].iter().find_map(|name| process::find(name)))
        .context("no linker for wasm: on Debian, apt-get install lld-22")
}

fn debian_ready() -> bool {
    let folder = Path::new(DEBIAN_TARGET);
    has_std(&folder.join("lib"))
        && debian_version().is_ok_and(|version| {
            fs::read_to_string(folder.join(STAMP)).is_ok_and(|stamp| stamp == version)
        })
}

/// All that identifies the compiler, so that an upgrade is noticed.
fn debian_version() -> Result<String> {
    if !Path::new("/usr/bin/rustc").exists() {
        bail!("Debian's rustc is not installed");
    }
    process::capture(process::command("/usr/bin/rustc").arg("-vV"))
}

fn has_std(libdir: &Path) -> bool {
    fs::read_dir(libdir).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
    })
}

fn prepare_debian(workspace: &Workspace) -> Result<()> {
    let _lock = super::lock(&workspace.cache)?;
    let mut packages = vec!["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"];
    if linker().is_err() {
        packages.push("lld-22");
    }
    let installed = [
        Path::new("/usr/bin/rustc"),
        Path::new("/usr/bin/cargo"),
        Path::new("/usr/share/doc/rust-web-src"),
    ]
    .iter()
    .all(|path| path.exists());
    if !installed || packages.contains(&"lld-22") {
        debian::install(
            workspace,
            &Missing {
                what: "a Rust compiler for wasm32-unknown-unknown, for the part of the page that runs in the browser",
                packages: &packages,
                elsewhere: "Install Rust from https://rustup.rs and run `rustup target add wasm32-unknown-unknown`.",
            },
        )?;
    }
    if !debian::may_install() {
        bail!(
            "the standard library for wasm32 has to be built into {DEBIAN_TARGET}: run `cargo xtask setup` once \
             as root, or get the target from rustup"
        );
    }
    step("standard library for wasm32", || build_std(workspace))
}

/// Builds it in the cache and puts it into place in one rename.
fn build_std(workspace: &Workspace) -> Result<()> {
    let identity = debian_version()?;
    let number = identity.split_whitespace().nth(1).context("rustc names no version")?;
    let manifest = format!("/usr/src/rustc-{number}/library/sysroot/Cargo.toml");
    if version::parse(number).is_none() || !Path::new(&manifest).exists() {
        bail!(
            "{manifest} is missing: apt-get install rust-web-src in the version of rustc-web ({number})"
        );
    }
    let out = workspace.cache.join(format!("wasm-std-{number}"));
    process::run_logged(
        process::command("/usr/bin/cargo")
            .env_remove("RUSTUP_TOOLCHAIN")
            .env("RUSTC", "/usr/bin/rustc")
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "-Zforce-unstable-if-unmarked -Cembed-bitcode=yes")
            .env("__CARGO_DEFAULT_LIB_METADATA", "stablestd")
            .current_dir("/")
            .args([
                "build",
                "--release",
                "--locked",
                "--target",
                TARGET,
                "--manifest-path",
                &manifest,
                "--target-dir",
            ])
            .arg(&out),
        &workspace.logs().join("wasm-std.log"),
    )?;
    install_std(&out.join(TARGET).join("release/deps"), &identity)?;
    fs::remove_dir_all(&out).with_context(|| format!("cannot remove {}", out.display()))
}

fn install_std(deps: &Path, identity: &str) -> Result<()> {
    let fresh = PathBuf::from(format!("{DEBIAN_TARGET}.new"));
    remove(&fresh)?;
    fs::create_dir_all(fresh.join("lib"))
        .with_context(|| format!("cannot make {}", fresh.display()))?;
    for entry in fs::read_dir(deps)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rlib") {
            let name = path.file_name().context("a file without a name")?;
            fs::copy(&path, fresh.join("lib").join(name))?;
        }
    }
    fs::write(fresh.join(STAMP), identity)?;
    remove(Path::new(DEBIAN_TARGET))?;
    fs::rename(&fresh, DEBIAN_TARGET).with_context(|| format!("cannot write {DEBIAN_TARGET}"))
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

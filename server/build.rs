//! Puts the files that a page loads into the binary, and the commit that is built.
//!
//! `QUARTERDECK_ASSETS_DIR`, else `target/site/assets` of the workspace when it is there, holds a
//! `manifest.json` (logical name → `path`, the hashed file name) and the files, each with `.br` and `.gz`
//! beside it. Without such a directory the table is empty and the server still builds.
//!
//! Under `cargo leptos`, which makes the files while this runs and again without it, nothing is embedded: the
//! server is told the folders and reads the files as they are.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo speaks to a build script by variables, and only git knows the commit"
)]

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=QUARTERDECK_ASSETS_DIR");
    println!("cargo::rerun-if-env-changed=QUARTERDECK_COMMIT");
    println!("cargo::rerun-if-env-changed=LEPTOS_OUTPUT_NAME");
    println!("cargo::rustc-env=QUARTERDECK_COMMIT={}", commit());
    let watched = watched_folders();
    let table = match directory().filter(|_| watched.is_empty()) {
        Some(directory) => match table(&directory) {
            Ok(table) => table,
            Err(why) => {
                println!("cargo::error={}: {why}", directory.display());
                return;
            }
        },
        None => String::new(),
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("assets.rs");
    let folders: Vec<String> = watched.iter().map(|folder| literal(folder)).collect();
    let code = format!(
        "pub const FILES: &[super::File] = &[\n{table}];\npub const FOLDERS: &[&str] = &[{}];\n",
        folders.join(", ")
    );
    fs::write(&out, code).expect("OUT_DIR can be written");
}

/// Where `cargo leptos` puts what it makes, and where it takes the rest from; none without it.
fn watched_folders() -> Vec<PathBuf> {
    let (Some(site), Some(package), Some(crate_folder)) = (
        env::var_os("LEPTOS_SITE_ROOT").filter(|_| env::var_os("LEPTOS_OUTPUT_NAME").is_some()),
        env::var_os("LEPTOS_SITE_PKG_DIR"),
        env::var_os("CARGO_MANIFEST_DIR"),
    ) else {
        return Vec::new();
    };
    let root = PathBuf::from(crate_folder).join("..");
    vec![root.join(site).join(package), root.join("style/static")]
}

fn directory() -> Option<PathBuf> {
    if let Some(given) = env::var_os("QUARTERDECK_ASSETS_DIR") {
        return Some(given.into());
    }
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?).parent()?.to_owned();
    let usual = root.join("target/site/assets");
    // Cargo looks again when the path appears.
    println!("cargo::rerun-if-changed={}", usual.join("manifest.json").display());
    usual.join("manifest.json").exists().then_some(usual)
}

fn table(directory: &Path) -> Result<String, String> {
    let manifest = directory.join("manifest.json");
    println!("cargo::rerun-if-changed={}", manifest.display());
    let text = fs::read_to_string(&manifest).map_err(|err| format!("manifest.json: {err}"))?;
    let entries: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&text).map_err(|err| format!("manifest.json: {err}"))?;
    let mut table = String::new();
    for (logical, entry) in entries {
        let name = entry.get("path").and_then(|path| path.as_str());
        let name = name.ok_or_else(|| format!("manifest.json: {logical} has no path"))?;
        let name = name.rsplit('/').next().unwrap_or(name);
        let file = directory.join(name);
        println!("cargo::rerun-if-changed={}", file.display());
        if !file.exists() {
            return Err(format!("{name} is in manifest.json and not beside it"));
        }
        let beside = |extension: &str| {
            let packed = directory.join(format!("{name}.{extension}"));
            if packed.exists() {
                format!("Some(include_bytes!({}))", literal(&packed))
            } else {
                "None".into()
            }
        };
        let (plain, brotli, gzip) = (literal(&file), beside("br"), beside("gz"));
        // Writing into a String cannot fail.
        let _ = writeln!(
            table,
            "super::File {{ logical: {logical:?}, name: {name:?}, plain: include_bytes!({plain}), \
             brotli: {brotli}, gzip: {gzip} }},",
        );
    }
    Ok(table)
}

/// A path as a literal of Rust.
fn literal(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

/// From the environment of the build, else from git, else nothing.
fn commit() -> String {
    if let Ok(given) = env::var("QUARTERDECK_COMMIT") {
        return given;
    }
    // While developing, each commit would otherwise build the whole server again.
    if env::var("PROFILE").as_deref() != Ok("release") {
        return String::new();
    }
    for path in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", path]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_default()
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
    Some(text.trim().to_owned())
}

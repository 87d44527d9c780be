//! Owns the check of all dependencies against `deny.toml`: licences, banned crates, sources.
//!
//! `deny.toml` is cargo-deny's and stays valid for it. cargo-deny itself is no dependency of the tests, because
//! building it takes minutes on a small machine and its advisories need the network; what a gate must hold needs
//! only what cargo knows already. Must not read any other key of `deny.toml` silently: what it cannot honour,
//! cargo-deny can, for those who have it.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use spdx::{Expression, LicenseReq, Licensee, ParseMode};

use crate::process;
use crate::workspace::Workspace;

#[derive(Debug, Deserialize)]
struct Rules {
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// None: a crate of this workspace.
    source: Option<String>,
}

pub fn check(workspace: &Workspace) -> Result<()> {
    let path = workspace.root.join("deny.toml");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let rules: Rules = toml::from_str(&text).context("deny.toml")?;
    let metadata: Metadata =
        serde_json::from_str(&metadata(workspace)?).context("cargo metadata")?;
    let complaints = judge(&metadata.packages, &rules)?;
    if complaints.is_empty() {
        println!("{} crates: licences, bans and sources are in order", metadata.packages.len());
        return Ok(());
    }
    bail!(
        "{}\ndeny.toml says what is allowed; `cargo tree --invert CRATE` says who needs it",
        complaints.join("\n")
    )
}

/// Every crate of every platform, which is what people build from our sources.
fn metadata(workspace: &Workspace) -> Result<String> {
    let mut cargo = process::command("cargo");
    cargo.current_dir(&workspace.root).args(["metadata", "--format-version", "1", "--locked"]);
    // Without network when cargo has all of it; a clean machine fetches what later steps need anyhow.
    process::capture(cargo.arg("--offline")).or_else(|_| {
        process::run_logged(
            process::command("cargo").current_dir(&workspace.root).args(["fetch", "--locked"]),
            &workspace.logs().join("fetch.log"),
        )?;
        process::capture(process::command("cargo").current_dir(&workspace.root).args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--offline",
        ]))
    })
}

fn judge(packages: &[Package], rules: &Rules) -> Result<Vec<String>> {
    let allowed = rules
        .licenses
        .allow
        .iter()
        .map(|name| {
            Licensee::parse(name)
                .with_context(|| format!("deny.toml allows `{name}`, which is no licence"))
        })
        .collect::<Result<Vec<_>>>()?;
    let bans: BTreeMap<_, _> =
        rules.bans.deny.iter().map(|ban| (ban.name.as_str(), ban.reason.as_str())).collect();
    let mut complaints = Vec::new();
    for package in packages {
        let Package { name, version, .. } = package;
        if let Some(reason) = bans.get(name.as_str()) {
            complaints.push(format!("{name} {version} is banned: {reason}"));
        }
        if let Some(complaint) = licence(package, &allowed) {
            complaints.push(format!("{name} {version}: {complaint}"));
        }
        if let Some(source) = &package.source
            && !rules
                .sources
                .allow_registry
                .iter()
                .any(|registry| source == &format!("registry+{registry}"))
        {
            complaints.push(format!("{name} {version} comes from {source}"));
        }
    }
    Ok(complaints)
}

fn licence(package: &Package, allowed: &[Licensee]) -> Option<String> {
    let Some(text) = &package.license else {
        return Some("names no licence".to_owned());
    };
    // Old crates write MIT/Apache-2.0 and mean OR.
    match Expression::parse_mode(text, ParseMode::LAX) {
        Err(error) => Some(format!("`{text}` is no licence expression: {}", error.reason)),
        Ok(expression) => {
            let fits =
                |wanted: &LicenseReq| allowed.iter().any(|licensee| licensee.satisfies(wanted));
            (!expression.evaluate(fits))
                .then(|| format!("`{text}` cannot be met with what is allowed"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0", "Unicode-3.0"]
        [bans]
        deny = [{ crate = "openssl", reason = "ring is the one provider" }]
        [sources]
        allow-registry = ["https://github.com/rust-lang/crates.io-index"]
    "#;

    fn complaints(name: &str, license: Option<&str>, source: Option<&str>) -> Vec<String> {
        let package = Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
            source: source.map(str::to_owned),
        };
        judge(&[package], &toml::from_str(RULES).unwrap()).unwrap()
    }

    #[test]
    fn one_side_of_an_or_suffices_and_both_of_an_and_are_needed() {
        for fine in [
            "MIT",
            "MIT/GPL-3.0",
            "GPL-3.0-only OR MIT",
            "(MIT OR GPL-2.0) AND Unicode-3.0",
            "Apache-2.0 / MIT",
        ] {
            assert_eq!(complaints("a", Some(fine), None), Vec::<String>::new(), "{fine}");
        }
        for bad in [
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "Apache-2.0 WITH LLVM-exception",
            "Nonsense",
            "",
        ] {
            assert_eq!(complaints("a", Some(bad), None).len(), 1, "{bad}");
        }
    }

    #[test]
    fn no_licence_is_no_permission() {
        assert_eq!(complaints("a", None, None), ["a 1.0.0: names no licence"]);
    }

    #[test]
    fn a_banned_crate_is_refused_with_the_reason() {
        assert_eq!(
            complaints("openssl", Some("MIT"), None),
            ["openssl 1.0.0 is banned: ring is the one provider"]
        );
    }

    #[test]
    fn only_the_registry_is_a_source() {
        let registry = "registry+https://github.com/rust-lang/crates.io-index";
        assert_eq!(complaints("a", Some("MIT"), Some(registry)).len(), 0);
        assert_eq!(
            complaints("a", Some("MIT"), Some("git+https://example.org/a?rev=1#2")).len(),
            1
        );
    }

    #[test]
    fn an_unknown_licence_in_the_rules_is_a_mistake_in_the_rules() {
        let rules = toml::from_str(&RULES.replace("\"MIT\"", "\"MTI\"")).unwrap();
        assert!(judge(&[], &rules).unwrap_err().to_string().contains("MTI"));
    }
}

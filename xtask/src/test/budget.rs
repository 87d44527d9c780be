//! Owns what a page may weigh: the sizes of the assets, and the bytes of a first visit over the wire.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::build::{self, manifest::Manifest, wasm::MODULE};
use crate::console::Console;
use crate::http;
use crate::progress::step;
use crate::workspace::Workspace;

/// The page that is measured: a list, the kind of page that people open most.
const PAGE: &str = "/system/ops/runs";

/// DESIGN §12, brotli.
const WITHOUT_WASM: u64 = 60_000;
const WITH_WASM: u64 = 250_000;

/// One answer of a first visit.
#[derive(Debug)]
struct Load {
    path: String,
    wasm: bool,
    bytes: u64,
}

pub fn size(workspace: &Workspace) -> Result<()> {
    let assets = build::assets(workspace)?;
    build::print_sizes(&assets);
    let all: u64 = assets.values().map(|entry| entry.brotli).sum();
    println!("    all assets: {all} B brotli, at most {WITH_WASM}");
    if all > WITH_WASM {
        bail!(
            "the assets alone are over the budget of a page: {all} B brotli, at most {WITH_WASM}"
        );
    }
    Ok(())
}

pub fn page(workspace: &Workspace) -> Result<()> {
    let assets = build::assets(workspace)?;
    let binary = build::server(workspace)?;
    let folder = workspace.root.join("target/budget");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    let console = step("console", || Console::start(&binary, &folder, &[]))?;
    judge(&first_visit(&console, &assets)?)
}

/// What a browser that was never here before fetches for the page.
fn first_visit(console: &Console, assets: &Manifest) -> Result<Vec<Load>> {
    let plain = http::get(console.address, PAGE, "identity", key(console))?;
    let text = String::from_utf8(plain.body).context("the page is no text")?;
    let mut loads = vec![load(console, PAGE, false)?];
    for (logical, entry) in assets {
        let wasm = logical == MODULE;
        // The glue fetches its module whether or not the page names it.
        let fetched = || wasm.then(|| format!("/assets/{}", entry.path));
        if let Some(path) = address(&text, &entry.path).or_else(fetched) {
            loads.push(load(console, &path, wasm)?);
        }
    }
    if loads.len() == 1 {
        bail!("{PAGE} names none of the assets, so it is not the page that people see");
    }
    Ok(loads)
}

/// An auditor sees the page, and what it may weigh does not hang on the way in.
fn key(console: &Console) -> Option<&str> {
    console.people.api_keys.get("auditor").map(String::as_str)
}

fn load(console: &Console, path: &str, wasm: bool) -> Result<Load> {
    let answer = http::get(console.address, path, "br", key(console))?;
    if answer.status != 200 {
        bail!("GET {path} answered {}", answer.status);
    }
    Ok(Load { path: path.to_owned(), wasm, bytes: answer.transferred })
}

/// The address under which a page names a file, wherever it stands in the page.
fn address(page: &str, file: &str) -> Option<String> {
    let at = page.find(file)?;
    let start =
        page[..at].rfind(['"', '\'', '(', ' ', '=', '<', '>', ',']).map_or(0, |before| before + 1);
    let path = &page[start..at + file.len()];
    path.starts_with('/').then(|| path.to_owned())
}

fn judge(loads: &[Load]) -> Result<()> {
    for load in loads {
        println!("    {:<44}{:>9} B", load.path, load.bytes);
    }
    let all: u64 = loads.iter().map(|load| load.bytes).sum();
    let wasm: u64 = loads.iter().filter(|load| load.wasm).map(|load| load.bytes).sum();
    println!("    first page without wasm: {} B, at most {WITHOUT_WASM}", all - wasm);
    println!("    first page with wasm:    {all} B, at most {WITH_WASM}");
    if all - wasm > WITHOUT_WASM {
        bail!("the first page without wasm is {} B, at most {WITHOUT_WASM}", all - wasm);
    }
    if all > WITH_WASM {
        bail!("the first page with wasm is {all} B, at most {WITH_WASM}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loads(page: u64, wasm: u64) -> Vec<Load> {
        vec![
            Load { path: "/system/ops/runs".to_owned(), wasm: false, bytes: page },
            Load { path: "/assets/a.wasm".to_owned(), wasm: true, bytes: wasm },
        ]
    }

    #[test]
    fn each_budget_has_its_own_refusal() {
        assert!(judge(&loads(WITHOUT_WASM, WITH_WASM - WITHOUT_WASM)).is_ok());
        let words = judge(&loads(WITHOUT_WASM + 1, 0)).unwrap_err().to_string();
        assert!(words.contains("without wasm is 60001"), "{words}");
        let words = judge(&loads(1, WITH_WASM)).unwrap_err().to_string();
        assert!(words.contains("with wasm is 250001"), "{words}");
    }

    #[test]
    fn an_asset_is_found_however_the_page_names_it() {
        let page = "<link href=\"/assets/a.1.css\"><script>import('/sub/assets/b.2.js')</script>";
        assert_eq!(address(page, "a.1.css").as_deref(), Some("/assets/a.1.css"));
        assert_eq!(address(page, "b.2.js").as_deref(), Some("/sub/assets/b.2.js"));
        assert_eq!(address(page, "c.3.js"), None);
    }
}

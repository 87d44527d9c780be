//! The files that a page loads, inside the binary. Their names change with their content, so whoever has
//! one may keep it for ever.
//!
//! A binary that `cargo leptos watch` made has none inside: there they are read from its folders at each request,
//! and nobody keeps them.

use std::{collections::HashMap, path::PathBuf};

use app::{paths, request::Assets as PageAssets};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY},
};

use app::error::{ApiError, Thing};

use super::{errors::Failed, query::PathText};
use crate::console::Console;

/// The route below which they stand.
pub const ROUTE: &str = "/assets/{file}";

/// One file, plain and compressed.
#[derive(Clone, Copy, Debug)]
pub struct File {
    /// `quarterdeck.css`
    pub logical: &'static str,
    /// `quarterdeck.3f9c….css`
    pub name: &'static str,
    pub plain: &'static [u8],
    pub brotli: Option<&'static [u8]>,
    pub gzip: Option<&'static [u8]>,
}

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/assets.rs"));
}

pub struct Assets {
    by_name: HashMap<&'static str, File>,
    page: PageAssets,
}

impl Assets {
    /// Those of this binary; none when it was built without.
    pub fn embedded() -> Self {
        Self::new(embedded::FILES)
    }

    pub fn new(files: &[File]) -> Self {
        let url = |logical: &str| {
            let name = files.iter().find(|file| file.logical == logical).map(|file| file.name);
            // Without the file the address leads nowhere, and says which one is missing.
            let name = name.unwrap_or_else(|| on_disk(logical));
            format!("{}/assets/{name}", paths::base())
        };
        let page = PageAssets {
            css: url("quarterdeck.css"),
            js: url("quarterdeck.js"),
            wasm: url("quarterdeck_bg.wasm"),
            favicon: url("favicon.svg"),
        };
        Self { by_name: files.iter().map(|file| (file.name, *file)).collect(), page }
    }

    pub fn page(&self) -> PageAssets {
        self.page.clone()
    }

    /// For the self-check: whether each file that pages load is there.
    pub fn check() -> Result<String, String> {
        let folders = !embedded::FOLDERS.is_empty();
        let has = |name: &str| {
            if folders {
                find(on_disk(name)).is_some()
            } else {
                embedded::FILES.iter().any(|file| file.logical == name && !file.plain.is_empty())
            }
        };
        let missing: Vec<&str> = LOADED.into_iter().filter(|name| !has(name)).collect();
        if !missing.is_empty() {
            return Err(format!("Not there for pages to load: {}.", missing.join(", ")));
        }
        if folders {
            return Ok(format!("{} files are read from disk.", LOADED.len()));
        }
        let bytes: usize = embedded::FILES.iter().map(|file| file.plain.len()).sum();
        Ok(format!("{} files, {} kB, are built in.", embedded::FILES.len(), bytes / 1000))
    }

    /// How many there are; none in a binary built without.
    pub fn count(&self) -> usize {
        self.by_name.len()
    }
}

/// What a page cannot do without.
const LOADED: [&str; 4] =
    ["quarterdeck.css", "quarterdeck.js", "quarterdeck_bg.wasm", "favicon.svg"];

/// How `cargo leptos` names it.
fn on_disk(logical: &str) -> &str {
    if embedded::FOLDERS.is_empty() || logical != "quarterdeck_bg.wasm" {
        return logical;
    }
    "quarterdeck.wasm"
}

/// One of the files that pages load, and no other, where `cargo leptos` left it.
fn find(name: &str) -> Option<PathBuf> {
    LOADED.into_iter().find(|loaded| on_disk(loaded) == name)?;
    embedded::FOLDERS.iter().map(|folder| PathBuf::from(folder).join(name)).find(|p| p.exists())
}

async fn read(name: &str) -> Result<Response, Failed> {
    let path = find(name).ok_or(ApiError::NotFound(Thing::Page))?;
    let bytes = tokio::fs::read(path).await.map_err(Failed::internal)?;
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

pub async fn serve(
    State(console): State<&'static Console>,
    PathText(name): PathText,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    if !embedded::FOLDERS.is_empty() {
        return read(&name).await;
    }
    let file = console.assets.by_name.get(name.as_str());
    let file = file.ok_or(ApiError::NotFound(Thing::Page))?;
    let (encoding, bytes) = choose(file, &headers);
    let mut response = bytes.into_response();
    let set = response.headers_mut();
    set.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(file.logical)));
    set.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    set.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        set.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    Ok(response)
}

fn choose(file: &File, headers: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
    match (file.brotli, file.gzip) {
        (Some(brotli), _) if accepts(headers, "br") => (Some("br"), brotli),
        (_, Some(gzip)) if accepts(headers, "gzip") => (Some("gzip"), gzip),
        _ => (None, file.plain),
    }
}

/// Whether the client takes this encoding; `q=0` says that it does not.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let refused = parts.any(|part| {
            let weight = part.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok());
            weight.is_some_and(|q| q <= 0.0)
        });
        named && !refused
    })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" | "webmanifest" => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_taken_unless_it_is_refused() {
        let offers = |text: &'static str, encoding: &str| {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(text))]);
            accepts(&headers, encoding)
        };
        assert!(offers("gzip, deflate, br", "br"));
        assert!(offers("BR;q=0.5", "br"));
        assert!(!offers("br;q=0, gzip", "br"));
        assert!(!offers("brotli", "br"));
        assert!(!accepts(&HeaderMap::new(), "gzip"));
    }
}

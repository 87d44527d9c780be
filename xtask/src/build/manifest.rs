//! Owns the folder that the server embeds: files under names that carry their contents' hash, a brotli and a
//! gzip form beside each, and `manifest.json`, which the server's build script and its page shell read:
//!
//! ```json
//! { "quarterdeck.css": { "path": "quarterdeck.3f09ab12cd34.css", "bytes": 9120, "brotli": 2210, "gzip": 2604 } }
//! ```
//!
//! The compressed forms are `<path>.br` and `<path>.gz`. Must not know where the contents come from.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::hash;

pub const MANIFEST: &str = "manifest.json";

/// Logical name → what is served for it.
pub type Manifest = BTreeMap<String, Entry>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The file's name in the folder.
    pub path: String,
    pub bytes: u64,
    pub brotli: u64,
    pub gzip: u64,
}

/// Makes the folder hold exactly these files. What is there already is neither compressed nor written again,
/// so that cargo sees a change only where there is one.
pub fn write(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<Manifest> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut manifest = Manifest::new();
    for (logical, bytes) in files {
        let entry = write_file(folder, logical, bytes)
            .with_context(|| format!("cannot write {logical}"))?;
        manifest.insert(logical.clone(), entry);
    }
    let text = serde_json::to_string_pretty(&manifest)? + "\n";
    write_changed(&folder.join(MANIFEST), text.as_bytes())?;
    prune(folder, &manifest)?;
    Ok(manifest)
}

fn write_file(folder: &Path, logical: &str, bytes: &[u8]) -> Result<Entry> {
    let path = hash::name(logical, bytes);
    write_changed(&folder.join(&path), bytes)?;
    let brotli = derived(&folder.join(format!("{path}.br")), || brotli(bytes))?;
    let gzip = derived(&folder.join(format!("{path}.gz")), || gzip(bytes))?;
    Ok(Entry { path, bytes: bytes.len() as u64, brotli, gzip })
}

/// The name says what the contents are, so a file that is there is right.
fn derived(path: &Path, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<u64> {
    if !path.exists() {
        write_atomically(path, &make()?)?;
    }
    Ok(fs::metadata(path)?.len())
}

fn write_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    write_atomically(path, bytes)
}

/// A reader sees the old file or the new one, never half of one.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    // Some of what is written so is secret: readable by its owner alone from its first byte on.
    drop(fs::remove_file(&fresh));
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh);
    file.and_then(|mut file| file.write_all(bytes))
        .with_context(|| format!("cannot write {}", path.display()))?;
    fs::rename(&fresh, path).with_context(|| format!("cannot write {}", path.display()))
}

fn prune(folder: &Path, manifest: &Manifest) -> Result<()> {
    let mut keep = HashSet::from([MANIFEST.to_owned()]);
    for entry in manifest.values() {
        keep.extend([
            entry.path.clone(),
            format!("{}.br", entry.path),
            format!("{}.gz", entry.path),
        ]);
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !keep.contains(&*entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())
                .with_context(|| format!("cannot remove {}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// The best quality at all times: it takes a second, once per change, and budgets are then true everywhere.
fn brotli(bytes: &[u8]) -> Result<Vec<u8>> {
    const QUALITY: u32 = 11;
    const WINDOW: u32 = 22;
    const BUFFER: usize = 64 * 1024;
    let mut writer = brotli::CompressorWriter::new(Vec::new(), BUFFER, QUALITY, WINDOW);
    writer.write_all(bytes)?;
    Ok(writer.into_inner())
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(bytes)?;
    Ok(writer.finish()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn files(text: &str) -> BTreeMap<String, Vec<u8>> {
        BTreeMap::from([("a.css".to_owned(), text.as_bytes().to_vec())])
    }

    #[test]
    fn each_file_has_its_compressed_forms_and_its_sizes() {
        let folder = tempfile::tempdir().unwrap();
        let text = "body{color:red}".repeat(100);
        let manifest = write(folder.path(), &files(&text)).unwrap();
        let entry = &manifest["a.css"];
        let br = fs::read(folder.path().join(format!("{}.br", entry.path))).unwrap();
        let gz = fs::read(folder.path().join(format!("{}.gz", entry.path))).unwrap();
        assert_eq!(
            (entry.bytes, entry.brotli, entry.gzip),
            (1500, br.len() as u64, gz.len() as u64)
        );

        let mut plain = String::new();
        brotli::Decompressor::new(&*br, 4096).read_to_string(&mut plain).unwrap();
        assert_eq!(plain, text);
        plain.clear();
        flate2::read::GzDecoder::new(&*gz).read_to_string(&mut plain).unwrap();
        assert_eq!(plain, text);
        let text = fs::read_to_string(folder.path().join(MANIFEST)).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
    }

    #[test]
    fn a_change_leaves_nothing_of_the_old() {
        let folder = tempfile::tempdir().unwrap();
        let old = write(folder.path(), &files("a{}")).unwrap();
        let new = write(folder.path(), &files("b{}")).unwrap();
        assert_ne!(old, new);
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let path = &new["a.css"].path;
        assert_eq!(
            names,
            [path.clone(), format!("{path}.br"), format!("{path}.gz"), MANIFEST.to_owned()]
        );
    }

    #[test]
    fn no_change_touches_no_file() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &files("a{}")).unwrap();
        let before = fs::metadata(folder.path().join(MANIFEST)).unwrap().modified().unwrap();
        write(folder.path(), &files("a{}")).unwrap();
        let after = fs::metadata(folder.path().join(MANIFEST)).unwrap().modified().unwrap();
        assert_eq!(before, after);
    }
}

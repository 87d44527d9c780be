//! The key file: read only when it is its owner's alone, made only where there is none, changed as a whole.

use std::{
    fs::{File, Permissions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown},
    path::Path,
};

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::{KeyRing, VaultError};
use crate::clock::Rng;

/// Hundreds of keys.
const LARGEST: usize = 64 * 1024;

/// None when there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<KeyRing>, VaultError> {
    text(path)?.map(|text| KeyRing::parse(&text)).transpose()
}

fn text(path: &Path) -> Result<Option<Zeroizing<String>>, VaultError> {
    let failed = |error: io::Error| refused(path, format!("cannot be read: {error}"));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    // Of the open file, not of the path: what is looked at is what is read.
    let found = file.metadata().map_err(failed)?;
    if !found.is_file() {
        return Err(refused(path, "is not a file".to_owned()));
    }
    if found.permissions().mode() & 0o077 != 0 {
        let why =
            format!("can be read by others than its owner: run `chmod 600 {}`", path.display());
        return Err(refused(path, why));
    }
    if found.len() > LARGEST as u64 {
        return Err(refused(path, "is too large for a key ring".to_owned()));
    }
    let mut text = Zeroizing::new(String::with_capacity(LARGEST));
    file.take(LARGEST as u64).read_to_string(&mut text).map_err(failed)?;
    Ok(Some(text))
}

/// Puts a new key above the others; from the next start on it is the active one. Gives its name.
pub fn rotate(path: &Path, rng: &Rng) -> Result<String, VaultError> {
    let fresh = KeyRing::generate(rng);
    change(path, |old| {
        let mut new = Zeroizing::new(String::with_capacity(LARGEST));
        new.push_str(&fresh.text());
        new.push_str(old);
        new
    })?;
    Ok(fresh.active().id().to_owned())
}

/// Takes the line of a key out; false when it has none.
pub fn take_out(path: &Path, id: &str) -> Result<bool, VaultError> {
    let mut found = false;
    change(path, |old| {
        let mut new = Zeroizing::new(String::with_capacity(LARGEST));
        for line in old.split_inclusive('\n') {
            if line.split_whitespace().next() == Some(id) {
                found = true;
            } else {
                new.push_str(line);
            }
        }
        new
    })?;
    Ok(found)
}

/// What people wrote beside the keys stays. The old ring or the new one is there at every moment, whole.
fn change(path: &Path, new: impl FnOnce(&str) -> Zeroizing<String>) -> Result<(), VaultError> {
    let failed = |error: io::Error| refused(path, format!("cannot be changed: {error}"));
    // A link is followed, so that what it names is replaced and not the link.
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(VaultError::NoFile { path: path.to_owned() });
        }
        Err(error) => return Err(failed(error)),
    };
    let was = File::open(&real).map_err(failed)?;
    if was.try_lock().is_err() {
        return Err(refused(path, "is being changed by somebody else just now".to_owned()));
    }
    // Behind the lock and by its name: whoever had it before may have put another file there.
    let old = text(&real)?.ok_or_else(|| VaultError::NoFile { path: path.to_owned() })?;
    let new = new(&old);
    KeyRing::parse(&new)?;
    if *new == *old {
        return Ok(());
    }
    let file = written(&real, &new).map_err(failed)?;
    let owner = was.metadata().map_err(failed)?;
    let own = file.as_file().metadata().map_err(failed)?;
    if (own.uid(), own.gid()) != (owner.uid(), owner.gid()) {
        // Another owner could not read it any more, and the console would not start.
        fchown(file.as_file(), Some(owner.uid()), Some(owner.gid())).map_err(failed)?;
    }
    file.persist(&real).map_err(|error| failed(error.error))?;
    sync(&real).map_err(failed)
}

/// Appears whole or not at all, and never in the place of another.
pub fn make(path: &Path, ring: &KeyRing) -> Result<(), VaultError> {
    let failed = |error: io::Error| refused(path, format!("cannot be made: {error}"));
    let file = written(path, &ring.text()).map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| failed(error.error))?;
    sync(path).map_err(failed)
}

/// Its owner's alone from the first moment, on the disk, and not yet under its name.
fn written(path: &Path, text: &str) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(".quarterdeck-")
        .suffix(".key")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder(path))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// The name must last as surely as what is sealed from now on.
fn sync(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn refused(path: &Path, why: String) -> VaultError {
    VaultError::File { path: path.to_owned(), why }
}

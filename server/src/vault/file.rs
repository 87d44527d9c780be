//! The key file: read only when it is its owner's alone, made only where there is none.

use std::{
    fs::{File, Permissions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use zeroize::Zeroizing;

use super::{KeyRing, VaultError};

/// Hundreds of keys.
const LARGEST: usize = 64 * 1024;

/// None when there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<KeyRing>, VaultError> {
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
    KeyRing::parse(&text).map(Some)
}

/// Appears whole or not at all, and never in the place of another.
pub(super) fn make(path: &Path, ring: &KeyRing) -> Result<(), VaultError> {
    let failed = |error: io::Error| refused(path, format!("cannot be made: {error}"));
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .prefix(".quarterdeck-")
        .suffix(".key")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(failed)?;
    file.write_all(ring.text().as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| failed(error.error))?;
    // The name must last as surely as what is sealed from now on.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn refused(path: &Path, why: String) -> VaultError {
    VaultError::File { path: path.to_owned(), why }
}

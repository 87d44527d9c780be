//! A file is looked at from its first byte to its last before anything of it is used.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    BackupError, Manifest,
    file::Source,
    manifest::{End, FORM, FirstLine, FirstLook, LastLine, Look, signed},
};
use crate::{store::SCHEMA_VERSION, vault::KeyRing};

/// A file that is whole, and as it was written by a console with this key ring.
#[derive(Debug)]
pub struct Inspected {
    pub manifest: Manifest,
    pub sha256: String,
}

/// Reads all of it and writes nothing.
pub fn inspect(path: &Path, ring: &KeyRing) -> Result<Inspected, BackupError> {
    let mut source = Source::open(path)?;
    let manifest = manifest(&mut source, path)?;
    for _ in 0..manifest.rows() {
        source.hashed()?;
    }
    let sha256 = check_end(source, path, ring)?;
    Ok(Inspected { manifest, sha256 })
}

/// The key ring that a file carries, where it was made to.
pub fn ring_inside(path: &Path) -> Result<Option<KeyRing>, BackupError> {
    let manifest = manifest(&mut Source::open(path)?, path)?;
    let ring = manifest.key_ring.map(|secret| KeyRing::parse(&secret.0)).transpose()?;
    Ok(ring)
}

pub(super) fn manifest(source: &mut Source, path: &Path) -> Result<Manifest, BackupError> {
    let file = path.display().to_string();
    let line = match source.hashed() {
        // Not even packed as a backup is.
        Err(BackupError::Damaged(file)) => return Err(BackupError::NotABackup(file)),
        line => line?,
    };
    let Ok(FirstLook { quarterdeck_backup: look }) = serde_json::from_slice(&line) else {
        return Err(BackupError::NotABackup(file));
    };
    let Look { form, product, schema } = look;
    if form != FORM || schema > SCHEMA_VERSION {
        let (known_form, known_schema) = (FORM, SCHEMA_VERSION);
        return Err(BackupError::Newer { file, product, form, schema, known_form, known_schema });
    }
    let FirstLine { quarterdeck_backup } =
        serde_json::from_slice(&line).map_err(|_| BackupError::Damaged(file))?;
    Ok(quarterdeck_backup)
}

/// The last line must speak of exactly what was read; gives what it says.
pub(super) fn check_end(
    mut source: Source,
    path: &Path,
    ring: &KeyRing,
) -> Result<String, BackupError> {
    let file = path.display().to_string();
    let found = source.sha256();
    let line = source.line()?;
    source.end()?;
    let Ok(LastLine { end: End { sha256, key, signature } }) = serde_json::from_slice(&line) else {
        return Err(BackupError::Damaged(file));
    };
    if sha256 != found {
        return Err(BackupError::Damaged(file));
    }
    let chain = ring.chain();
    let Some(secret) = chain.find(&key) else {
        return Err(BackupError::UnknownKey { file, key });
    };
    let own = URL_SAFE_NO_PAD.encode(secret.mac(&signed(&sha256, &key)));
    if own == signature { Ok(sha256) } else { Err(BackupError::Tampered { file, key }) }
}

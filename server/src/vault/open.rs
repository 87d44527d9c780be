//! From the configuration to an open vault: where the ring is found, and the one case in which a key is made.
//!
//! A key is made for a SQLite database that nothing was sealed in yet, when none is configured; never for Postgres,
//! which replicas share, and never for a database that was used: a second key would hide that the first is lost.

use std::path::PathBuf;

use super::{KeyRing, Vault, VaultError, file, store};
use crate::{
    clock::Rng,
    config::Config,
    store::{Db, StoreConfig},
};

/// What the configuration names.
enum Found {
    Ring(KeyRing),
    /// No key is configured, and beside the SQLite file there is none.
    Nothing {
        beside: PathBuf,
    },
}

/// Opens the vault that the configuration names, for a database whose schema is up to date.
pub async fn open_for(config: &Config, db: &Db, rng: &Rng) -> Result<Vault, VaultError> {
    let keys = match look(config)? {
        Found::Ring(keys) => keys,
        Found::Nothing { beside } => first(beside, db, rng).await?,
    };
    Vault::open(keys, db, rng).await
}

/// The ring that the configuration names, if there is one; makes nothing.
pub fn find_ring(config: &Config) -> Result<Option<KeyRing>, VaultError> {
    match look(config)? {
        Found::Ring(ring) => Ok(Some(ring)),
        Found::Nothing { .. } => Ok(None),
    }
}

fn look(config: &Config) -> Result<Found, VaultError> {
    if let Some(ring) = &config.vault_keys {
        return Ok(Found::Ring(ring.clone()));
    }
    // None only where the ring stands in the configuration itself.
    let path = find_file(config)?.ok_or(VaultError::NoKey)?;
    match file::read(&path)? {
        Some(ring) => Ok(Found::Ring(ring)),
        None if config.vault_key_file.is_some() => Err(VaultError::NoFile { path }),
        None => Ok(Found::Nothing { beside: path }),
    }
}

/// Where the key file is, or would be; none when the configuration holds the ring itself.
pub fn find_file(config: &Config) -> Result<Option<PathBuf>, VaultError> {
    if config.vault_keys.is_some() {
        return Ok(None);
    }
    if let Some(path) = &config.vault_key_file {
        return Ok(Some(path.clone()));
    }
    let Some(database) = StoreConfig::at(&config.database_url).sqlite_file()? else {
        return Err(VaultError::NoKey);
    };
    let mut beside = database.into_os_string();
    beside.push(".key");
    Ok(Some(PathBuf::from(beside)))
}

async fn first(path: PathBuf, db: &Db, rng: &Rng) -> Result<KeyRing, VaultError> {
    if store::was_used(db).await? {
        return Err(VaultError::Gone { path });
    }
    let keys = KeyRing::generate(rng);
    if db.is_read_only() {
        // Nothing is written, so nothing is sealed: the ring goes with the process.
        return Ok(keys);
    }
    file::make(&path, &keys)?;
    tracing::warn!(
        file = %path.display(),
        "made the key of this database: keep a copy of the file, apart from the database"
    );
    Ok(keys)
}

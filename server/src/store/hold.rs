//! One process at a time works on a SQLite file: to start is to take over every lease in it.
//!
//! The lock lies on a file beside the database, since SQLite has its own on the database itself; the kernel
//! lets go of it when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};

use super::{StoreConfig, StoreError, config::Target};

/// Held until it is dropped. Holds nothing for Postgres, which replicas share.
pub struct Held(#[expect(dead_code, reason = "the open file is the lock")] Option<File>);

impl StoreConfig {
    /// Takes the database for this process, or says that another one has it.
    pub fn hold(&self) -> Result<Held, StoreError> {
        let Target::Sqlite(path) = self.target()? else { return Ok(Held(None)) };
        let mut beside = path.clone().into_os_string();
        beside.push(".lock");
        let failed = |error: std::io::Error| {
            let beside = std::path::Path::new(&beside).display();
            StoreError::Config(format!("{beside} cannot be locked: {error}"))
        };
        let file = OpenOptions::new().create(true).append(true).open(&beside).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Held(Some(file))),
            Err(TryLockError::WouldBlock) => Err(StoreError::Config(format!(
                "another console works on {}; a SQLite file serves one process, several need Postgres",
                path.display()
            ))),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_held_once_and_free_again_afterwards() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = StoreConfig::at(format!("sqlite:{}", folder.path().join("a.db").display()));
        let held = config.hold().expect("nobody has it");
        let refusal = config.hold().err().expect("it is held").to_string();
        assert!(refusal.contains("another console"), "{refusal}");
        drop(held);
        config.hold().expect("free again");
    }
}

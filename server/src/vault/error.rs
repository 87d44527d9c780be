//! Why a vault does not open. Names keys by their ids and says what to do; never repeats what a line held.

use std::path::PathBuf;

use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error(
        "line {line} of the key ring {why}; a line is `id base64`, as `quarterdeck keys new` prints it"
    )]
    Line { line: usize, why: &'static str },
    #[error("the key ring holds no key; `quarterdeck keys new` prints one")]
    Empty,
    #[error("the value is sealed under the key `{id}`, which the key ring does not hold")]
    NotInRing { id: String },
    #[error("the sealed value was altered, or it belongs to another place")]
    Broken,
    #[error(
        "the database was used with the key {ids}, which the key ring lacks: put its line back into the ring. Without \
         it, what was sealed under it cannot be opened and the audit chain cannot be verified"
    )]
    Missing { ids: String },
    #[error(
        "the key `{id}` has other bytes than the one of that name with which the database was used: put the right \
         line back into the key ring, or give the new key a name of its own and let both stand"
    )]
    Wrong { id: String },
    #[error(
        "the key `{id}` was retired: put the line of another key above it in the key ring; `quarterdeck keys rotate` \
         makes one"
    )]
    Retired { id: String },
    #[error(
        "Postgres is shared, so the console makes no key for it: run `quarterdeck keys new`, keep its line safe \
         and give it to every replica, as the file that `vault_key_file` names or as `vault_keys`"
    )]
    NoKey,
    #[error(
        "the key file {} is not there, and the database was used with its key: put the file back. A new key would \
         open nothing of what was sealed, so none is made",
        path.display()
    )]
    Gone { path: PathBuf },
    #[error(
        "the key file {} is not there; put it back, or for a database that was never used, put the line there \
         that `quarterdeck keys new` prints",
        path.display()
    )]
    NoFile { path: PathBuf },
    #[error("the key file {} {why}", path.display())]
    File { path: PathBuf, why: String },
    #[error("the key ring cannot be compared with the database: {0}")]
    Store(#[from] StoreError),
}

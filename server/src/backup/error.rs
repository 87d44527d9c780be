//! Why there is no backup, or why a file is not restored. Each names the file or what to do.

use std::io;

use crate::{store::StoreError, vault::VaultError};

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{0} is there already; a backup never replaces a file: name another")]
    Exists(String),
    #[error("{file}: {error}")]
    File { file: String, error: io::Error },
    #[error("{0} is not a backup of Quarterdeck")]
    NotABackup(String),
    #[error("{0} is truncated: it ends before its last line. Take another copy of it")]
    Truncated(String),
    #[error("{0} is damaged: what stands in it is not what was written. Take another copy of it")]
    Damaged(String),
    #[error(
        "{file} was changed after it was made, or signed with another key that is called `{key}`: it is not restored"
    )]
    Tampered { file: String, key: String },
    #[error(
        "{file} is signed with the key `{key}`, which the key ring lacks: name the ring of the console that it was made of, \
         with --vault-key-file"
    )]
    UnknownKey { file: String, key: String },
    #[error(
        "{file} was made by version {product}, in form {form} with schema {schema}; this version knows form {known_form} \
         and schema {known_schema}: restore it with that version or a newer one"
    )]
    Newer {
        file: String,
        product: String,
        form: u32,
        schema: i64,
        known_form: u32,
        known_schema: i64,
    },
    #[error(
        "the database is not empty, it has the table `{0}`: a backup is restored into an empty one only. Create another \
         database, or move this one away, and name it with --database-url"
    )]
    NotEmpty(String),
    #[error("{file} and schema {schema} do not have the same tables: {what}")]
    Tables { file: String, schema: i64, what: String },
    #[error("the table {table} has {found} rows and had {counted} when they were counted")]
    Count { table: String, counted: u64, found: u64 },
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupError {
    pub(super) fn file(file: &str) -> impl Fn(io::Error) -> Self {
        move |error| Self::File { file: file.to_owned(), error }
    }
}

//! `quarterdeck backup` and `quarterdeck restore`: the whole database in one file, and back.
//!
//! ```text
//!  gzip ┬ {"quarterdeck_backup": manifest}    tables, columns, how many rows, schema, end of the audit chain
//!       ├ [ … ]                               one line per row, table after table
//!       └ {"end": …}                          SHA-256 of all before it, signed with the chain key
//! ```
//!
//! The rows are the same whichever engine they came from, so a file of SQLite fills a Postgres. A file without its
//! last line is not whole, and one that was changed is not signed; both are found out before anything is written.
//! Secrets are in it as they are in the database: sealed, or as hashes. The key ring is not, unless asked for.
//!
//! Owns the file's form and the order of things. Knows no table but those of the audit chain and the vault, whose
//! owners it asks; `store::copy` reads and fills the tables.

mod error;
mod file;
mod manifest;
mod read;
mod restore;
mod row;
mod write;

pub use error::BackupError;
pub use manifest::{Contents, Manifest};
pub use read::{Inspected, inspect, ring_inside};
pub use restore::{Restored, restore};
pub use write::{Written, write};

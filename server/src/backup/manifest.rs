//! The first and the last line of the file.

use app::time::Micros;
use serde::{Deserialize, Serialize};

use crate::store::copy::Table;

/// The form of the file; a reader refuses one that it does not know.
pub const FORM: u32 = 1;

/// Begins what is signed, so that what was signed as something else is never taken for a backup.
pub const MARK: &str = "qd-backup:1:";

/// What a file says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    pub form: u32,
    /// The version of the program.
    pub product: String,
    pub made_at: Micros,
    /// Which engine it came from; it can go into either.
    pub engine: String,
    pub schema: i64,
    pub tables: Vec<Contents>,
    /// Where the audit chain ended, as a signed head; none for a chain without a row.
    pub audit_head: Option<String>,
    /// The names of the keys with which the database was used.
    pub keys: Vec<String>,
    /// The key ring itself, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_ring: Option<Secret>,
}

/// One table of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Contents {
    #[serde(flatten)]
    pub table: Table,
    pub rows: u64,
}

/// Never shown.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

#[derive(Serialize, Deserialize)]
pub struct FirstLine {
    pub quarterdeck_backup: Manifest,
}

/// What every version can read of a manifest, to say who could read the rest.
#[derive(Deserialize)]
pub struct FirstLook {
    pub quarterdeck_backup: Look,
}

#[derive(Deserialize)]
pub struct Look {
    pub form: u32,
    pub product: String,
    pub schema: i64,
}

#[derive(Serialize, Deserialize)]
pub struct LastLine {
    pub end: End,
}

#[derive(Serialize, Deserialize)]
pub struct End {
    /// Of every byte before this line, in hex.
    pub sha256: String,
    pub key: String,
    /// In URL-safe base64.
    pub signature: String,
}

impl Manifest {
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret")
    }
}

/// What the chain key signs.
pub fn signed(sha256: &str, key: &str) -> Vec<u8> {
    [MARK, sha256, ":", key].concat().into_bytes()
}

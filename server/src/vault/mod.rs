//! Seals what must not be read in the database, and makes the keys of the audit chain.
//!
//! Owns the key ring (one active key, older ones that still open), the sealed form, the check value of each key in
//! the store, and the key file. Knows no domain: whoever keeps a secret names the [`Place`] where it lies. Must
//! never let key material or an opened secret reach a log, an error or a `Debug`.
//!
//! ```text
//! key of the ring ─HKDF─┬ "vault.seal"  ─► AES-256-GCM, bound to table, row, column and key id
//!                       ├ "audit.chain" ─► HMAC of the audit chain
//!                       └ "derive:…"    ─► what else needs a key of its own
//! ```
//!
//! All crypto is `ring`'s, as TLS's is. Key bytes of ours are wiped when they are let go; `ring` wipes none of its
//! own, and those live as long as the process.

mod chain;
mod error;
mod file;
mod open;
mod reseal;
mod ring;
mod seal;
mod store;
mod store_sealed;

use std::fmt;

use zeroize::Zeroizing;

pub use chain::{ChainKey, ChainKeys};
pub use error::VaultError;
pub use file::{make, rotate, take_out};
pub use open::{find_file, find_ring, open_for};
pub use reseal::{InUse, KeyUses, NamingColumn, Resealed, Resealer, RowName, SealedColumn};
pub use ring::KeyRing;
pub use seal::Place;
pub use store::{Recorded, check_in, recorded, select_recorded};

use crate::{clock::Rng, store::Db};

/// The ring of tests, as `vault_keys` takes it: a database made by a test can be opened by a process that is
/// given this. Known to everyone, so good for nothing else.
#[doc(hidden)]
pub const TEST_KEYS: &str = "test cXVhcnRlcmRlY2sgdGVzdCByaW5nLCBub3Qgc2VjcmU=";

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Vault {
    ring: KeyRing,
    rng: Rng,
}

impl Vault {
    /// Checks the ring against the store, which knows each key's check value, and records keys that are new.
    /// Refuses a ring that lacks a key which the store knows, or has other bytes under its name.
    pub async fn open(keys: KeyRing, db: &Db, rng: &Rng) -> Result<Self, VaultError> {
        store::agree(&keys, db, rng).await?;
        Ok(Self { ring: keys, rng: rng.clone() })
    }

    /// A fixed ring and no store.
    #[doc(hidden)]
    pub fn for_tests() -> Self {
        Self { ring: KeyRing::for_tests(), rng: Rng::system() }
    }

    /// Seals under the active key. What is sealed opens at the same place only.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Vec<u8> {
        seal::seal(self.ring.active(), place, plain, &self.rng)
    }

    /// Opens what [`Vault::seal`] made, under whichever key of the ring that was.
    pub fn open_sealed(
        &self,
        place: Place<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let id = seal::key_id(sealed).ok_or(VaultError::Broken)?;
        let key = self.ring.find(id).ok_or_else(|| VaultError::NotInRing { id: id.to_owned() })?;
        seal::open(key, place, sealed)
    }

    /// Whether it was sealed under an older key than the active one.
    pub fn needs_reseal(&self, sealed: &[u8]) -> bool {
        seal::key_id(sealed) != Some(self.ring.active().id())
    }

    /// A key of its own for each purpose; it changes when another key becomes the active one.
    pub fn derive(&self, purpose: &'static str) -> Zeroizing<[u8; 32]> {
        self.ring.active().derive(&["derive:", purpose])
    }

    /// The keys of the audit chain.
    pub fn chain(&self) -> ChainKeys {
        ChainKeys::of(&self.ring)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Vault").field(&self.ring).finish()
    }
}

//! After the key was changed: what older keys sealed is sealed again under the active one, so that they can be retired.
//!
//! ```text
//! values of another key, a hundred at a time ─► opened, sealed ─► written where nothing else was written meanwhile
//! ```
//! A process that is killed in between leaves every value under one key or the other, and the next round goes on. Only
//! the newest key that the store knows is sealed towards: while replicas with an older ring still run, they must not
//! seal back what the others sealed.

use std::{fmt, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    Place, Vault, seal, store,
    store_sealed::{self, Found},
};
use crate::store::{Db, Sql, StoreError, Tx};

const ROUND: Duration = Duration::from_hours(1);
const AT_ONCE: i64 = 100;

/// A column of sealed values. The domain that seals declares it, and `console.rs` gathers them: a column that is
/// missing there keeps values under keys that are then thought to be free.
#[derive(Clone, Copy, Debug)]
pub struct SealedColumn {
    pub table: &'static str,
    pub column: &'static str,
    /// What [`Place::row`] names.
    pub row: RowName,
}

impl SealedColumn {
    /// Where the value of one row lies.
    pub const fn place(self, row: &str) -> Place<'_> {
        Place { table: self.table, row, column: self.column }
    }
}

/// How a row is named where it is sealed: its primary key, a column of this type.
#[derive(Clone, Copy, Debug)]
pub enum RowName {
    Text(&'static str),
    /// By the key's base64, as URLs have it.
    Bytes(&'static str),
}

/// A column that names a key by which a row is verified: audit rows, signed heads.
#[derive(Clone, Copy, Debug)]
pub struct NamingColumn {
    pub table: &'static str,
    pub column: &'static str,
}

/// Everything that may still need a key.
#[derive(Clone, Copy, Debug)]
pub struct KeyUses {
    pub sealed: &'static [SealedColumn],
    pub naming: &'static [NamingColumn],
}

/// What needs one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InUse {
    pub sealed: i64,
    pub verified: i64,
}

/// How a round went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    pub values: u64,
    /// What no key of the ring opens; it is left as it is.
    pub unopened: u64,
}

/// Keeps the sealed columns of one store under the active key.
pub struct Resealer {
    pub vault: Vault,
    pub db: Db,
    pub columns: &'static [SealedColumn],
}

impl Resealer {
    /// At once and then every hour, until `stop`.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        loop {
            let Resealed { values, unopened } = self.round().await?;
            if values > 0 || unopened > 0 {
                tracing::info!(values, unopened, "sealed again under the active key");
            }
            crate::tasks::beat();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.db.clock().sleep(ROUND) => {}
            }
        }
    }

    /// Everything that is not under the active key.
    pub async fn round(&self) -> Result<Resealed, StoreError> {
        let mut done = Resealed::default();
        let active = self.vault.ring.active().id();
        if !store_sealed::is_newest(&self.db, active).await? {
            tracing::debug!(
                active,
                "another replica has a newer key: nothing is sealed again here"
            );
            return Ok(done);
        }
        for column in self.columns {
            let mut after = None;
            // By key, not from the start: what cannot be opened must not be met again and again.
            loop {
                let prefix = seal::prefix(active);
                let found =
                    store_sealed::list_others(&self.db, column, &prefix, after, AT_ONCE).await?;
                let Some(last) = found.last() else { break };
                after = Some(last.key.clone());
                self.again(column, found, &mut done).await?;
            }
        }
        Ok(done)
    }

    async fn again(
        &self,
        column: &SealedColumn,
        found: Vec<Found>,
        done: &mut Resealed,
    ) -> Result<(), StoreError> {
        let mut fresh = Vec::with_capacity(found.len());
        for value in found {
            let row = value.key.name();
            let place = column.place(&row);
            match self.vault.open_sealed(place, &value.sealed) {
                Ok(plain) => fresh.push((self.vault.seal(place, &plain), value)),
                Err(error) => {
                    done.unopened += 1;
                    tracing::warn!(table = column.table, row, %error, "a value cannot be sealed again");
                }
            }
        }
        let mut tx = self.db.begin().await?;
        for (sealed, was) in fresh {
            done.values += store_sealed::replace(&mut tx, column, &was, sealed).await?;
        }
        tx.commit(Vec::new()).await
    }
}

impl KeyUses {
    /// What needs the key of this name.
    pub async fn of(&self, db: &Db, id: &str) -> Result<InUse, StoreError> {
        let mut used = InUse::default();
        for (sql, sealed) in self.counts(id) {
            used.add(sealed, db.fetch_one(sql).await?.i64("n")?);
        }
        Ok(used)
    }

    /// Marks the key as retired in the caller's transaction, unless something needs it; says what does. Whoever appends
    /// to the audit chain waits meanwhile.
    pub async fn retire(&self, tx: &mut Tx, id: &str) -> Result<InUse, StoreError> {
        store::lock(tx).await?;
        let mut used = InUse::default();
        for (sql, sealed) in self.counts(id) {
            used.add(sealed, tx.fetch_one(sql).await?.i64("n")?);
        }
        if used.is_nothing() {
            store_sealed::retire(tx, id).await?;
        }
        Ok(used)
    }

    /// What to count, and whether it is what the key seals.
    fn counts(&self, id: &str) -> Vec<(Sql, bool)> {
        let prefix = seal::prefix(id);
        let sealed = self.sealed.iter().map(|c| (store_sealed::counted(c, &prefix), true));
        let naming = self.naming.iter().map(|c| (store_sealed::counted_naming(c, id), false));
        sealed.chain(naming).collect()
    }
}

impl InUse {
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }

    fn add(&mut self, sealed: bool, n: i64) {
        let of = if sealed { &mut self.sealed } else { &mut self.verified };
        *of = of.saturating_add(n);
    }
}

impl fmt::Display for InUse {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many =
            |n: i64, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
        let (sealed, verified) =
            (many(self.sealed, "sealed value"), many(self.verified, "audit row"));
        write!(out, "{sealed}, {verified}")
    }
}

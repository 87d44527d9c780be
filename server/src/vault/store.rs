//! What the store knows of the keys: a check value for each, which only the right bytes open.

use app::time::Micros;

use super::{
    Place, VaultError,
    ring::{Key, KeyRing},
    seal,
};
use crate::{
    clock::Rng,
    store::{Db, Row, Sql, StoreError, Tx},
};

/// What every check value says once it is opened.
const CHECK: &[u8] = b"quarterdeck";

/// A key that the store has seen.
pub struct Recorded {
    pub id: String,
    pub since: Micros,
    /// When it was taken out of use: the ring may lack it since.
    pub retired: Option<Micros>,
    check: Vec<u8>,
}

/// Every key that the store has seen, the oldest first.
pub async fn recorded(db: &Db) -> Result<Vec<Recorded>, StoreError> {
    db.fetch_all(select()).await?.iter().map(read).collect()
}

/// Whether anything of this database was made with a key: then a new one would be the wrong one.
pub(super) async fn was_used(db: &Db) -> Result<bool, StoreError> {
    let sql = Sql::new(
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM vault_keys) \
         OR EXISTS (SELECT 1 FROM audit_log WHERE hash IS NOT NULL) THEN 1 ELSE 0 END AS used",
    );
    db.fetch_one(sql).await?.bool("used")
}

/// Refuses a ring that does not go with this database, and records keys that are new to it. Replicas that start
/// at once do so one after the other, so that of two rings that do not go together only one is recorded.
pub(super) async fn agree(keys: &KeyRing, db: &Db, rng: &Rng) -> Result<(), VaultError> {
    let known = recorded(db).await?;
    if compare(keys, &known)?.is_empty() || db.is_read_only() {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    lock(&mut tx).await?;
    let known = tx.fetch_all(select()).await?;
    let known: Vec<Recorded> = known.iter().map(read).collect::<Result<_, _>>()?;
    for key in compare(keys, &known)? {
        record(&mut tx, key, rng).await?;
    }
    Ok(tx.commit(Vec::new()).await?)
}

/// Whoever appends to the audit chain takes this lock too: the ring decides by which key that is done.
pub(super) async fn lock(tx: &mut Tx) -> Result<(), StoreError> {
    let lock = Sql::new("SELECT seq FROM audit_head WHERE id = 1").push(tx.dialect().row_lock());
    tx.fetch_one(lock).await.map(|_| ())
}

/// The keys of the ring that are new.
fn compare<'a>(ring: &'a KeyRing, known: &[Recorded]) -> Result<Vec<&'a Key>, VaultError> {
    let missing: Vec<String> = known
        .iter()
        .filter(|recorded| recorded.retired.is_none() && ring.find(&recorded.id).is_none())
        .map(|recorded| format!("`{}`", recorded.id))
        .collect();
    if !missing.is_empty() {
        return Err(VaultError::Missing { ids: missing.join(", ") });
    }
    let mut new = Vec::new();
    for key in ring.keys() {
        let Some(recorded) = known.iter().find(|recorded| recorded.id == key.id()) else {
            new.push(key);
            continue;
        };
        let opened = seal::open(key, place(key), &recorded.check);
        if !opened.is_ok_and(|opened| opened.as_slice() == CHECK) {
            return Err(VaultError::Wrong { id: recorded.id.clone() });
        }
        // The next start would no longer ask for it, and what it seals from now on would be lost.
        if recorded.retired.is_some() && ring.active().id() == key.id() {
            return Err(VaultError::Retired { id: recorded.id.clone() });
        }
    }
    Ok(new)
}

async fn record(tx: &mut Tx, key: &Key, rng: &Rng) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new("INSERT INTO vault_keys (id, check_value, created_at) VALUES (")
        .arg(key.id())
        .push(", ")
        .arg(seal::seal(key, place(key), CHECK, rng))
        .push(", ")
        .arg(now)
        .push(")");
    tx.execute(sql).await.map(|_| ())
}

fn place(key: &Key) -> Place<'_> {
    Place { table: "vault_keys", row: key.id(), column: "check_value" }
}

/// Refuses a ring that does not go with what this transaction sees; records nothing.
pub async fn check_in(tx: &mut Tx, keys: &KeyRing) -> Result<(), VaultError> {
    let known = tx.fetch_all(select()).await?;
    let known: Vec<Recorded> = known.iter().map(read).collect::<Result<_, _>>()?;
    compare(keys, &known).map(drop)
}

/// Every key that a database was used with, by `id`, whichever schema it has.
pub fn select_recorded() -> Sql {
    Sql::new("SELECT id FROM vault_keys ORDER BY created_at, id")
}

fn select() -> Sql {
    Sql::new(
        "SELECT id, check_value, created_at, retired_at FROM vault_keys ORDER BY created_at, id",
    )
}

fn read(row: &Row) -> Result<Recorded, StoreError> {
    Ok(Recorded {
        id: row.text("id")?,
        since: row.micros("created_at")?,
        retired: row.opt_micros("retired_at")?,
        check: row.bytes("check_value")?,
    })
}

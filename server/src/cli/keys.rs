//! `quarterdeck keys`: a fresh key to configure, which keys the database and the ring have and what still needs them,
//! and the way of a key from the first line of the ring out of it. Never shows the bytes of a key that is in use.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};

use crate::{
    clock::{Clock, Rng},
    config::Config,
    console::{KEY_USES, store_config},
    identity::{self, AuditedGate},
    journal::AuditRow,
    store::{Db, StoreConfig},
    vault::{self, InUse, KeyRing, Recorded, Vault, VaultError},
};

/// Nobody waits for these statements, and an audit log may be long.
const PATIENCE: Duration = Duration::from_mins(10);

/// Prints a line for the key ring. Touches neither a file nor the database.
pub fn new_key() {
    print!("{}", KeyRing::generate(&Rng::system()).text().as_str());
}

/// Ends with false when the database knows a key that the ring lacks.
pub async fn list_keys(config: &Config) -> anyhow::Result<bool> {
    let ring = match vault::find_ring(config) {
        Err(VaultError::NoKey | VaultError::NoFile { .. }) => None,
        found => found?,
    };
    let db = open(config, true).await?;
    let looked = async {
        let recorded = vault::recorded(&db).await?;
        let mut uses = Vec::new();
        for key in &recorded {
            uses.push(KEY_USES.of(&db, &key.id).await?);
        }
        Ok::<_, crate::store::StoreError>(recorded.into_iter().zip(uses).collect::<Vec<_>>())
    };
    let looked = looked.await;
    db.close().await;
    Ok(show(ring.as_ref(), &looked.context("the database's keys cannot be read")?))
}

fn show(ring: Option<&KeyRing>, recorded: &[(Recorded, InUse)]) -> bool {
    let ids: Vec<&str> = ring.iter().flat_map(|ring| ring.ids()).collect();
    for (n, id) in ids.iter().enumerate() {
        let state = if n == 0 { "active" } else { "older" };
        match recorded.iter().find(|(key, _)| key.id == *id) {
            Some((Recorded { since, retired: Some(retired), .. }, _)) => {
                println!("{id}  {state}  recorded {since}  retired {retired}: its line can go");
            }
            Some((key, used)) => println!("{id}  {state}  recorded {}  {used}", key.since),
            None => println!("{id}  {state}  not recorded yet"),
        }
    }
    let mut whole = true;
    let absent = recorded.iter().filter(|(key, _)| !ids.contains(&key.id.as_str()));
    for (key, used) in absent.filter(|(key, _)| key.retired.is_none()) {
        println!("{}  MISSING from the key ring  recorded {}  {used}", key.id, key.since);
        whole = false;
    }
    if ids.is_empty() && recorded.is_empty() {
        println!("There is no key yet; a SQLite database gets one when the console first starts.");
    }
    whole
}

/// Puts a new key first in the key file. The database learns of it when the console starts.
pub fn rotate_key(config: &Config) -> anyhow::Result<()> {
    let Some(path) = vault::find_file(config)? else {
        bail!(
            "the key ring is not in a file but in `vault_keys`, which this command cannot change: put the line that \
             `quarterdeck keys new` prints above the others there, and start the console again"
        );
    };
    let id = vault::rotate(&path, &Rng::system())?;
    println!("{id} is the first key of {} now; keep a copy of the file.", path.display());
    println!(
        "Start the console again: it seals with {id}, and seals again what older keys sealed."
    );
    println!(
        "Several replicas must all have the line before one of them is started with it first."
    );
    Ok(())
}

/// Ends with false when the key is still needed.
pub async fn retire_key(config: &Config, id: &str) -> anyhow::Result<bool> {
    let ring = vault::find_ring(config)?.context("there is no key ring")?;
    if ring.ids().next() == Some(id) {
        bail!("{id} is the active key; `quarterdeck keys rotate` puts another one in its place");
    }
    // A running console has the ring in memory, and may be older than the file.
    let _held = store_config(config).hold().context("stop the console first")?;
    let db = open(config, false).await?;
    let retired = retire(&db, ring, id).await;
    db.close().await;
    let used = retired?;
    if !used.is_nothing() {
        println!("{id} is still needed: {used}. It stays.");
        if used.sealed > 0 {
            println!("A running console seals values again under the active key within the hour.");
        }
        if used.verified > 0 {
            println!("Audit rows need it until they are pruned.");
        }
        return Ok(false);
    }
    match vault::find_file(config)? {
        Some(path) => {
            vault::take_out(&path, id)?;
            println!("{id} is retired, and its line is no longer in {}.", path.display());
        }
        None => println!("{id} is retired: take its line out of `vault_keys`."),
    }
    Ok(true)
}

async fn retire(db: &Db, ring: KeyRing, id: &str) -> anyhow::Result<InUse> {
    let vault = Vault::open(ring, db, &Rng::system()).await?;
    db.chain_with(vault.chain());
    let recorded = vault::recorded(db).await?;
    let Some(key) = recorded.iter().find(|key| key.id == id) else {
        bail!("the database knows no key {id}; `quarterdeck keys list` names those that it knows");
    };
    let mut tx = db.begin().await?;
    let used = KEY_USES.retire(&mut tx, id).await?;
    // Retired before, and killed before its line was gone: nothing happens in the database a second time.
    if used.is_nothing() && key.retired.is_none() {
        let system = identity::system(Arc::new(AuditedGate::new(db.clone())));
        let row = AuditRow::allowed(&system, "vault.key.retire").target("vault_key", id, id);
        tx.commit(vec![row]).await?;
    }
    Ok(used)
}

async fn open(config: &Config, read_only: bool) -> anyhow::Result<Db> {
    let store = StoreConfig { read_only, statement_timeout: PATIENCE, ..store_config(config) };
    let db = Db::open(&store, Clock::system()).await.context("the database cannot be opened")?;
    db.check_schema().await.context("the database does not fit this version")?;
    Ok(db)
}

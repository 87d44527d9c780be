//! `quarterdeck keys`: a fresh key to configure, and which keys the database and the ring have. Never shows the
//! bytes of a key that is in use.

use anyhow::Context as _;

use crate::{
    clock::{Clock, Rng},
    config::Config,
    console::store_config,
    store::{Db, StoreConfig},
    vault::{self, KeyRing, VaultError},
};

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
    let store = StoreConfig { read_only: true, ..store_config(config) };
    let db = Db::open(&store, Clock::system()).await.context("the database cannot be opened")?;
    db.check_schema().await.context("the database does not fit this version")?;
    let recorded = vault::recorded(&db).await;
    db.close().await;
    let recorded = recorded.context("the database's keys cannot be read")?;

    let ids: Vec<&str> = ring.iter().flat_map(KeyRing::ids).collect();
    for (n, id) in ids.iter().enumerate() {
        let state = if n == 0 { "active" } else { "older" };
        match recorded.iter().find(|key| key.id == *id) {
            Some(key) => println!("{id}  {state}  recorded {}", key.since),
            None => println!("{id}  {state}  not recorded yet"),
        }
    }
    let mut whole = true;
    for key in recorded.iter().filter(|key| !ids.contains(&key.id.as_str())) {
        println!("{}  MISSING from the key ring  recorded {}", key.id, key.since);
        whole = false;
    }
    if ids.is_empty() && recorded.is_empty() {
        println!("There is no key yet; a SQLite database gets one when the console first starts.");
    }
    Ok(whole)
}

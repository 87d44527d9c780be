//! `quarterdeck migrate`: brings the database to this version's schema, or says what is missing.

use anyhow::Context as _;

use crate::{
    clock::Clock,
    config::Config,
    console::store_config,
    store::{Db, SCHEMA_VERSION, StoreConfig},
};

/// Ends with false when `check` found something missing.
pub async fn migrate(config: &Config, check: bool) -> anyhow::Result<bool> {
    // Whoever migrates says so; `read_only` speaks of the console's users.
    let store = StoreConfig { read_only: false, ..store_config(config) };
    let db = Db::open(&store, Clock::system()).await.context("the database cannot be opened")?;
    let done = if check { look(&db).await } else { bring_up(&db).await };
    db.close().await;
    done
}

async fn look(db: &Db) -> anyhow::Result<bool> {
    match db.check_schema().await {
        Ok(()) => {
            println!("The database has schema {SCHEMA_VERSION}, as this version wants it.");
            Ok(true)
        }
        Err(crate::store::StoreError::Schema(problem)) => {
            println!("{problem}");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

async fn bring_up(db: &Db) -> anyhow::Result<bool> {
    let applied = db.migrate().await.context("the database was not migrated")?;
    for migration in &applied {
        println!("applied {}", migration.name);
    }
    let done = if applied.is_empty() { "already has" } else { "now has" };
    println!("The database {done} schema {SCHEMA_VERSION}.");
    Ok(true)
}

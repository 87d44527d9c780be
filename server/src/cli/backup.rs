//! `quarterdeck backup` and `quarterdeck restore`: the key ring, the database, and what is said about it. What a
//! file is stands in `crate::backup`.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use app::identity::Caller;

use crate::{
    audit::{Ask, Verdict, verify},
    backup::{self, BackupError, Inspected, Manifest, Restored},
    clock::{Clock, Rng},
    config::{BackupAsk, Config, RestoreAsk},
    console::store_config,
    identity::{self, AuditedGate},
    journal::AuditRow,
    store::{Db, StoreConfig},
    vault::{self, KeyRing, Vault, VaultError},
};

/// Nobody waits for these statements, and a log may be long.
const PATIENCE: Duration = Duration::from_hours(1);

/// Writes one file. That it is made is in the audit log before it is there.
pub async fn backup(config: &Config, ask: &BackupAsk) -> anyhow::Result<()> {
    let store = store(config);
    if let Some(file) = store.sqlite_file()?
        && !file.exists()
    {
        bail!("there is no database at {}", file.display());
    }
    if ask.file.exists() {
        return Err(BackupError::Exists(ask.file.display().to_string()).into());
    }
    let ring = vault::find_ring(config)?;
    let ring = ring.context("there is no key ring, neither configured nor beside the file")?;
    let db = Db::open(&store, Clock::system()).await.context("the database cannot be opened")?;
    let written = async {
        db.check_schema().await.context("the database does not fit this version")?;
        let vault = Vault::open(ring.clone(), &db, &Rng::system()).await?;
        db.chain_with(vault.chain());
        let name = name(&ask.file);
        let row = AuditRow::allowed(&system(&db), "backup.make")
            .target("backup", &name, &name)
            .detail("include_key", ask.include_key);
        db.begin().await?.commit(vec![row]).await?;
        Ok::<_, anyhow::Error>(backup::write(&db, &ring, &ask.file, ask.include_key).await?)
    };
    let written = written.await;
    db.close().await;
    let written = written.context("no backup was made")?;
    println!("{} is whole: {} bytes.", ask.file.display(), written.bytes);
    describe(&written.manifest);
    if ask.include_key {
        println!("The key ring is in it: keep the file as you would keep the key.");
    } else {
        let keys = written.manifest.keys.join(", ");
        println!(
            "The key ring is not in it. To restore it needs {keys}: keep a copy of the ring, apart from the file."
        );
    }
    Ok(())
}

/// Ends with false when the database was restored and its audit chain is broken.
pub async fn restore(config: &Config, ask: &RestoreAsk) -> anyhow::Result<bool> {
    let found = ring_for(config, &ask.file)?;
    let inspected = backup::inspect(&ask.file, &found.ring)?;
    println!("{} is whole, and signed with a key of the ring.", ask.file.display());
    describe(&inspected.manifest);
    if ask.check {
        return Ok(true);
    }
    let store = store(config);
    // Until the process ends: a console that starts meanwhile would take an empty file for a new one.
    let _held = store.hold().context("the database cannot be restored")?;
    let db = Db::open(&store, Clock::system()).await.context("the database cannot be opened")?;
    let done = bring_back(&db, &found, ask, &inspected).await;
    db.close().await;
    done.context("nothing was restored")
}

async fn bring_back(
    db: &Db,
    found: &Found,
    ask: &RestoreAsk,
    inspected: &Inspected,
) -> anyhow::Result<bool> {
    if let Some(table) = db.begin().await?.find_table().await? {
        return Err(BackupError::NotEmpty(table).into());
    }
    // First: a database whose key is nowhere is of no use, a key without a database does no harm.
    if let Some(path) = &found.missing {
        vault::make(path, &found.ring)?;
        println!("{} has the key ring now.", path.display());
    }
    db.chain_with(found.ring.chain());
    let name = name(&ask.file);
    let row = AuditRow::allowed(&system(db), "backup.restore")
        .target("backup", &name, &name)
        .detail("sha256", inspected.sha256.clone())
        .detail("made_at", inspected.manifest.made_at.0);
    let restored = backup::restore(db, &found.ring, &ask.file, inspected, row).await?;
    said(&restored);
    // Records what the ring has and the database did not know.
    let vault = Vault::open(found.ring.clone(), db, &Rng::system()).await?;
    let head = inspected.manifest.audit_head.as_deref().map(str::parse).transpose()?;
    match verify(db, &vault.chain(), &Ask { head, ..Ask::default() }).await? {
        Verdict::Whole(whole) => {
            println!("The audit chain is whole: {} rows, the last is {}.", whole.rows, whole.last);
            Ok(true)
        }
        Verdict::Broken(broken) => {
            println!("The audit chain is broken, as it was when the backup was made: {broken}.");
            Ok(false)
        }
    }
}

/// The ring to restore with.
struct Found {
    ring: KeyRing,
    /// Where the console will look for it, when it came out of the file.
    missing: Option<std::path::PathBuf>,
}

fn ring_for(config: &Config, file: &Path) -> anyhow::Result<Found> {
    match vault::find_ring(config) {
        Ok(Some(ring)) => return Ok(Found { ring, missing: None }),
        Ok(None) | Err(VaultError::NoFile { .. } | VaultError::NoKey) => {}
        Err(error) => return Err(error.into()),
    }
    let Some(ring) = backup::ring_inside(file)? else {
        bail!(
            "the key ring is needed, and {} does not hold it: name the file with --vault-key-file, or give the ring in \
             QUARTERDECK_VAULT_KEYS",
            file.display()
        );
    };
    match vault::find_file(config) {
        Ok(missing) => Ok(Found { ring, missing }),
        Err(VaultError::NoKey) => bail!(
            "{} holds the key ring; say with --vault-key-file where to put it, since a console on Postgres looks \
             nowhere by itself",
            file.display()
        ),
        Err(error) => Err(error.into()),
    }
}

/// `read_only` speaks of the console's users.
fn store(config: &Config) -> StoreConfig {
    StoreConfig { read_only: false, statement_timeout: PATIENCE, ..store_config(config) }
}

fn system(db: &Db) -> Caller {
    identity::system(Arc::new(AuditedGate::new(db.clone())))
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn describe(manifest: &Manifest) {
    let Manifest { product, engine, schema, made_at, tables, .. } = manifest;
    let (rows, tables) = (manifest.rows(), tables.len());
    println!(
        "Version {product}, {engine}, schema {schema}, {made_at}: {rows} rows in {tables} tables."
    );
    match &manifest.audit_head {
        Some(head) => println!("The audit chain ended with {head}"),
        None => println!("The audit log had no row."),
    }
}

fn said(restored: &Restored) {
    println!("Restored {} rows.", restored.rows);
    for migration in &restored.migrated {
        println!("applied {}", migration.name);
    }
}

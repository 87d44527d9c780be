//! A file into an empty database, in one transaction: schema of that time, rows, references, what was added to the
//! schema since. Killed in between, it leaves an empty database.

use std::path::Path;

use super::{
    BackupError, Contents, Inspected, Manifest,
    file::Source,
    read::{check_end, manifest},
    row,
};
use crate::{
    journal::AuditRow,
    store::{
        Db, Migration, SCHEMA_VERSION, Tx,
        copy::{Column, Table},
    },
    vault::{self, KeyRing},
};

/// Rows that wait for their turn.
const ROWS_AT_ONCE: usize = 500;
/// And what they may weigh, as text.
const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;

/// What became of it.
pub struct Restored {
    pub rows: u64,
    /// What the schema got since the file was made.
    pub migrated: Vec<Migration>,
}

/// Fills the database, which must be empty, with a file that [`super::inspect`] found whole. `row` says in the audit
/// log that it was done, in the same transaction.
pub async fn restore(
    db: &Db,
    ring: &KeyRing,
    path: &Path,
    inspected: &Inspected,
    said: AuditRow,
) -> Result<Restored, BackupError> {
    let mut tx = db.begin().await?;
    tx.lock_schema().await?;
    if let Some(table) = tx.find_table().await? {
        return Err(BackupError::NotEmpty(table));
    }
    let mut source = Source::open(path)?;
    let manifest = manifest(&mut source, path)?;
    tx.migrate_to(manifest.schema).await?;
    let load = tx.begin_load().await?;
    check_tables(&manifest, &load.tables, path)?;
    for contents in &manifest.tables {
        fill(&mut tx, contents, &mut source, path).await?;
    }
    // The file may have been changed since it was inspected.
    let sha256 = check_end(source, path, ring)?;
    if sha256 != inspected.sha256 {
        return Err(BackupError::Damaged(path.display().to_string()));
    }
    let filled: Vec<Table> = manifest.tables.iter().map(|c| c.table.clone()).collect();
    tx.end_load(load, &filled).await?;
    let migrated = tx.migrate_to(SCHEMA_VERSION).await?;
    vault::check_in(&mut tx, ring).await?;
    tx.commit(vec![said]).await?;
    Ok(Restored { rows: manifest.rows(), migrated })
}

/// The database has what the file holds and nothing else, whichever engine the file came from.
fn check_tables(manifest: &Manifest, here: &[Table], path: &Path) -> Result<(), BackupError> {
    let sorted = |table: &Table| {
        let mut columns = table.columns.clone();
        columns.sort_by(|one, other| one.name.cmp(&other.name));
        (table.name.clone(), columns)
    };
    let mut there: Vec<(String, Vec<Column>)> =
        manifest.tables.iter().map(|contents| sorted(&contents.table)).collect();
    let mut here: Vec<_> = here.iter().map(sorted).collect();
    there.sort_by(|one, other| one.0.cmp(&other.0));
    here.sort_by(|one, other| one.0.cmp(&other.0));
    let odd = there.iter().find(|table| !here.contains(table));
    let odd = odd.or_else(|| here.iter().find(|table| !there.contains(table)));
    match odd {
        None => Ok(()),
        Some((name, _)) => Err(BackupError::Tables {
            file: path.display().to_string(),
            schema: manifest.schema,
            what: format!("`{name}` is not the same in both"),
        }),
    }
}

async fn fill(
    tx: &mut Tx,
    contents: &Contents,
    source: &mut Source,
    path: &Path,
) -> Result<(), BackupError> {
    let mut waiting = Vec::new();
    let mut bytes = 0;
    for _ in 0..contents.rows {
        let line = source.hashed()?;
        bytes += line.len();
        let row = row::parse(&line, &contents.table);
        waiting.push(row.ok_or_else(|| BackupError::Damaged(path.display().to_string()))?);
        if waiting.len() == ROWS_AT_ONCE || bytes > BYTES_AT_ONCE {
            tx.load(&contents.table, std::mem::take(&mut waiting)).await?;
            bytes = 0;
        }
    }
    tx.load(&contents.table, waiting).await?;
    Ok(())
}

//! Brings the schema up to this program, and refuses a database that does not go with it.
//!
//! Each migration stands in two folders, one per engine, and leaves the same tables in both. They expand before
//! they contract: a program of schema N runs on schema N+1, and a migration that takes that away says so by
//! `min_reader`. All that is missing is applied in one transaction, under a lock.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::{Db, Dialect, SchemaProblem, Sql, StoreError, Tx};

/// One step of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    pub version: i64,
    pub name: &'static str,
    /// The oldest program, by its own schema version, that can run on the result.
    pub min_reader: i64,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migration {
    ($version:literal, $file:literal, $min_reader:literal) => {
        Migration {
            version: $version,
            name: $file,
            min_reader: $min_reader,
            sqlite: include_str!(concat!("../../../migrations/sqlite/", $file, ".sql")),
            postgres: include_str!(concat!("../../../migrations/postgres/", $file, ".sql")),
        }
    };
}

const MIGRATIONS: &[Migration] = &[
    migration!(1, "0001_base", 1),
    migration!(2, "0002_operations", 1),
    migration!(3, "0003_vault", 1),
    migration!(4, "0004_audit", 1),
    migration!(5, "0005_identity", 1),
    migration!(6, "0006_audit_list", 1),
    migration!(7, "0007_triage", 1),
    migration!(8, "0008_fleet", 1),
];

/// The schema that this program was written for.
pub const SCHEMA_VERSION: i64 = MIGRATIONS[MIGRATIONS.len() - 1].version;

/// Where it is written down what was applied. Before all migrations, so not one of them.
const SQLITE_LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, \
     name TEXT NOT NULL, checksum TEXT NOT NULL, min_reader INTEGER NOT NULL, applied_at INTEGER NOT NULL) STRICT";
const POSTGRES_LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT PRIMARY KEY, \
     name TEXT COLLATE \"C\" NOT NULL, checksum TEXT COLLATE \"C\" NOT NULL, min_reader BIGINT NOT NULL, \
     applied_at BIGINT NOT NULL)";

/// Any number, always the same: who holds it migrates.
pub(super) const POSTGRES_LOCK: i64 = 0x7175_6172_7465;

struct Applied {
    version: i64,
    checksum: String,
    min_reader: i64,
}

impl Migration {
    fn text(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        }
    }

    /// Tells an altered file from the one that was applied.
    fn checksum(&self, dialect: Dialect) -> String {
        let digest = Sha256::digest(self.text(dialect));
        digest.iter().fold(String::new(), |mut text, byte| {
            // Writing into a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl Db {
    /// Applies what is missing and says what that was. Safe to run twice, and at once.
    pub async fn migrate(&self) -> Result<Vec<Migration>, StoreError> {
        self.migrate_to(SCHEMA_VERSION).await
    }

    /// The same, but no further: a database as an older program left it.
    #[doc(hidden)]
    pub async fn migrate_to(&self, version: i64) -> Result<Vec<Migration>, StoreError> {
        let mut tx = self.begin().await?;
        tx.lock_schema().await?;
        let missing = tx.migrate_to(version).await?;
        tx.commit(Vec::new()).await?;
        self.learn_uniques().await?;
        Ok(missing)
    }

    /// The schema that the database has, 0 for none. Refuses one that another build made, and one too new to read.
    pub async fn schema_version(&self) -> Result<i64, StoreError> {
        let applied = self.applied().await?;
        compare(&applied, self.dialect())?;
        Ok(newest(&applied))
    }

    /// Refuses a database that was never migrated, is behind this program, or is too new for it.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        match self.schema_version().await? {
            found if found < SCHEMA_VERSION => {
                Err(problem(SchemaProblem::Behind { found, needed: SCHEMA_VERSION }))
            }
            _ => Ok(()),
        }
    }

    async fn applied(&self) -> Result<Vec<Applied>, StoreError> {
        let ledger = match self.dialect() {
            Dialect::Sqlite => "SELECT name FROM sqlite_master WHERE name = 'schema_migrations'",
            Dialect::Postgres => {
                "SELECT table_name FROM information_schema.tables \
                 WHERE table_schema = current_schema() AND table_name = 'schema_migrations'"
            }
        };
        match self.fetch_optional(Sql::new(ledger)).await? {
            None => Ok(Vec::new()),
            Some(_) => read(&self.fetch_all(select()).await?),
        }
    }
}

impl Tx {
    /// Whoever migrates waits here for whoever does already.
    pub async fn lock_schema(&mut self) -> Result<(), StoreError> {
        lock(self).await
    }

    /// Applies what is missing up to this version, behind [`Tx::lock_schema`].
    pub async fn migrate_to(&mut self, version: i64) -> Result<Vec<Migration>, StoreError> {
        self.script(match self.dialect() {
            Dialect::Sqlite => SQLITE_LEDGER,
            Dialect::Postgres => POSTGRES_LEDGER,
        })
        .await?;
        let applied = read(&self.fetch_all(select()).await?)?;
        compare(&applied, self.dialect())?;
        let newest = newest(&applied);
        let missing: Vec<Migration> = MIGRATIONS
            .iter()
            .filter(|m| m.version > newest && m.version <= version)
            .copied()
            .collect();
        for migration in &missing {
            apply(self, migration).await?;
        }
        Ok(missing)
    }
}

fn select() -> Sql {
    Sql::new("SELECT version, checksum, min_reader FROM schema_migrations ORDER BY version")
}

fn read(rows: &[super::Row]) -> Result<Vec<Applied>, StoreError> {
    let applied = rows.iter().map(|row| {
        Ok(Applied {
            version: row.i64("version")?,
            checksum: row.text("checksum")?,
            min_reader: row.i64("min_reader")?,
        })
    });
    applied.collect()
}

fn newest(applied: &[Applied]) -> i64 {
    applied.iter().map(|a| a.version).max().unwrap_or(0)
}

/// What was applied must be what we carry; what we do not carry must still let us read.
fn compare(applied: &[Applied], dialect: Dialect) -> Result<(), StoreError> {
    for known in MIGRATIONS {
        let other = applied
            .iter()
            .find(|a| a.version == known.version && a.checksum != known.checksum(dialect));
        if other.is_some() {
            let (version, name) = (known.version, known.name.to_owned());
            return Err(problem(SchemaProblem::Altered { version, name }));
        }
    }
    match applied.iter().map(|a| a.min_reader).max().unwrap_or(0) {
        min_reader if min_reader > SCHEMA_VERSION => {
            Err(problem(SchemaProblem::TooNew { min_reader, known: SCHEMA_VERSION }))
        }
        _ => Ok(()),
    }
}

async fn lock(tx: &mut Tx) -> Result<(), StoreError> {
    if tx.dialect() == Dialect::Sqlite {
        return Ok(());
    }
    // Building an index may take long, and so may waiting for another replica that builds it.
    tx.script("SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0").await?;
    tx.fetch_all(Sql::new("SELECT pg_advisory_xact_lock(").arg(POSTGRES_LOCK).push(")")).await?;
    Ok(())
}

async fn apply(tx: &mut Tx, migration: &Migration) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let done = tx.script(migration.text(tx.dialect())).await;
    done.map_err(|error| failed(migration, error))?;
    let sql = Sql::new(
        "INSERT INTO schema_migrations (version, name, checksum, min_reader, applied_at) VALUES ",
    )
    .push("(")
    .arg(migration.version)
    .push(", ")
    .arg(migration.name)
    .push(", ")
    .arg(migration.checksum(tx.dialect()))
    .push(", ")
    .arg(migration.min_reader)
    .push(", ")
    .arg(now)
    .push(")");
    tx.execute(sql).await.map(|_| ())
}

fn failed(migration: &Migration, error: StoreError) -> StoreError {
    let reason = match error {
        StoreError::Other(sqlx::Error::Database(error)) => error.message().to_owned(),
        StoreError::Other(error) => error.to_string(),
        // A locked, full or read-only database speaks for itself.
        known => return known,
    };
    if reason.contains("pg_trgm") || reason.contains("permission denied to create extension") {
        return problem(SchemaProblem::NoTrigrams);
    }
    let (version, name) = (migration.version, migration.name.to_owned());
    problem(SchemaProblem::Failed { version, name, reason })
}

fn problem(problem: SchemaProblem) -> StoreError {
    StoreError::Schema(problem)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_is_listed_in_order() {
        for folder in ["sqlite", "postgres"] {
            let path = format!("{}/../migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
            let files: BTreeSet<String> = std::fs::read_dir(path)
                .expect("the folder of migrations")
                .map(|file| file.expect("a file").file_name().to_string_lossy().into_owned())
                .collect();
            let listed: BTreeSet<String> =
                MIGRATIONS.iter().map(|m| format!("{}.sql", m.name)).collect();
            assert_eq!(files, listed, "{folder}");
        }
        let versions: Vec<i64> = MIGRATIONS.iter().map(|m| m.version).collect();
        assert_eq!(versions, (1..=SCHEMA_VERSION).collect::<Vec<_>>());
        assert!(MIGRATIONS.iter().all(|m| m.name.starts_with(&format!("{:04}_", m.version))));
        assert!(MIGRATIONS.iter().all(|m| m.min_reader <= m.version));
    }
}

//! How to reach the database: what `DATABASE_URL` may say, and the limits that go with it.

use std::{path::PathBuf, str::FromStr as _, time::Duration};

use sqlx::postgres::PgConnectOptions;

use super::StoreError;

/// What [`super::Db::open`] needs to know. `Default` is SQLite in the working directory.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// `sqlite:path` or `postgres://user@host/database`.
    /// Postgres takes `?sslmode=verify-full&sslrootcert=ca.pem` as libpq does; TLS is used when the server has it.
    pub url: String,
    /// Postgres only, half for readers and half for writers; SQLite always has one writer and three readers.
    pub max_connections: u32,
    /// How long a read may take.
    pub statement_timeout: Duration,
    /// How long to wait for a connection, or for another writer's lock.
    pub lock_timeout: Duration,
    /// Refuses every write before it reaches the database.
    pub read_only: bool,
    /// How Postgres lists our connections.
    pub application_name: String,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: "sqlite:quarterdeck.db".to_owned(),
            max_connections: 16,
            statement_timeout: Duration::from_secs(2),
            lock_timeout: Duration::from_secs(10),
            read_only: false,
            application_name: "quarterdeck".to_owned(),
        }
    }
}

pub(super) enum Target {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

impl StoreConfig {
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// The SQLite file; none for Postgres.
    pub fn sqlite_file(&self) -> Result<Option<PathBuf>, StoreError> {
        match self.target()? {
            Target::Sqlite(path) => Ok(Some(path)),
            Target::Postgres(_) => Ok(None),
        }
    }

    /// What the URL names; the error says what it should have been, and never repeats a password.
    pub(super) fn target(&self) -> Result<Target, StoreError> {
        let (scheme, rest) = self.url.split_once(':').unwrap_or(("", &self.url));
        match scheme {
            "sqlite" => sqlite_path(rest).map(Target::Sqlite),
            "postgres" | "postgresql" => PgConnectOptions::from_str(&self.url)
                .map(|options| Target::Postgres(Box::new(options)))
                .map_err(|_| config("DATABASE_URL is no Postgres URL: postgres://user:password@host:5432/database is how one looks")),
            _ => Err(config(
                "DATABASE_URL must begin with `sqlite:` (sqlite:path/to/file.db) or `postgres:` (postgres://user@host/database)",
            )),
        }
    }
}

fn sqlite_path(rest: &str) -> Result<PathBuf, StoreError> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.contains(":memory:") || path.contains("mode=memory") {
        return Err(config(
            "sqlite::memory: cannot be used: each of our four connections would see a database of its own; name a file",
        ));
    }
    if path.is_empty() || path.contains('?') {
        return Err(config(
            "`sqlite:` takes the path of a file and no parameters: sqlite:path/to/file.db",
        ));
    }
    let path = PathBuf::from(path);
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => Err(config(
            &format!("the folder {} of the SQLite file does not exist", folder.display()),
        )),
        _ if path.is_dir() => {
            Err(config(&format!("{} is a folder; SQLite needs a file", path.display())))
        }
        _ => Ok(path),
    }
}

fn config(reason: &str) -> StoreError {
    StoreError::Config(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        match StoreConfig::at(url).target() {
            Ok(_) => panic!("{url} was taken"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn both_forms_are_taken() {
        assert!(
            matches!(StoreConfig::at("sqlite:a.db").target(), Ok(Target::Sqlite(p)) if p.as_os_str() == "a.db")
        );
        assert!(
            matches!(StoreConfig::at("sqlite:///tmp/a.db").target(), Ok(Target::Sqlite(p)) if p.as_os_str() == "/tmp/a.db")
        );
        assert!(matches!(
            StoreConfig::at("postgres://me@localhost/qd").target(),
            Ok(Target::Postgres(_))
        ));
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        assert!(refusal("sqlite::memory:").contains("database of its own"));
        assert!(refusal("sqlite:/no/such/folder/a.db").contains("/no/such/folder"));
        assert!(refusal("sqlite:/tmp").contains("is a folder"));
        assert!(refusal("sqlite:a.db?mode=rwc").contains("no parameters"));
        for unknown in ["mysql://me@localhost/qd", "quarterdeck.db", ""] {
            let refusal = refusal(unknown);
            assert!(refusal.contains("`sqlite:`") && refusal.contains("`postgres:`"), "{refusal}");
        }
        assert!(!refusal("postgres://me:hunter2@localhost:port/qd").contains("hunter2"));
    }
}

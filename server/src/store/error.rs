//! What a database can answer instead of rows, in words that hold for both engines.
//!
//! Logs nothing: whoever handles the error does.

use app::error::{ApiError, Dependency};
use sqlx::error::{DatabaseError, ErrorKind};

use super::Dialect;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `DATABASE_URL` or its neighbours cannot be used as they are.
    #[error("{0}")]
    Config(String),
    #[error("the database is locked by another writer: {0}")]
    Locked(String),
    #[error("the database has no room left: {0}")]
    Full(String),
    #[error("the database takes no writes: {0}")]
    ReadOnly(String),
    /// Named by the unique index, the same in both engines; a primary key is `<table>_pkey`.
    #[error("already there: {constraint}")]
    Unique { constraint: String },
    #[error("refers to a row that is not there, or removes one that is referred to: {0}")]
    ForeignKey(String),
    #[error("the statement took longer than it may")]
    Timeout,
    #[error("the database cannot be reached: {0}")]
    Connection(String),
    /// The connection broke while the commit was on its way: the change may stand or not.
    #[error("the answer to a commit was lost; whether it was done is not known: {0}")]
    CommitUnknown(String),
    /// A statement of this transaction failed before; nothing of it was written.
    #[error("an earlier statement of this transaction failed, so it was rolled back")]
    Aborted,
    #[error("{0}")]
    Schema(SchemaProblem),
    #[error("column `{column}` {reason}")]
    Column { column: &'static str, reason: String },
    /// Exactly one row was expected.
    #[error("no row where one was expected")]
    NoRow,
    /// Audit rows were to be committed before the key ring was opened; none is written outside the chain.
    #[error("audit rows cannot be written: this store was given no chain key")]
    NoChain,
    #[error("text with a NUL byte cannot be stored")]
    NulInText,
    #[error(transparent)]
    Other(sqlx::Error),
}

/// Why this program and this database do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaProblem {
    #[error(
        "the database is at schema {found} and this program needs {needed}: run `quarterdeck migrate`"
    )]
    Behind { found: i64, needed: i64 },
    #[error(
        "the database was migrated by a newer program: it needs one that knows schema {min_reader}, and this one knows {known}"
    )]
    TooNew { min_reader: i64, known: i64 },
    #[error(
        "migration {version} ({name}) was applied with another text than this program carries: the database belongs to another build"
    )]
    Altered { version: i64, name: String },
    #[error("migration {version} ({name}) failed, nothing was changed: {reason}")]
    Failed { version: i64, name: String, reason: String },
    #[error(
        "Postgres lacks the extension pg_trgm and this user may not create it: let an administrator run `CREATE EXTENSION pg_trgm` in this database (package postgresql-contrib), then migrate again"
    )]
    NoTrigrams,
}

impl StoreError {
    pub(super) fn null(column: &'static str) -> Self {
        Self::Column { column, reason: "is NULL".to_owned() }
    }

    pub(super) fn from_sqlx(error: sqlx::Error, dialect: Dialect) -> Self {
        match error {
            sqlx::Error::Database(error) => match dialect {
                Dialect::Sqlite => from_sqlite(error),
                Dialect::Postgres => from_postgres(error),
            },
            sqlx::Error::Io(error) => Self::Connection(error.to_string()),
            // A connection that ends within the greeting is told in this way, as when a proxy before a database that is
            // down takes it and lets go.
            sqlx::Error::Protocol(error) => Self::Connection(error),
            sqlx::Error::Tls(error) => Self::Connection(format!("TLS: {error}")),
            sqlx::Error::PoolTimedOut => {
                Self::Connection("no connection became free in time".to_owned())
            }
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Self::Connection("the store is closed".to_owned())
            }
            sqlx::Error::RowNotFound => Self::NoRow,
            sqlx::Error::Configuration(error) => Self::Config(error.to_string()),
            other => Self::Other(other),
        }
    }

    /// What a failed commit means: refused is not done, a broken line is not known.
    pub(super) fn of_commit(self) -> Self {
        match self {
            Self::Connection(reason) => Self::CommitUnknown(reason),
            other => other,
        }
    }
}

fn from_sqlite(error: Box<dyn DatabaseError>) -> StoreError {
    let message = error.message().to_owned();
    let code = error.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or_default();
    // https://www.sqlite.org/rescode.html: the low byte is the primary code.
    match (error.kind(), code & 0xff) {
        (ErrorKind::UniqueViolation, _) => {
            let columns = message.rsplit(": ").next().unwrap_or_default().to_owned();
            StoreError::Unique { constraint: columns }
        }
        (ErrorKind::ForeignKeyViolation, _) => StoreError::ForeignKey(message),
        (_, 5 | 6) => StoreError::Locked(message),
        (_, 8) => StoreError::ReadOnly(message),
        (_, 9) => StoreError::Timeout,
        (_, 13) => StoreError::Full(message),
        (_, 10 | 11 | 14 | 26) => StoreError::Connection(message),
        _ => StoreError::Other(sqlx::Error::Database(error)),
    }
}

fn from_postgres(error: Box<dyn DatabaseError>) -> StoreError {
    let message = error.message().to_owned();
    let code = error.code().unwrap_or_default().into_owned();
    // https://www.postgresql.org/docs/current/errcodes-appendix.html
    match code.as_str() {
        "23505" => {
            StoreError::Unique { constraint: error.constraint().unwrap_or_default().to_owned() }
        }
        "23503" => StoreError::ForeignKey(message),
        "57014" => StoreError::Timeout,
        "55P03" | "40001" | "40P01" => StoreError::Locked(message),
        "53100" | "53200" => StoreError::Full(message),
        "25006" => StoreError::ReadOnly(message),
        "22021" | "22P05" => StoreError::NulInText,
        // 55000: an administrator has closed this database to connections.
        "3D000" | "28000" | "28P01" | "53300" | "55000" | "57P01" | "57P02" | "57P03" | "57P04"
        | "25P03" => StoreError::Connection(message),
        code if code.starts_with("08") => StoreError::Connection(message),
        _ => StoreError::Other(sqlx::Error::Database(error)),
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Locked(_)
            | StoreError::Full(_)
            | StoreError::ReadOnly(_)
            | StoreError::Connection(_) => Self::Unavailable(Dependency::Database),
            // "Nothing was changed" would be a guess for a commit whose answer was lost.
            StoreError::Timeout | StoreError::CommitUnknown(_) => Self::Timeout,
            StoreError::NulInText => Self::invalid("text", app::error::Rule::NulByte),
            // `web::errors` puts the request's id in.
            _ => Self::Internal(String::new()),
        }
    }
}

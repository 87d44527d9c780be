//! The two engines behind one door: SQLite by default, Postgres by `DATABASE_URL`, one SQL text for both.
//!
//! Owns connections, transactions, migrations, and all that differs between the engines ([`Dialect`]). Knows no
//! domain: a domain keeps its SQL in its own `store.rs` and writes it with [`Sql`]. sqlx stays inside.
//!
//! ```text
//!             ┌ SQLite:   1 writer (BEGIN IMMEDIATE) + 3 readers (opened read-only)
//!  Db ────────┤
//!             └ Postgres: a pool of writers + a pool of readers (read-only, statement timeout)
//!  Db::begin ─► Tx ─► execute… ─► journal::events::publish ─► commit(audit rows) ─► wakes the event sequencer
//! ```
//!
//! sqlx's native drivers, not its `Any`: they give error codes, pragmas, and NULLs with a type. Its migrator is
//! not used either: it takes no lock on SQLite and knows nothing of the oldest program that may still read.
//!
//! A failed statement ends its [`Tx`] on both engines: Postgres answers COMMIT of a failed transaction with a
//! silent ROLLBACK, and a full SQLite has rolled back already. What may fail is written so that it does not:
//! `ON CONFLICT … DO NOTHING RETURNING`.

mod config;
mod connect;
pub mod copy;
mod db;
mod dialect;
mod error;
mod faults;
mod hold;
pub mod list;
mod listen;
mod migrate;
pub mod paged;
mod query;
mod row;
mod sql;
#[doc(hidden)]
pub mod testing;
mod tx;
mod waits;

pub use config::StoreConfig;
pub use db::Db;
pub use dialect::{Dialect, Search, Searchable, escape_like};
pub use error::{SchemaProblem, StoreError};
pub use faults::{Fault, Faults};
pub use hold::Held;
pub use listen::Listener;
pub use migrate::{Migration, SCHEMA_VERSION};
pub use row::Row;
pub use sql::{Sql, Value};
pub use tx::Tx;
pub use waits::Waits;

//! What each engine says of its own tables. The ledger of migrations is left out: it is made anew where a database
//! is filled, and SQLite's text index fills itself by its triggers.

use std::collections::BTreeMap;

use super::{Column, Kind, Table};
use crate::store::{Dialect, Row, Sql, StoreError};

const SQLITE_COLUMNS: &str = "SELECT m.name AS t, c.name AS c, c.type AS kind \
     FROM pragma_table_list m, pragma_table_info(m.name) c \
     WHERE m.schema = 'main' AND m.type = 'table' AND m.name NOT LIKE 'sqlite%' \
     AND m.name <> 'schema_migrations' ORDER BY m.name, c.cid";

const POSTGRES_COLUMNS: &str = "SELECT CAST(c.table_name AS TEXT) AS t, CAST(c.column_name AS TEXT) AS c, \
     CAST(c.data_type AS TEXT) AS kind FROM information_schema.columns c \
     JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
     WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' \
     AND c.table_name <> 'schema_migrations' ORDER BY c.table_name, c.ordinal_position";

const SQLITE_COUNTERS: &str = "SELECT name AS t, seq + 1 AS next FROM sqlite_sequence";

const POSTGRES_COUNTERS: &str = "SELECT CAST(c.table_name AS TEXT) AS t, \
     CAST(COALESCE(s.last_value + 1, s.start_value) AS BIGINT) AS next FROM information_schema.columns c \
     JOIN pg_sequences s ON quote_ident(s.schemaname) || '.' || quote_ident(s.sequencename) = \
     pg_get_serial_sequence(quote_ident(c.table_name), c.column_name) \
     WHERE c.table_schema = current_schema() AND c.is_identity = 'YES'";

/// Any table at all, the ledger too, and whoever made it.
pub(super) const fn any_table(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT name AS t FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name LIMIT 1"
        }
        Dialect::Postgres => {
            "SELECT CAST(table_name AS TEXT) AS t FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY table_name LIMIT 1"
        }
    }
}

pub(super) fn columns(dialect: Dialect) -> Sql {
    Sql::new(match dialect {
        Dialect::Sqlite => SQLITE_COLUMNS,
        Dialect::Postgres => POSTGRES_COLUMNS,
    })
}

pub(super) fn counters(dialect: Dialect) -> Sql {
    Sql::new(match dialect {
        Dialect::Sqlite => SQLITE_COUNTERS,
        Dialect::Postgres => POSTGRES_COUNTERS,
    })
}

/// The answers of both statements as tables, by name.
pub(super) fn read(columns: &[Row], counters: &[Row]) -> Result<Vec<Table>, StoreError> {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for row in columns {
        let name = row.text("t")?;
        let kind = kind(&row.text("kind")?)?;
        let column = Column { name: row.text("c")?, kind };
        let new = || Table { name: name.clone(), columns: Vec::new(), next: None };
        tables.entry(name.clone()).or_insert_with(new).columns.push(column);
    }
    for row in counters {
        if let Some(table) = tables.get_mut(&row.text("t")?) {
            table.next = Some(row.i64("next")?);
        }
    }
    Ok(tables.into_values().collect())
}

fn kind(word: &str) -> Result<Kind, StoreError> {
    match word {
        "INTEGER" | "bigint" => Ok(Kind::Integer),
        "REAL" | "double precision" => Ok(Kind::Float),
        "TEXT" | "text" => Ok(Kind::Text),
        "BLOB" | "bytea" => Ok(Kind::Bytes),
        other => Err(StoreError::Config(format!(
            "a column is of the type {other:?}, which is none of ours"
        ))),
    }
}

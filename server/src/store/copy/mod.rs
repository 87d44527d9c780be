//! Whole tables, out of one database and into another: what a backup stands on.
//!
//! Knows no table by name: the catalogue tells, so that a migration needs nothing here. [`Snapshot`] reads all
//! tables as they were at one moment while others write; [`Tx::begin_load`] to [`Tx::end_load`] fill an empty
//! database inside one transaction. Must not know what the rows mean, nor in which form they are kept.
//!
//! The only place besides migrations that builds SQL from names; they come from the database's own catalogue, and
//! a name that is not of our making is refused.

mod catalogue;
mod load;
mod snapshot;

use super::StoreError;

pub use snapshot::Snapshot;

/// What a column holds, the same word for both engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Integer,
    Float,
    Text,
    Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    /// The number that its next row gets, where the database gives numbers: those of rows that are gone never
    /// come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// As SQL, or refused: every name of ours is made of these letters.
fn quoted(name: &str) -> Result<String, StoreError> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if (1..=63).contains(&name.len()) && name.bytes().all(fits) {
        Ok(format!("\"{name}\""))
    } else {
        Err(StoreError::Config(format!("{name:?} is not the name of a table or column of ours")))
    }
}

/// `"a", "b"`
fn columns(table: &Table) -> Result<String, StoreError> {
    let names: Result<Vec<String>, _> = table.columns.iter().map(|c| quoted(&c.name)).collect();
    Ok(names?.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_ours_never_becomes_sql() {
        assert_eq!(quoted("audit_log").expect("ours"), "\"audit_log\"");
        for wrong in ["", "a\"b", "a b", "A", "a;", "ä", &"a".repeat(64)] {
            assert!(quoted(wrong).is_err(), "{wrong}");
        }
    }
}

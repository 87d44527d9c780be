//! The bytes that a row's hash is made over: one definition, for writing and for verifying.
//!
//! ```text
//! version (1 byte) ‖ hash of the row before (32 bytes) ‖ key id ‖ each of COLUMNS
//! ```
//!
//! A field is `0` when it is absent, `1 ‖ length (4 bytes) ‖ UTF-8` when it is text and `2 ‖ 8 bytes` when it is
//! a number, most significant byte first. So no two rows give the same bytes: where a field ends is said before
//! it begins. Must not change: a row that was written is verified for as long as it is kept. Another encoding is
//! another version.

use crate::store::{Row, Sql, StoreError, Value};

pub type Hash = [u8; 32];

/// What `hash_version` says of rows in this encoding.
pub const VERSION: u8 = 1;

/// What the first row follows.
pub const START: Hash = [0; 32];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Number,
    Text,
}

/// All that a row says, in the order in which it is hashed; beside it stand only the chain's own columns.
pub const COLUMNS: [(&str, Kind); 20] = [
    ("seq", Kind::Number),
    ("at", Kind::Number),
    ("actor_kind", Kind::Text),
    ("actor_id", Kind::Text),
    ("actor_name", Kind::Text),
    ("on_behalf_of", Kind::Text),
    ("service_identity", Kind::Text),
    ("action", Kind::Text),
    ("target_kind", Kind::Text),
    ("target_id", Kind::Text),
    ("target_label", Kind::Text),
    ("workspace_id", Kind::Number),
    ("capability", Kind::Text),
    ("decision", Kind::Text),
    ("reason", Kind::Text),
    ("request_id", Kind::Text),
    ("correlation_id", Kind::Text),
    ("session_hash", Kind::Text),
    ("address", Kind::Text),
    ("details", Kind::Text),
];

/// `INSERT INTO audit_log (…`, `SELECT …`: the columns, then the chain's own.
pub fn columns(sql: Sql) -> Sql {
    let sql = COLUMNS.iter().fold(sql, |sql, (name, _)| sql.push(name).push(", "));
    sql.push("hash_version, hash_key, prev_hash, hash")
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    Number(Option<i64>),
    Text(Option<String>),
}

impl From<Field> for Value {
    fn from(field: Field) -> Self {
        match field {
            Field::Number(number) => number.into(),
            Field::Text(text) => text.into(),
        }
    }
}

/// The values of a row, one for each of [`COLUMNS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields(pub [Field; COLUMNS.len()]);

impl Fields {
    pub fn read(row: &Row) -> Result<Self, StoreError> {
        let mut fields = [const { Field::Text(None) }; COLUMNS.len()];
        for (field, (name, kind)) in fields.iter_mut().zip(COLUMNS) {
            *field = match kind {
                Kind::Number => Field::Number(row.opt_i64(name)?),
                Kind::Text => Field::Text(row.opt_text(name)?),
            };
        }
        Ok(Self(fields))
    }

    /// What the row's hash is made over.
    pub fn encode(&self, prev: &Hash, key: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        bytes.push(VERSION);
        bytes.extend_from_slice(prev);
        put_text(&mut bytes, Some(key));
        for field in &self.0 {
            match field {
                Field::Number(number) => put_number(&mut bytes, *number),
                Field::Text(text) => put_text(&mut bytes, text.as_deref()),
            }
        }
        bytes
    }
}

fn put_number(bytes: &mut Vec<u8>, number: Option<i64>) {
    match number {
        None => bytes.push(0),
        Some(number) => {
            bytes.push(2);
            bytes.extend_from_slice(&number.to_be_bytes());
        }
    }
}

fn put_text(bytes: &mut Vec<u8>, text: Option<&str>) {
    match text {
        None => bytes.push(0),
        Some(text) => {
            bytes.push(1);
            // Neither engine takes four gigabytes of text.
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Field {
        Field::Text(Some(text.to_owned()))
    }

    fn row() -> Fields {
        Fields(std::array::from_fn(|n| match (n, COLUMNS[n].1) {
            (0, _) => Field::Number(Some(7)),
            (1, _) => Field::Number(Some(1_700_000_000_000_001)),
            (11, _) => Field::Number(Some(-1)),
            (5, _) => Field::Text(None),
            (6, _) => text(""),
            (4, _) => text("Ålesund"),
            (_, Kind::Text) => text("x"),
            (_, Kind::Number) => Field::Number(None),
        }))
    }

    #[test]
    fn the_bytes_are_what_they_were() {
        let hex = row().encode(&[0xab; 32], "k1").iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        let x = "010000000178";
        let golden = [
            "01",
            &"ab".repeat(32),
            "01000000026b31",
            "020000000000000007",
            "0200060a24181e4001",
            x,
            x,
            "0100000008c3856c6573756e64",
            "00",
            "0100000000",
            &x.repeat(4),
            "02ffffffffffffffff",
            &x.repeat(8),
        ]
        .concat();
        assert_eq!(hex, golden);
    }

    fn field(kind: Kind) -> BoxedStrategy<Field> {
        match kind {
            Kind::Number => {
                prop_oneof![Just(None), (0..3_i64).prop_map(Some)].prop_map(Field::Number).boxed()
            }
            // Few and short, with the bytes of lengths and marks among them, so that texts run into each other.
            Kind::Text => proptest::option::of("[ab\u{0}\u{1}]{0,3}").prop_map(Field::Text).boxed(),
        }
    }

    fn fields() -> impl Strategy<Value = Fields> {
        let each: Vec<_> = COLUMNS.iter().map(|(_, kind)| field(*kind)).collect();
        each.prop_map(|fields| Fields(fields.try_into().expect("one for each column")))
    }

    proptest! {
        /// What is moved from one field into the next is seen.
        #[test]
        fn other_rows_have_other_bytes(one in fields(), at in 2_usize..19, other in fields()) {
            let bytes = one.encode(&START, "k");
            prop_assert_eq!(bytes == other.encode(&START, "k"), one == other);
            let mut moved = one.clone();
            moved.0.swap(at, at + 1);
            prop_assert_eq!(bytes == moved.encode(&START, "k"), one == moved);
            let mut joined = one.clone();
            if let (Field::Text(Some(left)), Field::Text(Some(right))) = (&one.0[at], &one.0[at + 1]) {
                joined.0[at] = Field::Text(Some(format!("{left}{right}")));
                joined.0[at + 1] = Field::Text(Some(String::new()));
                prop_assert_eq!(bytes == joined.encode(&START, "k"), one == joined);
            }
        }
    }
}

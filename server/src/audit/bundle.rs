//! The form of an exported bundle: lines of JSON that can be verified with the key ring alone.
//!
//! ```text
//! {"kind":"quarterdeck.audit","version":1,…}   who asked for what and when; the signed head; the checkpoint
//! {"n":1,"seq":…,…,"prev_hash":…,"hash":…}     a row: all that its hash is made over, `details` as it was stored
//! …
//! {"seal":{"rows":…,"sha256":…,…},"signature":…}
//! ```
//!
//! Each line has one spelling: a verifier writes what it read and compares, so nothing can be hidden in a line. The
//! seal is signed over the digest of every byte before it. Must not change: another form is another version.

use app::time::Micros;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::store::Link;
use crate::{
    journal::encoding::{COLUMNS, Field, Fields, Hash, Kind},
    vault::ChainKeys,
};

pub const KIND: &str = "quarterdeck.audit";
pub const VERSION: u32 = 1;
/// What a seal's signature begins with, so that nothing else that is signed is ever a seal.
const MARK: &str = "qd-audit-seal:1:";

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub kind: String,
    pub version: u32,
    pub exported_at: Micros,
    pub exported_by: Exporter,
    pub request_id: String,
    /// The list's filters as in its address; empty for the whole log.
    pub query: String,
    /// Whether every row of the chain is in it, so that the chain itself can be followed.
    pub whole_chain: bool,
    /// The signed head: no row behind it is in the bundle.
    pub head: String,
    /// The signed checkpoint, when rows were pruned.
    pub checkpoint: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exporter {
    pub kind: String,
    pub id: String,
    pub name: String,
}

/// The last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    pub seal: Seal,
    pub signature: String,
}

/// What the bundle was when it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    pub rows: u64,
    /// Of every byte before this line.
    pub sha256: String,
    /// The hash that the first row follows.
    pub first_prev: Option<String>,
    pub last_hash: Option<String>,
    pub head: String,
    pub key: String,
}

impl Header {
    pub fn line(&self) -> String {
        line(self)
    }
}

impl Sealed {
    pub fn sign(chain: &ChainKeys, seal: Seal) -> Self {
        let (key, keys) = chain.active();
        let seal = Seal { key: key.to_owned(), ..seal };
        let signature = text(&keys.mac(&seal.signed()));
        Self { seal, signature }
    }

    /// None when the ring does not have its key.
    pub fn is_ours(&self, chain: &ChainKeys) -> Option<bool> {
        let key = chain.find(&self.seal.key)?;
        Some(text(&key.mac(&self.seal.signed())) == self.signature)
    }

    pub fn line(&self) -> String {
        line(self)
    }
}

impl Seal {
    fn signed(&self) -> Vec<u8> {
        [MARK.as_bytes(), line(self).as_bytes()].concat()
    }
}

/// Our own types have texts for keys and no floats, so they always are JSON.
fn line(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}

pub fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A row as one line.
pub fn row_line(n: u64, link: &Link) -> String {
    let mut out = format!("{{\"n\":{n}");
    let mut put = |name: &str, value: Value| {
        out.push_str(",\"");
        out.push_str(name);
        out.push_str("\":");
        out.push_str(&value.to_string());
    };
    for (field, (name, _)) in link.fields.0.iter().zip(COLUMNS) {
        put(name, shown(name, field));
    }
    put("hash_version", link.version.into());
    put("hash_key", link.key.clone().into());
    put("prev_hash", link.prev.as_deref().map(text).into());
    put("hash", link.hash.as_deref().map(text).into());
    out.push_str("}\n");
    out
}

/// A time as people read it; it has microseconds, so nothing is lost.
pub fn shown(name: &str, field: &Field) -> Value {
    match field {
        Field::Number(Some(number)) if name == "at" => Micros(*number).to_string().into(),
        Field::Number(number) => (*number).into(),
        Field::Text(text) => text.clone().into(),
    }
}

/// The number of a line and its row; none when it is not such a line, spelled as we spell it.
pub fn read_row(line: &str) -> Option<(u64, Link)> {
    let value: Value = serde_json::from_str(line).ok()?;
    let mut fields = [const { Field::Text(None) }; COLUMNS.len()];
    for (field, (name, kind)) in fields.iter_mut().zip(COLUMNS) {
        *field = read_field(name, kind, value.get(name)?)?;
    }
    let bytes = |name: &str| match value.get(name)? {
        Value::Null => Some(None),
        Value::String(text) => URL_SAFE_NO_PAD.decode(text).ok().map(Some),
        _ => None,
    };
    let row = Link {
        fields: Fields(fields),
        version: value.get("hash_version")?.as_i64(),
        key: value.get("hash_key")?.as_str().map(str::to_owned),
        prev: bytes("prev_hash")?,
        hash: bytes("hash")?,
    };
    let n = value.get("n")?.as_u64()?;
    (row_line(n, &row) == line).then_some((n, row))
}

fn read_field(name: &str, kind: Kind, value: &Value) -> Option<Field> {
    Some(match (kind, value) {
        (Kind::Number, Value::Null) => Field::Number(None),
        (Kind::Number, Value::String(text)) if name == "at" => {
            Field::Number(Some(text.parse::<Micros>().ok()?.0))
        }
        (Kind::Number, value) => Field::Number(Some(value.as_i64()?)),
        (Kind::Text, Value::Null) => Field::Text(None),
        (Kind::Text, Value::String(text)) => Field::Text(Some(text.clone())),
        (Kind::Text, _) => return None,
    })
}

pub fn read_hash(bytes: Option<&Vec<u8>>) -> Option<Hash> {
    bytes.and_then(|bytes| bytes.as_slice().try_into().ok())
}

/// A line of ours, spelled as we spell it.
pub fn read<T: Serialize + for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    let value: T = serde_json::from_str(text).ok()?;
    (line(&value) == text).then_some(value)
}

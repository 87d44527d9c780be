//! One SQL text for both engines: pieces of text that stand in our source, and values that never become text.
//!
//! The text pieces are `&'static str`, so nothing that arrived from outside can become SQL. What both engines
//! understand alike, and the traps between them:
//! - `CAST(COALESCE(SUM(x), 0) AS BIGINT)`: Postgres sums BIGINT to NUMERIC, and no rows to NULL;
//! - `CASE WHEN EXISTS (…) THEN 1 ELSE 0 END`: Postgres answers a boolean, SQLite a number;
//! - `LIKE` heeds case on Postgres only: compare text that was lower-cased when it was written;
//! - no JSON operators; a JSON column is shown, never asked.

use std::borrow::Cow;

use app::time::Micros;

/// A statement that is being written.
#[derive(Clone, Debug, Default)]
pub struct Sql {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(&'static str),
    Value(Value),
}

/// What a placeholder stands for. NULL keeps the type that it would have: Postgres asks for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Integer(Option<i64>),
    Float(Option<f64>),
    Text(Option<Cow<'static, str>>),
    Bytes(Option<Vec<u8>>),
}

impl Sql {
    pub fn new(text: &'static str) -> Self {
        Self::default().push(text)
    }

    #[must_use]
    pub fn push(mut self, text: &'static str) -> Self {
        debug_assert!(!text.contains('$'), "placeholders are numbered by `arg`: {text}");
        self.pieces.push(Piece::Text(text));
        self
    }

    /// A value, as the next placeholder.
    #[must_use]
    pub fn arg(mut self, value: impl Into<Value>) -> Self {
        self.pieces.push(Piece::Value(value.into()));
        self
    }

    /// Values in parentheses, for `IN` and `VALUES`. An empty list matches nothing.
    #[must_use]
    pub fn list<V: Into<Value>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        let mut opening = "(";
        for value in values {
            self = self.push(opening).arg(value);
            opening = ", ";
        }
        self.push(if opening == "(" { "(NULL)" } else { ")" })
    }

    /// Another statement's pieces, numbered on.
    #[must_use]
    pub fn append(mut self, other: Self) -> Self {
        self.pieces.extend(other.pieces);
        self
    }

    /// The text with `$n`, and the values in that order.
    pub(super) fn render(self) -> (String, Vec<Value>) {
        let mut text = String::new();
        let mut values = Vec::new();
        for piece in self.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Value(value) => {
                    values.push(value);
                    text.push('$');
                    text.push_str(&values.len().to_string());
                }
            }
        }
        (text, values)
    }
}

impl Value {
    /// Postgres cannot hold a NUL in text; SQLite can, and half of its functions then stop at it.
    pub(super) fn has_nul(&self) -> bool {
        matches!(self, Self::Text(Some(text)) if text.contains('\0'))
    }
}

macro_rules! values {
    ($($from:ty => $variant:ident, $make:expr;)+) => {
        $(
            impl From<$from> for Value {
                fn from(value: $from) -> Self {
                    Self::$variant(Some($make(value)))
                }
            }

            impl From<Option<$from>> for Value {
                fn from(value: Option<$from>) -> Self {
                    Self::$variant(value.map($make))
                }
            }
        )+
    };
}

values! {
    i64 => Integer, |n| n;
    i32 => Integer, i64::from;
    u32 => Integer, i64::from;
    bool => Integer, i64::from;
    Micros => Integer, |at: Micros| at.0;
    f64 => Float, |n| n;
    String => Text, Cow::Owned;
    Vec<u8> => Bytes, |bytes| bytes;
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(Cow::Owned(text.to_owned())))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(|text| Cow::Owned(text.to_owned())))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Some(bytes.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_across_pieces() {
        let tail = Sql::new(" AND c = ").arg("x");
        let (text, values) = Sql::new("SELECT a FROM t WHERE a = ")
            .arg(5_i64)
            .push(" AND b IN ")
            .list([1_i64, 2])
            .append(tail)
            .render();
        assert_eq!(text, "SELECT a FROM t WHERE a = $1 AND b IN ($2, $3) AND c = $4");
        assert_eq!(values, [5_i64.into(), 1_i64.into(), 2_i64.into(), Value::from("x")]);
    }

    #[test]
    fn an_empty_list_matches_nothing() {
        assert_eq!(Sql::new("a IN ").list(Vec::<i64>::new()).render().0, "a IN (NULL)");
    }

    #[test]
    fn nothing_keeps_its_type() {
        assert_eq!(Value::from(None::<String>), Value::Text(None));
        assert_eq!(Value::from(None::<Micros>), Value::Integer(None));
    }
}

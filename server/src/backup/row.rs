//! A row as a line of text: a JSON array in the order of the table's columns. Numbers are exact, bytes are base64.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde_json::Value as Json;

use crate::store::{
    Value,
    copy::{Kind, Table},
};

pub fn line(values: Vec<Value>) -> Vec<u8> {
    let fields: Vec<Json> = values.into_iter().map(field).collect();
    let mut line = Json::Array(fields).to_string().into_bytes();
    line.push(b'\n');
    line
}

fn field(value: Value) -> Json {
    match value {
        Value::Integer(value) => value.map_or(Json::Null, Json::from),
        // As text: JSON has no infinity, and a reader may round.
        Value::Float(value) => value.map_or(Json::Null, |number| Json::from(format!("{number:?}"))),
        Value::Text(value) => value.map_or(Json::Null, |text| Json::from(text.into_owned())),
        Value::Bytes(value) => {
            value.map_or(Json::Null, |bytes| Json::from(STANDARD_NO_PAD.encode(bytes)))
        }
    }
}

/// None when the line is not a row of this table.
pub fn parse(line: &[u8], table: &Table) -> Option<Vec<Value>> {
    let fields: Vec<Json> = serde_json::from_slice(line).ok()?;
    if fields.len() != table.columns.len() {
        return None;
    }
    fields
        .into_iter()
        .zip(&table.columns)
        .map(|(field, column)| value(field, column.kind))
        .collect()
}

fn value(field: Json, kind: Kind) -> Option<Value> {
    Some(match (kind, field) {
        (Kind::Integer, Json::Null) => Value::Integer(None),
        (Kind::Float, Json::Null) => Value::Float(None),
        (Kind::Text, Json::Null) => Value::Text(None),
        (Kind::Bytes, Json::Null) => Value::Bytes(None),
        (Kind::Integer, Json::Number(number)) => Value::from(number.as_i64()?),
        (Kind::Float, Json::String(text)) => Value::from(text.parse::<f64>().ok()?),
        (Kind::Text, Json::String(text)) => Value::from(text),
        (Kind::Bytes, Json::String(text)) => Value::from(STANDARD_NO_PAD.decode(text).ok()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::copy::Column;

    fn table(kinds: &[Kind]) -> Table {
        let columns = kinds.iter().map(|kind| Column { name: "c".to_owned(), kind: *kind });
        Table { name: "t".to_owned(), columns: columns.collect(), next: None }
    }

    #[test]
    fn a_row_comes_back_as_it_was() {
        let (integer, float, text, bytes) = (Kind::Integer, Kind::Float, Kind::Text, Kind::Bytes);
        let table =
            table(&[integer, integer, float, float, text, bytes, integer, float, text, bytes]);
        let row = vec![
            Value::from(i64::MIN),
            Value::from(i64::MAX),
            Value::from(0.1 + 0.2),
            Value::from(f64::INFINITY),
            Value::from("a\n\"b\" ä\u{1f600}"),
            Value::from([0_u8, 255, 10].as_slice()),
            Value::Integer(None),
            Value::Float(None),
            Value::Text(None),
            Value::Bytes(None),
        ];
        let line = line(row.clone());
        assert_eq!(line.split(|byte| *byte == b'\n').count(), 2);
        assert_eq!(parse(&line, &table), Some(row));
    }

    #[test]
    fn what_is_no_row_of_the_table_is_none() {
        let table = table(&[Kind::Integer, Kind::Text]);
        for wrong in ["[1]", "[1,\"a\",2]", "[\"1\",\"a\"]", "[1.5,\"a\"]", "{}", "", "[1,2]"] {
            assert_eq!(parse(wrong.as_bytes(), &table), None, "{wrong}");
        }
    }
}

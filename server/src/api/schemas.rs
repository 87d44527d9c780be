//! `/api/schemas/{Type}.json`: the JSON Schema of each type that crosses the wire. Types that stand in
//! another refer to their own address beside it.

use std::{collections::BTreeMap, sync::OnceLock};

use app::error::{ApiError, Thing};
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::{Value, json};

use super::openapi;
use crate::web::{
    Failed,
    query::{PathText, Query},
};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// How the OpenAPI document refers to a type.
const WITHIN: &str = "#/components/schemas/";

/// Every schema by the name of its type; made once.
pub fn all() -> &'static BTreeMap<String, Value> {
    static SCHEMAS: OnceLock<BTreeMap<String, Value>> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let document = serde_json::to_value(openapi::of_api()).unwrap_or_default();
        let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
        let schemas = schemas.into_iter().flatten();
        schemas.map(|(name, schema)| (name.clone(), standalone(name, schema))).collect()
    })
}

pub async fn one(PathText(file): PathText, query: Query) -> Result<Response, Failed> {
    query.none()?;
    let schema = file.strip_suffix(".json").and_then(|name| all().get(name));
    let schema = schema.ok_or(ApiError::NotFound(Thing::Schema))?;
    let headers = [(CONTENT_TYPE, "application/schema+json"), (CACHE_CONTROL, "no-cache")];
    Ok((headers, schema.to_string()).into_response())
}

fn standalone(name: &str, schema: &Value) -> Value {
    let mut schema = schema.clone();
    refer_beside(&mut schema);
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("$schema".to_owned(), json!(DIALECT));
        fields.insert("$id".to_owned(), json!(format!("{name}.json")));
        fields.entry("title").or_insert_with(|| json!(name));
    }
    schema
}

fn refer_beside(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let name = value.as_str().and_then(|text| text.strip_prefix(WITHIN));
                match name.filter(|_| key == "$ref") {
                    Some(name) => *value = json!(format!("{name}.json")),
                    None => refer_beside(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(refer_beside),
        _ => {}
    }
}

//! What is said about the JSON API, held against the table of addresses and against its real answers.

mod web_kit;

use std::collections::BTreeSet;

use app::operations::model::FILTERS;
use serde_json::Value;
use server::{
    api::{openapi, schemas},
    routes,
};
use web_kit::{Kit, Who};

#[tokio::test]
async fn every_address_of_the_api_is_described_and_no_other() {
    let kit = Kit::new(Who::Holding(&[])).await;
    let document = kit.get("/api/openapi.json").await;
    assert_eq!(document.header("content-type"), "application/json");
    let document = document.json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("methods").keys() {
            described.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let table: BTreeSet<String> = routes::all()
        .table()
        .iter()
        .filter(|row| row.path.starts_with("/api/v1/"))
        .map(|row| format!("{} {}", row.method, row.path))
        .collect();
    assert_eq!(described, table);
}

#[tokio::test]
async fn each_filter_of_a_list_is_a_parameter() {
    let kit = Kit::new(Who::Holding(&[])).await;
    let document = kit.get("/api/openapi.json").await.json();
    let parameters = document["paths"]["/api/v1/operations"]["get"]["parameters"].clone();
    let parameters = parameters.as_array().expect("parameters");
    let named = |name: &str| {
        let found: Vec<&Value> = parameters.iter().filter(|p| p["name"] == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0].clone()
    };
    for filter in FILTERS {
        assert_eq!(named(filter.key)["in"], "query", "{}", filter.key);
    }
    let status = named("status");
    let words: Vec<&str> = status["schema"]["items"]["enum"]
        .as_array()
        .expect("known words")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(words, ["queued", "running", "completed"]);
    for place in ["page", "page_size", "cursor"] {
        named(place);
    }
}

#[tokio::test]
async fn every_type_has_a_schema_of_its_own_and_refers_to_those_that_exist() {
    let kit = Kit::new(Who::Holding(&[])).await;
    assert!(schemas::all().len() >= 8, "{:?}", schemas::all().keys());
    for name in schemas::all().keys() {
        let answer = kit.get(&format!("/api/schemas/{name}.json")).await;
        assert_eq!(answer.status.as_u16(), 200, "{name}");
        let schema = answer.json();
        assert_eq!(schema["$id"], format!("{name}.json"));
        for reference in references(&schema) {
            let other = reference.strip_suffix(".json").unwrap_or_else(|| panic!("{reference}"));
            assert!(schemas::all().contains_key(other), "{name} refers to {reference}");
        }
    }
    for nothing in ["Nothing.json", "OperationRun", "..%2fCargo.toml"] {
        let answer = kit.get(&format!("/api/schemas/{nothing}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (404, "SCHEMA_NOT_FOUND"),
            "{nothing}"
        );
    }
}

fn references(schema: &Value) -> Vec<&str> {
    match schema {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, value)| match value {
                Value::String(text) if key == "$ref" => vec![text.as_str()],
                other => references(other),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// As much of JSON Schema as our types use: where the value breaks it, and how.
fn check(schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or(reference).trim_end_matches(".json");
        return check(&schemas::all()[name], value, place);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        check(part, value, place)?;
    }
    for choices in ["oneOf", "anyOf"].iter().filter_map(|any| schema[any].as_array()) {
        if !choices.iter().any(|choice| check(choice, value, place).is_ok()) {
            return Err(format!("{place}: {value} is none of {choices:?}"));
        }
    }
    check_type(schema, value, place)?;
    for item in value.as_array().into_iter().flatten() {
        check(&schema["items"], item, &format!("{place}[]"))?;
    }
    let Some(fields) = value.as_object() else { return Ok(()) };
    for required in schema["required"].as_array().into_iter().flatten() {
        let required = required.as_str().unwrap_or_default();
        if !fields.contains_key(required) {
            return Err(format!("{place}: {required} is missing"));
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = fields.get(name) {
            check(property, value, &format!("{place}.{name}"))?;
        }
    }
    Ok(())
}

fn check_type(schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !kinds.is_empty() && !kinds.contains(&kind) {
        return Err(format!("{place}: {value} is no {kinds:?}"));
    }
    match schema["enum"].as_array() {
        Some(words) if !words.contains(value) => {
            Err(format!("{place}: {value} is none of {words:?}"))
        }
        _ => Ok(()),
    }
}

fn holds(schema: &Value, value: &Value, place: &str) {
    check(schema, value, place).unwrap_or_else(|why| panic!("{why}"));
}

/// What the document promises for this answer.
fn promised<'a>(document: &'a Value, path: &str, method: &str, status: u16) -> &'a Value {
    let response = &document["paths"][path][method]["responses"][status.to_string()];
    let schema = &response["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{method} {path} {status} promises no body: {response}");
    schema
}

#[tokio::test]
async fn real_answers_are_as_described() {
    let kit = Kit::new(Who::Admin).await;
    let document = serde_json::to_value(openapi::of_api()).expect("a document");
    let list = "/api/v1/operations";
    let started = kit.post_json(list, "{\"type\":\"system.self_check\",\"input\":{}}").await;
    assert_eq!(started.status.as_u16(), 201, "{}", started.text());
    holds(promised(&document, list, "post", 201), &started.json(), "started");
    let page = kit.get(list).await;
    holds(promised(&document, list, "get", 200), &page.json(), "list");
    assert_eq!(page.json()["total"], 1);
    let one = format!("{list}/{}", started.json()["id"]);
    let template = "/api/v1/operations/{id}";
    holds(promised(&document, template, "get", 200), &kit.get(&one).await.json(), "detail");
    let types = "/api/v1/operations/types";
    holds(promised(&document, types, "get", 200), &kit.get(types).await.json(), "types");
    let refused = kit.get("/api/v1/operations?status=stuck").await;
    holds(promised(&document, list, "get", 422), &refused.json(), "refused");
    let missing = kit.get("/api/v1/operations/48187").await;
    holds(promised(&document, template, "get", 404), &missing.json(), "missing");
    let version = kit.get("/version").await.json();
    holds(&schemas::all()["Version"], &version, "version");
}

/// The faults that the foundation names, at the real address.
#[tokio::test]
async fn each_fault_of_a_request_is_told_by_field_and_rule() {
    let kit = Kit::new(Who::Admin).await;
    for (query, field, rule) in [
        ("colour=red", "colour", "unknown_field"),
        ("status=stuck", "status", "one_of"),
        ("page_size=0", "page_size", "range"),
        ("page_size=101", "page_size", "range"),
        ("page=101&page_size=100", "page", "use_cursor"),
        ("created_after=yesterday", "created_after", "malformed"),
        ("workspace_id=seven", "workspace_id", "malformed"),
    ] {
        let answer = kit.get(&format!("/api/v1/operations?{query}")).await;
        assert_eq!(answer.status.as_u16(), 422, "{query}");
        assert_eq!(answer.code(), "VALIDATION_FAILED", "{query}");
        assert_eq!(answer.violations(), [(field.to_owned(), rule.to_owned())].into(), "{query}");
    }
}

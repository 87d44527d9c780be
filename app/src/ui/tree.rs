//! A JSON value, drawn so that it can be read: names and values, indented, never as raw JSON.

use leptos::prelude::*;
use serde_json::Value;

/// Deeper values are cut, and say so.
const DEPTH: usize = 12;
/// Longer texts are cut, and say so.
const TEXT: usize = 4_000;

#[component]
pub fn JsonTree(value: Value) -> impl IntoView {
    draw(&value, DEPTH)
}

fn draw(value: &Value, depth: usize) -> AnyView {
    match value {
        Value::Object(fields) if fields.is_empty() => faint("empty"),
        Value::Array(items) if items.is_empty() => faint("empty list"),
        Value::Object(_) | Value::Array(_) if depth == 0 => faint("… (deeper than is drawn)"),
        Value::Object(fields) => {
            let rows = fields.iter().map(|(name, value)| row(name.clone(), value, depth - 1));
            view! { <dl class="tree">{rows.collect_view()}</dl> }.into_any()
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| view! { <li>{draw(item, depth - 1)}</li> });
            view! { <ol class="tree">{items.collect_view()}</ol> }.into_any()
        }
        Value::String(text) => string(text),
        Value::Null => faint("none"),
        scalar => view! { <span class="mono">{scalar.to_string()}</span> }.into_any(),
    }
}

fn row(name: String, value: &Value, depth: usize) -> impl IntoView + use<> {
    view! {
        <dt>{name}</dt>
        <dd>{draw(value, depth)}</dd>
    }
}

fn string(text: &str) -> AnyView {
    if text.is_empty() {
        return faint("empty text");
    }
    let length = text.chars().count();
    let shown: String = text.chars().take(TEXT).collect();
    let cut = (length > TEXT).then(
        || view! { <span class="faint">{format!(" … {TEXT} of {length} characters")}</span> },
    );
    view! { <span class="text">{shown}</span> {cut} }.into_any()
}

fn faint(text: &'static str) -> AnyView {
    view! { <span class="faint">{text}</span> }.into_any()
}

//! The whole document.

use leptos::prelude::*;

use crate::request::PageRequest;

pub fn shell() -> impl IntoView {
    let request = PageRequest::from_context();
    let css = request.as_ref().map(|r| r.assets.css.clone());
    let failed = request.and_then(|r| r.failed).map(|e| e.to_string());
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head><meta charset="utf-8"/><title>"Quarterdeck"</title><link rel="stylesheet" href=css/></head>
            <body><main><h1>{failed.unwrap_or_else(|| "Quarterdeck".to_owned())}</h1></main></body>
        </html>
    }
}

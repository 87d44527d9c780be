//! The headers that keep a page to itself, on every answer, whoever made it.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
        X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};

use super::arrival::Arrival;
use crate::console::Console;

/// On every answer. `same-origin` for the referrer: other origins learn nothing, our own forms still know
/// where they came from.
static ALWAYS: [(HeaderName, &str); 6] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// What is no page needs nothing.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

pub async fn layer(
    State(console): State<&'static Console>,
    arrival: Arrival,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in &ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = if is_html(headers) {
        of_page(&arrival.nonce, &provider(console, &arrival))
    } else {
        NOTHING.to_owned()
    };
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    if console.config.public_url.as_ref().is_some_and(|url| url.https) {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

fn is_html(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.starts_with("text/html"))
}

/// Signing out here leads on to the provider's own sign-out, and browsers hold a form's redirect to this too. Nobody
/// signs out who is not signed in.
fn provider(console: &Console, arrival: &Arrival) -> Arc<str> {
    let provider = console.oidc.as_ref().filter(|_| arrival.caller.get().is_some());
    provider.map_or_else(Arc::default, |sign_in| sign_in.oidc().form_action())
}

/// Scripts carry this page's nonce, and what they load inherits their trust: hashed file names could not
/// all be listed. Wasm needs its own word; styles and the rest come from here or not at all.
fn of_page(nonce: &str, provider: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; \
         style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
         manifest-src 'self'; form-action 'self'{provider}; base-uri 'none'; frame-ancestors 'none'; \
         object-src 'none'"
    )
}

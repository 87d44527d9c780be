//! What a page says in the head of its answer: its status, or another address. The only file that does.

use http::{HeaderValue, StatusCode, header::LOCATION};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

/// Sets the page's status. Must be called before the first byte leaves: from the page's blocking content.
pub fn set_status(status: u16) {
    let (Some(options), Ok(status)) =
        (use_context::<ResponseOptions>(), StatusCode::from_u16(status))
    else {
        return;
    };
    options.set_status(status);
}

/// Sends the reader elsewhere with a GET (303). `to` is one of our own links.
pub fn see_other(to: &str) {
    let (Some(options), Ok(to)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(to))
    else {
        return;
    };
    options.insert_header(LOCATION, to);
    options.set_status(StatusCode::SEE_OTHER);
}

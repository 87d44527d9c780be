//! The list's island: "3 new", as on every live list.

use leptos::prelude::*;

use crate::{audit::calls, ui::live::LiveList};

#[island]
pub fn LiveAudit(
    stream: String,
    /// The id of the live section.
    section: String,
    topic: String,
    /// The list's filters, as a query string.
    query: String,
) -> impl IntoView {
    view! { <LiveList stream section topic query newer=calls::newer /> }
}

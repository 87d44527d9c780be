//! The list's island: "3 new", as on every live list.

use leptos::prelude::*;

use crate::{operations::calls, ui::live::LiveList};

#[island]
pub fn LiveRuns(
    stream: String,
    /// The id of the live section.
    section: String,
    topic: String,
    /// Which of the lists.
    list: String,
    /// The list's filters, as a query string.
    query: String,
) -> impl IntoView {
    let newer = move |query, after| calls::newer(query, after, list.clone());
    view! { <LiveList stream section topic query newer /> }
}

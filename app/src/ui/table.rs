//! A table whose rows open something: one link in the first cell, stretched over the row.
//!
//! The link is a real one, so the keyboard, a screen reader and the middle mouse button all know what to do.
//! Rows have no other link and no action.

use leptos::prelude::*;

#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub label: &'static str,
    /// Right-aligned, tabular figures.
    pub number: bool,
}

impl Column {
    pub const fn text(label: &'static str) -> Self {
        Self { label, number: false }
    }

    pub const fn number(label: &'static str) -> Self {
        Self { label, number: true }
    }
}

#[component]
pub fn Table(
    /// What the rows are, for those who do not see the page's title above.
    #[prop(into)]
    caption: String,
    columns: &'static [Column],
    /// The rows.
    children: Children,
) -> impl IntoView {
    let heads = columns
        .iter()
        .map(|column| view! { <th scope="col" class:num=column.number>{column.label}</th> })
        .collect_view();
    view! {
        <div class="scroll">
            <table>
                <caption class="unseen">{caption}</caption>
                <thead>
                    <tr>{heads}</tr>
                </thead>
                <tbody>{children()}</tbody>
            </table>
        </div>
    }
}

/// The link of a row, over all of it.
#[component]
pub fn RowLink(href: String, children: Children) -> impl IntoView {
    view! { <a class="row" href=href>{children()}</a> }
}

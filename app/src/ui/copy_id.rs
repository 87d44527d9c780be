//! An id that can be copied: plain text that one click selects, and a button once JavaScript is there.

use leptos::prelude::*;

#[island]
pub fn CopyId(text: String) -> impl IntoView {
    let copied = RwSignal::new(false);
    let value = text.clone();
    let copy = move |_| {
        // The promise's end is not waited for: browsers that refuse leave the text selectable.
        let _promise = window().navigator().clipboard().write_text(&value);
        copied.set(true);
        let _ = set_timeout(move || copied.set(false), std::time::Duration::from_secs(2));
    };
    view! {
        <span class="copy">
            <code>{text}</code>
            <button type="button" class="js" aria-label="Copy" on:click=copy>
                {move || if copied.get() { "copied" } else { "copy" }}
            </button>
        </span>
    }
}

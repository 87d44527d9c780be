//! An id that can be copied: plain text that one click selects, and a button once JavaScript is there.

use js_sys::futures::JsFuture;
use leptos::{prelude::*, task::spawn_local};

#[island]
pub fn CopyId(text: String) -> impl IntoView {
    let said = RwSignal::new("copy");
    // A button that nobody listens to yet would swallow the click.
    let awake = RwSignal::new(false);
    Effect::new(move |_| awake.set(true));
    let value = text.clone();
    let copy = move |_| {
        let written = JsFuture::from(window().navigator().clipboard().write_text(&value));
        spawn_local(async move {
            // A browser that refuses leaves the text selectable by one click.
            said.set(if written.await.is_ok() { "copied" } else { "select it to copy" });
            let _ = set_timeout(move || said.set("copy"), std::time::Duration::from_secs(2));
        });
    };
    view! {
        <span class="copy">
            <code>{text}</code>
            <button type="button" aria-label="Copy" hidden=move || !awake.get() on:click=copy>
                {said}
            </button>
        </span>
    }
}

//! One line of a form: what is asked, where it is typed, and what helps.

use leptos::prelude::*;

#[component]
pub fn Field(
    #[prop(into)] label: String,
    name: &'static str,
    #[prop(optional, into)] value: String,
    /// The input's type.
    #[prop(default = "text")]
    kind: &'static str,
    #[prop(default = "off")] autocomplete: &'static str,
    #[prop(optional, into)] hint: Option<String>,
    #[prop(optional)] optional: bool,
) -> impl IntoView {
    // A password that was refused is typed again: it never goes back to the browser.
    let value = (kind != "password").then_some(value);
    let hint_id = hint.as_ref().map(|_| format!("hint-{name}"));
    view! {
        <label class="named asked">
            <span>{label} {optional.then(|| view! { <span class="faint">" (optional)"</span> })}</span>
            <input
                class="field"
                type=kind
                name=name
                value=value
                autocomplete=autocomplete
                autocapitalize="none"
                spellcheck="false"
                required=!optional
                aria-describedby=hint_id.clone()
            />
            {hint.map(|hint| view! { <span class="faint" id=hint_id>{hint}</span> })}
        </label>
    }
}

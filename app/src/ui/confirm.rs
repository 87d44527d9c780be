//! A form that asks once more: it unfolds where it stands, works without JavaScript, and opens itself with
//! what was typed when the server refused it.

use leptos::prelude::*;

use super::{Alert, Tone, failure::with_code};
use crate::error::ApiError;

#[component]
pub fn ConfirmForm(
    /// On the button that unfolds it: "Cancel…".
    #[prop(into)]
    ask: String,
    /// On the button that does it.
    #[prop(into)]
    confirm: String,
    /// What will happen, in full.
    #[prop(into)]
    consequence: String,
    /// Our own page, to which the form is posted.
    action: String,
    #[prop(optional)] danger: bool,
    /// Why the server refused it just now: it is open then.
    refused: Option<ApiError>,
    /// The fields, hidden ones too.
    children: Children,
) -> impl IntoView {
    let open = refused.is_some();
    let alert = refused.map(|error| {
        view! {
            <Alert tone=Tone::Bad title="Not done">
                <p>{with_code(&error.to_string())}</p>
            </Alert>
        }
    });
    view! {
        <details class="confirm" open=open>
            <summary class="btn" class:danger=danger>
                {ask}
            </summary>
            <form method="post" action=action class="card body">
                {alert}
                <p>{consequence}</p>
                {children()}
                <button class="btn" class:danger=danger class:primary=!danger>
                    {confirm}
                </button>
            </form>
        </details>
    }
}

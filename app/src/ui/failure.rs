//! What a page says when it cannot be shown: the error's own sentence, its status, and a way out.

use leptos::prelude::*;

use super::{PageHead, PageTitle, SetTitle, answer::set_status};
use crate::{
    error::{ApiError, Thing},
    paths,
    request::PageRequest,
};

#[component]
pub fn Failure(
    error: ApiError,
    /// Where to go instead: words and address. The start page when the page knows nothing nearer.
    #[prop(optional, into)]
    way_out: Option<(&'static str, String)>,
) -> impl IntoView {
    set_status(error.status());
    let request_id = PageRequest::from_context().map(|request| request.request_id);
    let (title, hint) = words(&error);
    // The title of what is not there says it all; the hint below says why that may be.
    let sentence = match error {
        ApiError::NotFound(_) => String::new(),
        ref other => other.to_string(),
    };
    // The list above a page wants what the page wants.
    let near = way_out.filter(|_| !matches!(error, ApiError::Forbidden(_) | ApiError::SignIn));
    let (word, address) = near.unwrap_or_else(|| way_out_of(&error));
    let again = matches!(
        error,
        ApiError::Unavailable(_) | ApiError::Timeout | ApiError::RateLimited { .. }
    );
    view! {
        <SetTitle title=PageTitle::of_error(&error) />
        <PageHead title lede=sentence.into_any() />
        <div class="card body stack tight failure">
            <p>{hint}</p>
            <p class="actions">
                {again.then(|| view! { <a class="btn primary" href="">"Try again"</a> })}
                <a class="btn" href=address>
                    {word}
                </a>
            </p>
            {request_id.filter(|id| !id.is_empty()).map(|id| view! {
                <p class="faint">"Request " <code>{id}</code></p>
            })}
        </div>
    }
}

fn way_out_of(error: &ApiError) -> (&'static str, String) {
    match error {
        ApiError::SignIn => ("Sign in", paths::sign_in(None)),
        ApiError::SignInFailed(_) => ("Sign in again", paths::sign_in(None)),
        _ => ("Go to the start page", paths::home()),
    }
}

fn words(error: &ApiError) -> (String, &'static str) {
    match error {
        ApiError::NotFound(Thing::Page) => (
            "Page not found".to_owned(),
            "Nothing is published under this address. The link may be from an older version of the console.",
        ),
        ApiError::NotFound(thing) => (
            format!("{} not found", thing.label()),
            "It may have been removed when its time was over, or it belongs to a workspace that you do not reach.",
        ),
        ApiError::Forbidden(_) => (
            "Not allowed".to_owned(),
            "Ask an admin to grant you this capability. The refusal was written to the audit log.",
        ),
        ApiError::SignIn => {
            ("Sign in first".to_owned(), "This page is for people who are signed in.")
        }
        ApiError::SignInFailed(_) => {
            ("Not signed in".to_owned(), "Nothing was changed. You can begin the sign-in again.")
        }
        ApiError::Invalid(_) | ApiError::Transport(_) => (
            "This request cannot be answered".to_owned(),
            "Something in the address or the form has a value that is not taken here.",
        ),
        ApiError::MethodNotAllowed | ApiError::UnsupportedMediaType => (
            "This request cannot be answered".to_owned(),
            "This page can be read, and its own forms can be sent; nothing else is taken here.",
        ),
        ApiError::CrossSite => (
            "Refused".to_owned(),
            "Changes are taken from the console's own pages only. Open the page here and try once more.",
        ),
        ApiError::TooLarge => ("Too large".to_owned(), "Nothing was changed."),
        ApiError::Conflict(_) => {
            ("Not possible now".to_owned(), "Look at the page again before trying once more.")
        }
        ApiError::Cluster(_) => {
            ("The cluster cannot be looked at".to_owned(), "Nothing was changed.")
        }
        ApiError::RateLimited { .. } => {
            ("Too many requests".to_owned(), "Wait a moment; nothing was lost.")
        }
        ApiError::Unavailable(_) | ApiError::Timeout => (
            "Not available right now".to_owned(),
            "What you asked for is still there. It can be asked for again in a moment.",
        ),
        ApiError::Internal(_) => (
            "Something went wrong".to_owned(),
            "The fault is ours and has been logged under the id above.",
        ),
    }
}

/// Our sentences set field names between backticks.
pub fn with_code(sentence: &str) -> AnyView {
    let parts = sentence.split('`').enumerate().map(|(i, part)| {
        let part = part.to_owned();
        if i % 2 == 1 { view! { <code>{part}</code> }.into_any() } else { part.into_any() }
    });
    parts.collect_view().into_any()
}

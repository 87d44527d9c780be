//! The whole document: head, side navigation, banner, flash, and the page in the middle.

use leptos::{nonce::use_nonce, prelude::*};
use leptos_meta::provide_meta_context;

use crate::{
    identity::{Caller, Capability},
    paths,
    request::{Assets, Banner, Flash, PageRequest},
    routes::App,
    ui::{Alert, PageLife, Tone},
};

mod rail;

use rail::Rail;
pub use rail::places_of;

/// Loads the islands of the page: leptos' own loader, with our hashed addresses instead of its options. No
/// preload hints: a browser without JavaScript would follow them all the same.
const WAKE: &str = include_str!("shell/wake.js");

pub fn shell() -> impl IntoView {
    leptos_meta::provide_meta_context();
    // The page is no island: nothing outside of islands is hydrated, so nothing is serialised for it.
    if let Some(context) = Owner::current_shared_context() {
        context.set_is_hydrating(false);
    }
    provide_meta_context();
    let request = PageRequest::from_context();
    let assets = request.as_ref().map(|request| request.assets.clone());
    let caller = request.as_ref().and_then(|request| request.caller.clone());
    // Nobody to navigate for: a page of its own.
    let alone = caller.is_none();
    let path = request.as_ref().map(|request| request.path.clone()).unwrap_or_default();
    let banner = request.as_ref().and_then(|request| request.banner);
    let environment = request.as_ref().and_then(|request| request.environment.clone());
    let flash = request.as_ref().and_then(|request| request.flash);
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                {assets.map(links)}
            </head>
            <body class:alone=alone>
                <a class="skip" href="#main">
                    "Skip to content"
                </a>
                {caller.map(|caller| view! { <Rail path caller /> })}
                <div class="deck">
                    {(environment.is_some() || banner.is_some()).then(|| view! {
                        <header>
                            {environment.map(|name| view! { <p class="environment">{name}</p> })}
                            {banner.map(banner_line)}
                        </header>
                    })}
                    <main id="main" tabindex="-1">
                        {flash.map(flash_alert)}
                        <App />
                    </main>
                </div>
                {request.map(|request| page_life(&request))}
            </body>
        </html>
    }
}

fn links(assets: Assets) -> impl IntoView {
    let nonce = use_nonce();
    let wake = format!("{WAKE}({}, {});", js_string(&assets.js), js_string(&assets.wasm));
    view! {
        <link rel="icon" href=assets.favicon type="image/svg+xml" />
        <link rel="stylesheet" href=assets.css />
        <script type="module" nonce=nonce>
            {wake}
        </script>
    }
}

/// A JavaScript string that cannot end the script it stands in.
fn js_string(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('<', "\\u003c")
}

fn banner_line(banner: Banner) -> impl IntoView {
    let sentence = match banner {
        Banner::Demo => {
            "Demo: whoever uses this machine can enter as anybody. The console listens on this machine only."
        }
    };
    view! { <p class="banner">{sentence}</p> }
}

fn flash_alert(flash: Flash) -> impl IntoView {
    let of_run = |id: i64| view! { <p><a href=paths::run(id)>{format!("Operation #{id}")}</a></p> };
    let (title, more) = match flash {
        Flash::OperationStarted(id) => ("Started", of_run(id).into_any()),
        Flash::OperationExists(id) => ("Already started", of_run(id).into_any()),
        Flash::PasswordChanged => {
            let more = "Every other session of yours has ended.";
            ("Password changed", view! { <p>{more}</p> }.into_any())
        }
        Flash::SessionEnded => ("Session ended", ().into_any()),
        Flash::Saved(saved) => ("Done", view! { <p>{saved.says()}</p> }.into_any()),
    };
    view! {
        <Alert tone=Tone::Ok title>
            {more}
        </Alert>
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit a double")]
fn page_life(request: &PageRequest) -> impl IntoView + use<> {
    let server_now = (request.now.0 / 1000) as f64;
    view! { <PageLife server_now zone_told=request.zone.told /> }
}

/// Who may enter the system pages at all.
fn sees_operations(caller: &Caller) -> bool {
    caller.may(Capability::AccessSystemPanel) && caller.may(Capability::OperationsView)
}

//! `/sign-in`: the ways in.

use leptos::prelude::*;

use crate::{
    error::ApiError,
    identity::{Role, model::WaysIn},
    paths,
    request::{PageRequest, RefusedForm},
    ui::{
        Alert, Field, PageTitle, SetTitle, Tone,
        answer::{see_other, set_status},
        icons::Wheel,
    },
};

pub const SIGN_IN_FORM: &str = "sign-in";

#[component]
pub fn SignInPage() -> impl IntoView {
    let (Some(request), Some(ways)) = (PageRequest::from_context(), use_context::<WaysIn>()) else {
        return ().into_any();
    };
    let refused = request.refused.as_ref().filter(|refused| refused.form == SIGN_IN_FORM);
    let to = refused.and_then(|refused| refused.value("to")).or_else(|| request.value("to"));
    let to = to.filter(|to| !to.is_empty()).map(str::to_owned);
    if request.caller.is_some() && refused.is_none() {
        see_other(&paths::home());
    }
    let provider = ways.provider.then(|| {
        view! {
            <a class="btn primary wide" href=paths::sign_in_with_provider(to.as_deref())>
                "Sign in with your organisation"
            </a>
        }
    });
    let demo = (ways.demo && !ways.read_only).then(|| demo(to.clone()));
    let local = if ways.read_only {
        read_only()
    } else if ways.provider {
        // The organisation's way is the usual one; the accounts of the console itself are for when it fails.
        let open = refused.is_some();
        view! {
            <details class="confirm" open=open>
                <summary>"Use an account of this console"</summary>
                {local(refused, to)}
            </details>
        }
        .into_any()
    } else {
        local(refused, to)
    };
    view! {
        <SetTitle title=PageTitle::SignIn />
        <div class="gate">
            <p class="brand">
                <Wheel />
                "Quarterdeck"
            </p>
            <div class="card body stack tight">
                <h1>"Sign in"</h1>
                {demo}
                {provider}
                {local}
            </div>
        </div>
    }
    .into_any()
}

fn local(refused: Option<&RefusedForm>, to: Option<String>) -> AnyView {
    let name = refused.and_then(|refused| refused.value("name")).unwrap_or_default().to_owned();
    let alert = refused.map(|refused| alert(&refused.error));
    view! {
        <form method="post" action=paths::sign_in(None) class="stack tight">
            {alert}
            <Field label="Name" name="name" value=name autocomplete="username" />
            <Field label="Password" name="password" kind="password" autocomplete="current-password" />
            {to.map(|to| view! { <input type="hidden" name="to" value=to /> })}
            <button class="btn primary wide">"Sign in"</button>
        </form>
    }
    .into_any()
}

fn alert(error: &ApiError) -> AnyView {
    set_status(error.status());
    let sentence = error.to_string();
    view! {
        <Alert tone=Tone::Bad title="Not signed in">
            <p>{sentence}</p>
        </Alert>
    }
    .into_any()
}

fn demo(to: Option<String>) -> AnyView {
    let buttons = Role::ALL.iter().rev().map(|role| {
        view! {
            <button class="btn wide" name="demo" value=role.as_str()>
                <b>{role.label()}</b>
                <span class="dim">{role.summary()}</span>
            </button>
        }
    });
    let buttons = buttons.collect_view();
    view! {
        <form method="post" action=paths::sign_in(None) class="stack tight demo" aria-label="Demo">
            <p class="dim">"This is a demo on your own machine: enter as"</p>
            {to.map(|to| view! { <input type="hidden" name="to" value=to /> })}
            {buttons}
        </form>
    }
    .into_any()
}

fn read_only() -> AnyView {
    view! {
        <Alert tone=Tone::Warn title="Read-only">
            <p>
                "This console runs read-only, so nobody can sign in anew. Sessions that have begun elsewhere and API keys go on."
            </p>
        </Alert>
    }
    .into_any()
}

//! `/welcome?link=…`: what a link that works once opens.

use std::sync::Arc;

use leptos::prelude::*;

use crate::{
    error::{ApiError, SignInFailure},
    identity::{
        Accounts,
        model::{Welcome, WelcomeTo},
    },
    paths,
    request::{PageRequest, RefusedForm},
    ui::{
        Alert, Field, PageTitle, SetTitle, Tone, answer::set_status, failure::Failure,
        icons::Wheel, load,
    },
};

pub const WELCOME_FORM: &str = "welcome";

#[component]
pub fn WelcomePage() -> impl IntoView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    let refused = request.refused.filter(|refused| refused.form == WELCOME_FORM);
    let asked = refused.as_ref().and_then(|refused| refused.value("link").map(str::to_owned));
    let link = asked.or_else(|| PageRequest::from_context()?.value("link").map(str::to_owned));
    let content = load(move || find(link.clone().unwrap_or_default()));
    view! {
        <SetTitle title=PageTitle::Welcome />
        <Suspense>
            {move || {
                let refused = refused.clone();
                Suspend::new(async move {
                    match &*content.await {
                        Ok(welcome) => draw(welcome, refused.as_ref()),
                        Err(error) => {
                            let way_out = ("Go to sign-in", paths::sign_in(None));
                            view! { <Failure error=error.clone() way_out /> }.into_any()
                        }
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

fn find(link: String) -> impl Future<Output = Result<Welcome, ApiError>> + Send {
    let accounts = use_context::<Arc<dyn Accounts>>();
    async move {
        let accounts = accounts.ok_or(ApiError::Internal(String::new()))?;
        let found = accounts.find_welcome(&link).await?;
        found.ok_or(ApiError::SignInFailed(SignInFailure::LinkSpent))
    }
}

fn draw(welcome: &Welcome, refused: Option<&RefusedForm>) -> AnyView {
    let typed =
        |key: &str| refused.and_then(|refused| refused.value(key)).unwrap_or_default().to_owned();
    let alert = refused.map(|refused| {
        set_status(refused.error.status());
        let sentence = refused.error.to_string();
        view! {
            <Alert tone=Tone::Bad title="Not done">
                <p>{sentence}</p>
            </Alert>
        }
    });
    let (title, lede, who) = match &welcome.to {
        WelcomeTo::FirstAdmin => (
            "Set up this console",
            "You become its first admin. This page works once.".to_owned(),
            view! {
                <Field label="Name to sign in with" name="name" value=typed("name") autocomplete="username" />
                <Field
                    label="Name that others see"
                    name="display_name"
                    value=typed("display_name")
                    autocomplete="name"
                    optional=true
                />
            }
            .into_any(),
        ),
        WelcomeTo::Person { login, name } => (
            "Choose a password",
            format!("{name}, you sign in as {login} from now on. This page works once."),
            // For password managers, which want to know whose it is.
            view! { <input type="hidden" name="login" value=login.clone() autocomplete="username" /> }
                .into_any(),
        ),
    };
    view! {
        <div class="gate">
            <p class="brand">
                <Wheel />
                "Quarterdeck"
            </p>
            <div class="card body stack tight">
                <h1>{title}</h1>
                <p class="dim">{lede}</p>
                <form method="post" action=paths::welcome_form() class="stack tight">
                    {alert}
                    <input type="hidden" name="link" value=welcome.link.clone() />
                    {who}
                    <Field
                        label="Password"
                        name="password"
                        kind="password"
                        autocomplete="new-password"
                        hint="At least 12 characters; a few words do well."
                    />
                    <button class="btn primary wide">"Go on"</button>
                </form>
            </div>
        </div>
    }
    .into_any()
}

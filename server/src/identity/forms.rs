//! The forms of sign-in and of one's own page. Passwords come by here: they go to the service and nowhere else.

use app::{
    error::{ApiError, Expected, Rule, SignInFailure, Violation},
    identity::{
        Role,
        pages::{END_FORM, PASSWORD_FORM, SIGN_IN_FORM, WELCOME_FORM},
    },
    paths,
    request::{Flash, RefusedForm},
    time::Micros,
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use http::{
    HeaderMap, HeaderValue,
    header::{SET_COOKIE, USER_AGENT},
};
use zeroize::Zeroize as _;

use super::{
    Asking,
    callers::session_cookie,
    local::{Knock, NewAdmin},
    oidc::local_path,
    sessions::Begun,
    token::Token,
};
use crate::{
    console::Console,
    web::{Failed, arrival::Arrival, cookies, json, pages, query},
};

/// A form as it was sent, each field once. Erased when it is done with.
struct Form(Vec<(String, String)>);

impl Drop for Form {
    fn drop(&mut self) {
        for (_, value) in &mut self.0 {
            value.zeroize();
        }
    }
}

impl Form {
    async fn read(
        console: &'static Console,
        request: Request,
        fields: &[&str],
    ) -> Result<Self, Failed> {
        let body = json::body(request, &console).await?;
        let malformed = || ApiError::invalid("body", Rule::Malformed { expected: Expected::Utf8 });
        let form = Self(query::pairs(std::str::from_utf8(&body).map_err(|_| malformed())?)?);
        let mut violations = Vec::new();
        for (n, (key, _)) in form.0.iter().enumerate() {
            if !fields.contains(&key.as_str()) {
                violations.push(Violation::new(key, Rule::UnknownField));
            } else if form.0.iter().take(n).any(|(before, _)| before == key) {
                violations.push(Violation::new(key, Rule::Repeated));
            }
        }
        if violations.is_empty() { Ok(form) } else { Err(Failed(ApiError::Invalid(violations))) }
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// What may be shown again: never a password.
    fn refused(&self, form: &'static str, error: ApiError) -> RefusedForm {
        let shown = self.0.iter().filter(|(key, _)| !key.contains("password"));
        RefusedForm { form, values: shown.cloned().collect(), error }
    }
}

fn knock<'a>(arrival: &'a Arrival, headers: &'a HeaderMap) -> Knock<'a> {
    Knock {
        address: arrival.address,
        device: headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()),
        request_id: &arrival.request_id,
    }
}

/// Sets the session's cookie and leads on.
fn enter(console: &Console, begun: &Begun, to: Option<&str>) -> Response {
    let to = to.and_then(|to| local_path(console.config.base(), to)).unwrap_or_else(paths::home);
    let mut response = pages::lead_to(&to);
    let cookie = of_session(console, &begun.token, begun.expires_at);
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}

/// The cookie ends when the session must.
pub fn of_session(console: &Console, token: &Token, expires_at: Micros) -> HeaderValue {
    let left = expires_at.since(console.clock.now()).max(0) / Micros::SECOND;
    let name = session_cookie(&console.config);
    cookies::set_own(&console.config, name, token.reveal(), left.unsigned_abs())
}

/// `POST /sign-in`: with name and password, or as one of the demo's people.
pub async fn sign_in(
    State(console): State<&'static Console>,
    arrival: Arrival,
    request: Request,
) -> Result<Response, Failed> {
    let headers = request.headers().clone();
    let form = Form::read(console, request, &["name", "password", "to", "demo"]).await?;
    let knock = knock(&arrival, &headers);
    let accounts = &console.accounts.accounts;
    let begun = if let Some(role) = form.find("demo") {
        match role.parse::<Role>() {
            Ok(role) if console.config.demo_users.is_some() => {
                accounts.demo_sign_in(role, knock).await
            }
            _ => Err(ApiError::SignInFailed(SignInFailure::Credentials)),
        }
    } else {
        accounts.sign_in(form.get("name"), form.get("password"), knock).await
    };
    match begun {
        Ok(begun) => Ok(enter(console, &begun, form.find("to"))),
        Err(error) => {
            let refused = form.refused(SIGN_IN_FORM, error);
            pages::render_refused(console, &arrival, refused).await
        }
    }
}

/// `POST /sign-out`: here, and at the identity provider where one was signed in through it.
pub async fn sign_out(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
) -> Result<Response, Failed> {
    let here = console.accounts.session_here(&caller).await?;
    let there = match (&console.oidc, here) {
        (Some(oidc), Some(session)) => oidc.end_session_url(&session).await,
        _ => None,
    };
    console.accounts.sign_out(&caller).await?;
    let to = there.map_or_else(|| paths::sign_in(None), String::from);
    let mut response = pages::lead_to(&to);
    let cookie = cookies::clear_own(&console.config, session_cookie(&console.config));
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// `POST /welcome`: takes a link that works once.
pub async fn welcome(
    State(console): State<&'static Console>,
    arrival: Arrival,
    request: Request,
) -> Result<Response, Failed> {
    let headers = request.headers().clone();
    let fields = ["link", "name", "display_name", "login", "password"];
    let form = Form::read(console, request, &fields).await?;
    let knock = knock(&arrival, &headers);
    let accounts = &console.accounts.accounts;
    let (link, password) = (form.get("link"), form.get("password"));
    let begun = match form.find("name") {
        Some(login) => {
            let admin = NewAdmin { login, name: form.get("display_name"), password };
            accounts.make_first_admin(link, admin, knock).await
        }
        None => accounts.choose_password(link, password, knock).await,
    };
    match begun {
        Ok(begun) => Ok(enter(console, &begun, None)),
        Err(error) => {
            let refused = form.refused(WELCOME_FORM, error);
            pages::render_refused(console, &arrival, refused).await
        }
    }
}

/// `POST /account/password`.
pub async fn change_password(
    State(console): State<&'static Console>,
    arrival: Arrival,
    Asking(caller): Asking,
    request: Request,
) -> Result<Response, Failed> {
    let form = Form::read(console, request, &["password", "new_password"]).await?;
    let (old, new) = (form.get("password"), form.get("new_password"));
    match console.accounts.accounts.change_password(&caller, old, new).await {
        Ok(()) => Ok(pages::go(console, &paths::account(), Flash::PasswordChanged)),
        Err(error) => {
            let refused = form.refused(PASSWORD_FORM, error);
            pages::render_refused_at(console, &arrival, paths::route::ACCOUNT, refused).await
        }
    }
}

/// `POST /account/sessions`: ends one of one's own.
pub async fn end_session(
    State(console): State<&'static Console>,
    arrival: Arrival,
    Asking(caller): Asking,
    request: Request,
) -> Result<Response, Failed> {
    let form = Form::read(console, request, &["session"]).await?;
    match console.accounts.end_session(&caller, form.get("session")).await {
        Ok(()) => Ok(pages::go(console, &paths::account(), Flash::SessionEnded)),
        Err(error) => {
            let refused = form.refused(END_FORM, error);
            pages::render_refused_at(console, &arrival, paths::route::ACCOUNT, refused).await
        }
    }
}

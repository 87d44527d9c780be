//! The forms of the administration's pages. Each posts to its page's own address and names in `do` what is to be done.
//! A change leads on with 303; what is shown once is part of the answer itself and never goes through a redirect.

use app::{
    error::{ApiError, Expected, Rule},
    identity::{
        Caller, Capability, Keys as _, Manage, People as _, Role,
        model::{ChangePerson, NewGrant, NewKey, NewPerson, Secret, ShownOnce, SubjectKind},
        permit,
    },
    paths,
    request::{Flash, Saved},
};
use axum::{
    extract::{Request, State},
    response::Response,
};

use crate::{
    console::Console,
    identity::Asking,
    web::{Failed, arrival::Arrival, form::Form, pages, query::PathText},
};

/// What a form did.
enum Done {
    /// On to this page.
    Saved(Saved, String),
    Shown(ShownOnce),
}

const SECRET_FIELDS: &[&str] = &["key"];

/// The answer of a form: on to a page, or the page again.
async fn answer(
    console: &'static Console,
    arrival: &Arrival,
    form: Form,
    name: &'static str,
    done: Result<Done, ApiError>,
) -> Result<Response, Failed> {
    match done {
        Ok(Done::Saved(saved, to)) => Ok(pages::go(console, &to, Flash::Saved(saved))),
        Ok(Done::Shown(shown)) => pages::render_once(console, arrival, shown).await,
        Err(error) => {
            let refused = form.refused(name, SECRET_FIELDS, error);
            pages::render_refused(console, arrival, refused).await
        }
    }
}

/// What `do` names, of what the page can do.
fn chosen(form: &mut Form, known: &[&'static str]) -> &'static str {
    let asked = form.required("do");
    known.iter().copied().find(|name| *name == asked).unwrap_or_else(|| {
        let allowed = known.iter().map(|name| (*name).to_owned()).collect();
        form.refuse("do", Rule::OneOf { allowed });
        "nothing"
    })
}

/// `POST /settings/people`
pub async fn people(
    State(console): State<&'static Console>,
    arrival: Arrival,
    Asking(caller): Asking,
    request: Request,
) -> Result<Response, Failed> {
    let mut form = Form::read(console, request).await?;
    let name = chosen(&mut form, &["add"]);
    let new = NewPerson {
        login: form.required("login"),
        display_name: form.optional("display_name"),
        email: form.optional("email"),
    };
    let done = async {
        form.end()?;
        let permit = permit::<Manage>(&caller).await?;
        let (person, link) = app::identity::People::add(&*console.admin, &permit, new).await?;
        Ok(Done::Shown(ShownOnce::Link { name: person.display_name, link }))
    }
    .await;
    answer(console, &arrival, form, name, done).await
}

/// `POST /settings/people/{id}`
pub async fn person(
    State(console): State<&'static Console>,
    arrival: Arrival,
    Asking(caller): Asking,
    PathText(id): PathText,
    request: Request,
) -> Result<Response, Failed> {
    let mut form = Form::read(console, request).await?;
    let name = chosen(&mut form, &["rename", "disable", "enable", "link", "end"]);
    let done = change_person(console, &caller, &id, name, &mut form).await;
    answer(console, &arrival, form, name, done).await
}

async fn change_person(
    console: &Console,
    caller: &Caller,
    id: &str,
    name: &str,
    form: &mut Form,
) -> Result<Done, ApiError> {
    let (change, saved) = match name {
        "rename" => {
            let display_name = Some(form.required("display_name"));
            let email = Some(form.optional("email").unwrap_or_default());
            (ChangePerson { display_name, email, disabled: None }, Saved::PersonChanged)
        }
        "disable" => {
            let disabled = Some(true);
            (ChangePerson { disabled, ..ChangePerson::default() }, Saved::PersonDisabled)
        }
        "enable" => {
            let disabled = Some(false);
            (ChangePerson { disabled, ..ChangePerson::default() }, Saved::PersonEnabled)
        }
        "end" => {
            let session = form.required("session");
            form.end()?;
            let permit = permit::<Manage>(caller).await?;
            console.admin.end_session(&permit, &session).await?;
            return Ok(Done::Saved(Saved::SessionEnded, paths::person(id)));
        }
        _ => {
            form.end()?;
            let permit = permit::<Manage>(caller).await?;
            let link = console.admin.link(&permit, id).await?;
            return Ok(Done::Shown(ShownOnce::Link { name: String::new(), link }));
        }
    };
    form.end()?;
    let permit = permit::<Manage>(caller).await?;
    console.admin.change(&permit, id, change).await?;
    Ok(Done::Saved(saved, paths::person(id)))
}

/// `POST /settings/grants`
pub async fn grants(
    State(console): State<&'static Console>,
    arrival: Arrival,
    Asking(caller): Asking,
    request: Request,
) -> Result<Response, Failed> {
    let mut form = Form::read(console, request).await?;
    let name = chosen(&mut form, &["add", "remove"]);
    let done = change_grants(console, &caller, name, &mut form).await;
    answer(console, &arrival, form, name, done).await
}

async fn change_grants(
    console: &Console,
    caller: &Caller,
    name: &str,
    form: &mut Form,
) -> Result<Done, ApiError> {
    if name == "remove" {
        let id = form.required("grant");
        form.end()?;
        let permit = permit::<Manage>(caller).await?;
        app::identity::Grants::remove(&*console.admin, &permit, &id).await?;
        return Ok(Done::Saved(Saved::GrantRemoved, paths::grants()));
    }
    let kinds = [SubjectKind::Person, SubjectKind::Group, SubjectKind::ApiKey];
    let subject_kind = form.word("subject_kind", &kinds.map(SubjectKind::as_str));
    let subject = form.required("subject");
    let roles = [Role::Auditor, Role::Operator, Role::Admin];
    let role = form.word("role", &roles.map(Role::as_str));
    let workspace_id = place(form);
    form.end()?;
    let (Some(subject_kind), Some(role)) = (subject_kind, role) else {
        return Err(ApiError::Invalid(Vec::new()));
    };
    let new = NewGrant { subject_kind, subject, role, workspace_id };
    let permit = permit::<Manage>(caller).await?;
    app::identity::Grants::add(&*console.admin, &permit, new).await?;
    Ok(Done::Saved(Saved::GrantAdded, paths::grants()))
}

/// The workspace that was chosen. "Everything" is a choice too, never what is left when nothing was chosen.
fn place(form: &mut Form) -> Option<i64> {
    const EVERYTHING: &str = "everything";
    let chosen = form.required("workspace_id");
    if chosen == EVERYTHING {
        return None;
    }
    let id = chosen.parse().ok();
    if id.is_none() {
        form.refuse("workspace_id", Rule::Malformed { expected: Expected::Integer });
    }
    id
}

/// `POST /settings/keys`
pub async fn keys(
    State(console): State<&'static Console>,
    arrival: Arrival,
    Asking(caller): Asking,
    request: Request,
) -> Result<Response, Failed> {
    let mut form = Form::read(console, request).await?;
    let name = chosen(&mut form, &["mint", "import", "revoke"]);
    let done = change_keys(console, &caller, name, &mut form).await;
    answer(console, &arrival, form, name, done).await
}

async fn change_keys(
    console: &Console,
    caller: &Caller,
    name: &str,
    form: &mut Form,
) -> Result<Done, ApiError> {
    if name == "revoke" {
        let id = form.required("id");
        form.end()?;
        let permit = permit::<Manage>(caller).await?;
        console.admin.revoke(&permit, &id).await?;
        return Ok(Done::Saved(Saved::KeyRevoked, paths::keys()));
    }
    let key = (name == "import").then(|| Secret(form.required("key")));
    let service_identity = Some(form.required("service_identity"));
    let new = NewKey { key, service_identity, ..new_key(form) };
    form.end()?;
    let minted = console.admin.mint(caller, new).await?;
    Ok(if minted.token.is_some() {
        Done::Shown(ShownOnce::Key(Box::new(minted)))
    } else {
        Done::Saved(Saved::KeyImported, paths::keys())
    })
}

/// `POST /account/keys`
pub async fn own_keys(
    State(console): State<&'static Console>,
    arrival: Arrival,
    Asking(caller): Asking,
    request: Request,
) -> Result<Response, Failed> {
    let mut form = Form::read(console, request).await?;
    let name = chosen(&mut form, &["mint", "revoke"]);
    let done = async {
        if name == "revoke" {
            let id = form.required("id");
            form.end()?;
            console.admin.revoke_own(&caller, &id).await?;
            return Ok(Done::Saved(Saved::KeyRevoked, paths::own_keys()));
        }
        let new = new_key(&mut form);
        form.end()?;
        let minted = console.admin.mint(&caller, new).await?;
        Ok(Done::Shown(ShownOnce::Key(Box::new(minted))))
    }
    .await;
    answer(console, &arrival, form, name, done).await
}

/// What every form for a key asks.
fn new_key(form: &mut Form) -> NewKey {
    let name = form.required("name");
    let mut capabilities = Vec::new();
    for name in form.all("capabilities") {
        if let Ok(capability) = name.parse::<Capability>() {
            capabilities.push(capability);
        } else {
            let allowed = Capability::ALL.iter().map(|c| c.as_str().to_owned()).collect();
            form.refuse("capabilities", Rule::OneOf { allowed });
        }
    }
    let workspace_id = place(form);
    // A key that never ends is asked for in so many words.
    let lasts = form.required("expires_in_days");
    let expires_in_days = (lasts != "never").then(|| lasts.parse().ok()).flatten();
    if expires_in_days.is_none() && lasts != "never" {
        form.refuse("expires_in_days", Rule::Malformed { expected: Expected::Integer });
    }
    NewKey {
        name,
        capabilities,
        workspace_id,
        expires_in_days,
        expires_at: None,
        service_identity: None,
        key: None,
    }
}

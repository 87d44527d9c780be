//! `/account`: who one is here, what one may do, one's sessions, one's password.

use std::sync::Arc;

use leptos::prelude::*;

use crate::{
    error::ApiError,
    identity::{
        Accounts, Role,
        model::{Own, OwnSession, WorkspaceName},
    },
    paths,
    request::{PageRequest, RefusedForm},
    ui::{
        Alert, Card, Clockface, Column, ConfirmForm, Fact, Facts, Field, Moment, PageHead,
        PageTitle, SetTitle, Table, Tone, answer::set_status, failure::Failure, load,
    },
};

pub const PASSWORD_FORM: &str = "password";
pub const END_FORM: &str = "end-session";

const COLUMNS: &[Column] = &[
    Column::text("Device"),
    Column::text("From"),
    Column::number("Last seen"),
    Column::number("Began"),
    Column::number("Ends"),
    Column::text("Action"),
];

#[component]
pub fn AccountPage() -> impl IntoView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    let content = load(fetch);
    let clock = Clockface::of(&request);
    let refused = request.refused;
    view! {
        <SetTitle title=PageTitle::Account />
        <Suspense>
            {move || {
                let (clock, refused) = (clock.clone(), refused.clone());
                Suspend::new(async move {
                    match &*content.await {
                        Ok(own) => draw(own, refused.as_ref(), &clock),
                        Err(error) => view! { <Failure error=error.clone() /> }.into_any(),
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

fn fetch() -> impl Future<Output = Result<Own, ApiError>> + Send {
    let caller = PageRequest::from_context().and_then(|request| request.caller);
    let accounts = use_context::<Arc<dyn Accounts>>();
    async move {
        let caller = caller.ok_or(ApiError::SignIn)?;
        let accounts = accounts.ok_or(ApiError::Internal(String::new()))?;
        accounts.own(&caller).await
    }
}

fn draw(own: &Own, refused: Option<&RefusedForm>, clock: &Clockface) -> AnyView {
    let sign_out = view! {
        <a class="btn" href=paths::own_keys()>
            "Your API keys"
        </a>
        <form method="post" action=paths::sign_out()>
            <button class="btn">"Sign out"</button>
        </form>
    };
    let lede = if own.me.is_authorized {
        format!("{}, {}.", own.me.display_name, roles(own).to_lowercase())
    } else {
        "You are signed in, but nothing is granted to you yet. Ask an admin of this \
                  console to grant you a role; tell them your id below."
            .to_owned()
    };
    let stray = refused.filter(|refused| refused.form == END_FORM).map(|form| alert(&form.error));
    view! {
        <PageHead title="Your account" lede=lede.into_any() actions=sign_out.into_any() />
        {stray}
        <div class="cols">
            <div class="stack">
                {sessions(&own.sessions, clock)}
                {capabilities(own)}
            </div>
            <div class="stack">
                {who(own)}
                {password(own, refused)}
            </div>
        </div>
    }
    .into_any()
}

fn alert(error: &ApiError) -> AnyView {
    set_status(error.status());
    let sentence = error.to_string();
    view! {
        <Alert tone=Tone::Bad title="Not done">
            <p>{sentence}</p>
        </Alert>
    }
    .into_any()
}

fn roles(own: &Own) -> String {
    if own.roles.is_empty() {
        return "No role".to_owned();
    }
    let place = |workspace: &Option<WorkspaceName>| match workspace {
        None => "everything".to_owned(),
        Some(workspace) => workspace.name.clone(),
    };
    let one = |(role, workspace): &(Role, Option<WorkspaceName>)| {
        format!("{} of {}", role.label(), place(workspace))
    };
    own.roles.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn who(own: &Own) -> AnyView {
    let groups = match own.me.groups.as_slice() {
        [] => None,
        groups => Some(groups.join(", ")),
    };
    let roles = roles(own);
    let (name, id) = (own.me.display_name.clone(), own.me.id.clone());
    let login = own.login.clone().map(|login| view! { <Fact name="Signs in as">{login}</Fact> });
    let email = own.me.email.clone().map(|email| view! { <Fact name="E-mail">{email}</Fact> });
    let groups = groups.map(|groups| view! { <Fact name="Groups">{groups}</Fact> });
    view! {
        <Card title="Who you are">
            <Facts>
                <Fact name="Name">{name}</Fact>
                {login}
                {email}
                <Fact name="Roles">{roles}</Fact>
                {groups}
                <Fact name="Id">
                    <code class="short">{id}</code>
                </Fact>
            </Facts>
        </Card>
    }
    .into_any()
}

fn capabilities(own: &Own) -> AnyView {
    let all = own.me.capabilities.iter().map(|c| view! { <li><code>{c.as_str()}</code></li> });
    let all = all.collect_view();
    let reach = match (own.me.everything, own.me.workspaces.as_slice()) {
        (true, _) => "in every workspace".to_owned(),
        (false, []) => "nowhere".to_owned(),
        (false, some) => {
            let names = some.iter().map(|workspace| workspace.name.as_str()).collect::<Vec<_>>();
            format!("in {}", names.join(", "))
        }
    };
    view! {
        <Card title="What you may do" remark=reach.into_any()>
            <ul class="capabilities">{all}</ul>
        </Card>
    }
    .into_any()
}

fn sessions(sessions: &[OwnSession], clock: &Clockface) -> AnyView {
    let rows = sessions.iter().map(|session| row(session, clock)).collect_view();
    let count = sessions.len();
    let remark = match count {
        0 => "none: you came with an API key".to_owned(),
        1 => "one, this one".to_owned(),
        n => format!("{n} open"),
    };
    view! {
        <Card title="Your sessions" remark=remark.into_any() flush=true>
            <Table caption="Sessions of yours that have not ended" columns=COLUMNS>
                {rows}
            </Table>
        </Card>
    }
    .into_any()
}

fn row(session: &OwnSession, clock: &Clockface) -> AnyView {
    let device = session.device.as_deref().map_or_else(|| "Unknown".to_owned(), device);
    let end = if session.here {
        view! { <span class="faint">"this one"</span> }.into_any()
    } else {
        view! {
            <form method="post" action=paths::account_sessions()>
                <input type="hidden" name="session" value=session.id.clone() />
                <button class="btn small" aria-label=format!("End the session on {device}")>
                    "End"
                </button>
            </form>
        }
        .into_any()
    };
    let title = session.device.clone();
    view! {
        <tr>
            <td title=title>
                <span class="name">{device}</span>
                <div class="why">{method(&session.method)}</div>
            </td>
            <td>{session.address.clone().unwrap_or_else(|| "–".to_owned())}</td>
            <td class="num">
                <Moment at=session.seen_at clock=clock.clone() />
            </td>
            <td class="num">
                <Moment at=session.created_at clock=clock.clone() />
            </td>
            <td class="num">
                <Moment at=session.expires_at clock=clock.clone() />
            </td>
            <td>{end}</td>
        </tr>
    }
    .into_any()
}

/// How it began, in words.
fn method(method: &str) -> &'static str {
    match method {
        "local" => "by password",
        "oidc" => "by the identity provider",
        "demo" => "by one click, as demo",
        "setup" => "by a link that worked once",
        _ => "in another way",
    }
}

/// The browser and the system out of the browser's own long words for itself; the rest of them is in the tooltip.
fn device(words: &str) -> String {
    const BROWSERS: [(&str, &str); 6] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let find = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| words.contains(mark)).map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => words.chars().take(40).collect(),
    }
}

fn password(own: &Own, refused: Option<&RefusedForm>) -> Option<AnyView> {
    own.login.as_ref()?;
    let refused = refused.filter(|refused| refused.form == PASSWORD_FORM);
    if let Some(refused) = refused {
        set_status(refused.error.status());
    }
    let error = refused.map(|refused| refused.error.clone());
    let fields = || {
        view! {
            <Field label="Password now" name="password" kind="password" autocomplete="current-password" />
            <Field
                label="New password"
                name="new_password"
                kind="password"
                autocomplete="new-password"
                hint="At least 12 characters; a few words do well."
            />
        }
    };
    let form = view! {
        <ConfirmForm
            ask="Change password…"
            confirm="Change password"
            consequence="Every other session of yours ends."
            action=paths::account_password()
            refused=error
        >
            {fields()}
        </ConfirmForm>
    };
    Some(view! { <Card title="Password">{form}</Card> }.into_any())
}

#[cfg(test)]
mod tests {
    use super::device;

    #[test]
    fn a_device_has_a_short_name() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36";
        assert_eq!(device(chrome), "Chrome on Linux");
        assert_eq!(device("curl/8.9.1"), "curl");
        assert_eq!(device(&"x".repeat(300)).len(), 40);
    }
}

//! `/settings/people/{id}`: what may this person do, by what, and where are they signed in?

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::people::state;
use crate::{
    error::ApiError,
    identity::{
        Capability, People, Reach, View, enter,
        model::{PersonDetail, Session, Source},
        parts::{KEY_COLUMNS, key_row, lacking, role_line, shown_once, stray},
    },
    paths,
    request::{PageRequest, RefusedForm},
    ui::{
        Card, Clockface, Column, ConfirmForm, CopyId, Crumb, Fact, Facts, Moment, PageHead,
        PageTitle, SetTitle, Table,
        failure::Failure,
        inputs::{self, Typed},
        load,
    },
};

const SESSIONS: &[Column] = &[
    Column::text("Device"),
    Column::text("Address"),
    Column::text("By"),
    Column::number("Seen"),
    Column::number("Since"),
    Column::text("Action"),
];
const FORMS: &[&str] = &["rename", "disable", "enable", "link", "end"];

#[component]
pub fn PersonPage() -> impl IntoView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    let asked = use_params_map().with_untracked(|params| params.get("id").unwrap_or_default());
    let content = load(move || fetch(asked.clone()));
    view! {
        <Suspense>
            {move || {
                let request = request.clone();
                Suspend::new(async move {
                    match &*content.await {
                        Ok(detail) => draw(detail, &request),
                        Err(error) => {
                            let way_out = ("Show all people", paths::people());
                            view! { <Failure error=error.clone() way_out /> }.into_any()
                        }
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

fn fetch(id: String) -> impl Future<Output = Result<PersonDetail, ApiError>> + Send {
    let entered = enter::<View, dyn People>();
    async move {
        let (permit, people) = entered.await?;
        people.get(&permit, &id).await
    }
}

fn draw(detail: &PersonDetail, request: &PageRequest) -> AnyView {
    let (person, clock) = (&detail.person, Clockface::of(request));
    let refused = request.refused.as_ref();
    let reach = request.caller.as_ref().and_then(|c| c.reach(Capability::IdentityManage));
    let manages = reach == Some(Reach::Everything);
    let crumbs =
        vec![Crumb::link("People", paths::people()), Crumb::here(person.display_name.clone())];
    let shown = request.shown.as_ref().map(|shown| shown_once(shown, &clock));
    let known = refused.is_some_and(|form| manages && FORMS.contains(&form.form));
    let forms = if manages {
        actions(detail, refused)
    } else {
        lacking("Changing people", Capability::IdentityManage, true)
    };
    view! {
        <SetTitle title=PageTitle::Person />
        <PageHead title=person.display_name.clone() crumbs />
        {shown}
        {stray(refused, known)}
        <div class="forms">{forms}</div>
        <div class="cols">
            <div class="stack">
                {roles(detail)} {sessions(detail, request, manages, &clock)} {keys(detail, &clock)}
            </div>
            <aside class="stack">{facts(detail, &clock)}</aside>
        </div>
    }
    .into_any()
}

fn facts(detail: &PersonDetail, clock: &Clockface) -> AnyView {
    let person = &detail.person;
    let moment = |at| match at {
        Some(at) => view! { <Moment at clock=clock.clone() exact=true /> }.into_any(),
        None => "never".into_any(),
    };
    let (created, signed_in) = (moment(Some(person.created_at)), moment(person.signed_in_at));
    let disabled = person.disabled_at.map(|at| {
        view! {
            <dt>"Disabled"</dt>
            <dd>{moment(Some(at))}</dd>
        }
    });
    let groups =
        if person.groups.is_empty() { "none".to_owned() } else { person.groups.join(", ") };
    let (id, login) = (person.id.clone(), person.login.clone());
    let email = person.email.clone().unwrap_or_else(|| "–".to_owned());
    let (state, source) = (state(person), person.source.label());
    view! {
        <Card title="Facts" remark=clock.zone.name.clone().into_any()>
            <Facts>
                <Fact name="State">{state}</Fact>
                <Fact name="Login"><span class="mono">{login}</span></Fact>
                <Fact name="E-mail">{email}</Fact>
                <Fact name="Known by">{source}</Fact>
                <Fact name="Groups">{groups}</Fact>
                <Fact name="Known since">{created}</Fact>
                <Fact name="Last sign-in">{signed_in}</Fact>
                {disabled}
                <Fact name="Id"><CopyId text=id /></Fact>
            </Facts>
        </Card>
    }
    .into_any()
}

fn roles(detail: &PersonDetail) -> AnyView {
    let roles = &detail.person.roles;
    let body = if roles.is_empty() {
        view! { <p class="dim">"Nothing is granted to this person, nor to a group of theirs."</p> }
            .into_any()
    } else {
        let lines = roles.iter().map(|held| view! { <li>{role_line(held)}</li> }).collect_view();
        view! { <ul class="plain">{lines}</ul> }.into_any()
    };
    let all = view! { <a href=paths::grants()>"Grants"</a> };
    view! {
        <Card title="May" remark=all.into_any()>
            {body}
        </Card>
    }
    .into_any()
}

fn sessions(
    detail: &PersonDetail,
    request: &PageRequest,
    manages: bool,
    clock: &Clockface,
) -> AnyView {
    let typed = Typed::of(request.refused.as_ref(), "end");
    let id = &detail.person.id;
    let row = |session: &Session| {
        let end = manages.then(|| end(session, id, typed));
        view! {
            <tr>
                <td>{session.device.clone().unwrap_or_else(|| "unknown".to_owned())}</td>
                <td class="mono">{session.address.clone()}</td>
                <td>{session.method.clone()}</td>
                <td class="num"><Moment at=session.seen_at clock=clock.clone() /></td>
                <td class="num"><Moment at=session.created_at clock=clock.clone() /></td>
                <td>{end}</td>
            </tr>
        }
    };
    if detail.sessions.is_empty() {
        return view! {
            <Card title="Sessions">
                <p class="dim">"Not signed in anywhere."</p>
            </Card>
        }
        .into_any();
    }
    let rows = detail.sessions.iter().map(row).collect_view();
    view! {
        <Card title="Sessions" flush=true>
            <Table caption="Where this person is signed in" columns=SESSIONS>
                {rows}
            </Table>
        </Card>
    }
    .into_any()
}

fn end(session: &Session, person: &str, typed: Typed<'_>) -> AnyView {
    let refused = typed.about("session", &session.id).error();
    let id = session.id.clone();
    view! {
        <ConfirmForm
            ask="End…"
            confirm="End session"
            consequence="Whoever uses it is signed out at once and must sign in again."
            action=paths::person(person)
            danger=true
            refused
        >
            {inputs::hidden("do", "end")}
            {inputs::hidden("session", id)}
        </ConfirmForm>
    }
    .into_any()
}

fn keys(detail: &PersonDetail, clock: &Clockface) -> Option<AnyView> {
    let rows = detail.keys.iter().map(|key| key_row(key, clock, None, Typed(None)));
    let rows = rows.collect_view();
    (!detail.keys.is_empty()).then(|| {
        view! {
            <Card title="API keys" flush=true>
                <Table caption="Keys of this person" columns=KEY_COLUMNS>
                    {rows}
                </Table>
            </Card>
        }
        .into_any()
    })
}

fn actions(detail: &PersonDetail, refused: Option<&RefusedForm>) -> AnyView {
    let person = &detail.person;
    let local = person.source == Source::Local;
    let enabled = person.disabled_at.is_none();
    let action = paths::person(&person.id);
    let rename = local.then(|| rename(detail, Typed::of(refused, "rename")));
    let link = (local && enabled).then(|| {
        let refused = Typed::of(refused, "link").error();
        let action = action.clone();
        view! {
            <ConfirmForm
                ask="New password link…"
                confirm="Make a link"
                consequence="Whoever has the link chooses this person's password. Earlier links are worth nothing then; the present password stays good until a new one is chosen."
                action
                refused
            >
                {inputs::hidden("do", "link")}
            </ConfirmForm>
        }
    });
    let ban = if enabled {
        let refused = Typed::of(refused, "disable").error();
        view! {
            <ConfirmForm
                ask="Disable…"
                confirm="Disable"
                consequence="Their sessions end at once and their keys open nothing. What is granted to them stays, and counts again when they are enabled."
                action
                danger=true
                refused
            >
                {inputs::hidden("do", "disable")}
            </ConfirmForm>
        }
        .into_any()
    } else {
        let refused = Typed::of(refused, "enable").error();
        view! {
            <ConfirmForm
                ask="Enable…"
                confirm="Enable"
                consequence="They may sign in again, with all that is granted to them, and their keys open again."
                action
                refused
            >
                {inputs::hidden("do", "enable")}
            </ConfirmForm>
        }
        .into_any()
    };
    view! { {rename} {link} {ban} }.into_any()
}

fn rename(detail: &PersonDetail, typed: Typed<'_>) -> AnyView {
    let person = &detail.person;
    let name = typed.value("display_name").or_else(|| Some(person.display_name.clone()));
    let email = typed.value("email").or_else(|| person.email.clone());
    view! {
        <ConfirmForm
            ask="Rename…"
            confirm="Save"
            consequence="The name and address that others see. The login stays."
            action=paths::person(&person.id)
            refused=typed.error()
        >
            {inputs::hidden("do", "rename")}
            {inputs::text("Name", "display_name", name, None)}
            {inputs::text("E-mail", "email", email, None)}
        </ConfirmForm>
    }
    .into_any()
}

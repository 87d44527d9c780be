//! `/settings/people`: who can sign in, and what may they do?

use leptos::prelude::*;

use crate::{
    error::ApiError,
    identity::{
        Capability, People, Reach, View, enter,
        model::{PEOPLE_FILTERS, Person, Source},
        parts::{lacking, role_line, shown_once, stray},
    },
    list::{ListQuery, Page},
    paths,
    request::PageRequest,
    ui::{
        Clockface, Column, ConfirmForm, Moment, PageHead, PageTitle, SetTitle, StatusBadge, Table,
        Tone,
        answer::see_other,
        failure::Failure,
        filters::Suggestions,
        inputs::{self, Typed},
        listing::{Asked, Listing},
        load,
        pagination::capped,
        table::RowLink,
    },
};

const LISTING: Listing = Listing {
    filters: PEOPLE_FILTERS,
    primary: 3,
    href: |query| paths::filtered(paths::people(), query),
};
const COLUMNS: &[Column] = &[
    Column::text("Person"),
    Column::text("State"),
    Column::text("May"),
    Column::text("Groups"),
    Column::text("Known by"),
    Column::number("Last sign-in"),
];
/// More stand on the person's own page.
const SHOWN: usize = 3;

#[component]
pub fn PeoplePage() -> impl IntoView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    let asked = LISTING.read(&request);
    if let Asked::Elsewhere(address) = &asked {
        see_other(address);
        return ().into_any();
    }
    let content = load({
        let asked = asked.clone();
        move || fetch(asked.clone())
    });
    view! {
        <SetTitle title=PageTitle::People />
        <Suspense>
            {move || {
                let (request, asked) = (request.clone(), asked.clone());
                Suspend::new(async move { draw(&request, asked, &*content.await) })
            }}
        </Suspense>
    }
    .into_any()
}

fn fetch(asked: Asked) -> impl Future<Output = Result<Page<Person>, ApiError>> + Send {
    let entered = enter::<View, dyn People>();
    async move {
        let (permit, people) = entered.await?;
        match asked {
            Asked::List(query) => people.list(&permit, &query).await,
            Asked::Refused(violations) => Err(ApiError::Invalid(violations)),
            Asked::Elsewhere(_) => Ok(Page::default()),
        }
    }
}

fn draw(request: &PageRequest, asked: Asked, content: &Result<Page<Person>, ApiError>) -> AnyView {
    let (page, query) = match (content, asked) {
        (Ok(page), Asked::List(query)) => (page, query),
        (_, Asked::Refused(violations)) => {
            return view! {
                <PageHead title="People" />
                {LISTING.refused(request, &violations)}
            }
            .into_any();
        }
        (Err(error), _) => return view! { <Failure error=error.clone() /> }.into_any(),
        (Ok(_), Asked::Elsewhere(_)) => return ().into_any(),
    };
    let clock = Clockface::of(request);
    let shown = request.shown.as_ref().map(|shown| shown_once(shown, &clock));
    let rows = page.items.iter().map(|person| row(person, &clock)).collect_view();
    let list = if page.items.is_empty() {
        LISTING.empty(
            &query,
            "Nobody yet",
            "Whoever signs in, or is added here, stands in this list.",
        )
    } else {
        view! {
            <div class="card">
                <Table caption="People, by name" columns=COLUMNS>
                    {rows}
                </Table>
            </div>
        }
        .into_any()
    };
    view! {
        <PageHead title="People" lede=lede(page, &query).into_any() />
        {shown}
        {add(request)}
        {LISTING.bar(request, &query, &Suggestions::default())}
        {list}
        {LISTING.pages(page, &query)}
    }
    .into_any()
}

fn lede(page: &Page<Person>, query: &ListQuery) -> String {
    let total = capped(page.total, page.total_capped);
    match (page.total, query.is_filtered()) {
        (0, _) => "Who can sign in, and what they may do.".to_owned(),
        (1, true) => "1 person matches.".to_owned(),
        (1, false) => "1 person is known here.".to_owned(),
        (_, true) => format!("{total} people match."),
        (_, false) => format!("{total} people are known here."),
    }
}

/// The form, or the one line that says what is missing.
fn add(request: &PageRequest) -> AnyView {
    let reach = request.caller.as_ref().and_then(|c| c.reach(Capability::IdentityManage));
    let typed = Typed::of(request.refused.as_ref(), "add");
    let stray = stray(request.refused.as_ref(), typed.0.is_some());
    if reach != Some(Reach::Everything) {
        return view! { {stray} {lacking("Adding people", Capability::IdentityManage, true)} }
            .into_any();
    }
    let hint = Some("To sign in with: letters, digits and . _ - @ +");
    let login = inputs::text("Login", "login", typed.value("login"), hint);
    let name = inputs::text("Name", "display_name", typed.value("display_name"), None);
    let email = inputs::text("E-mail", "email", typed.value("email"), None);
    view! {
        {stray}
        <ConfirmForm
            ask="Add a person…"
            confirm="Add"
            consequence="They get an account of this console and a link to choose a password, which is shown once. What they may do is granted afterwards."
            action=paths::people()
            refused=typed.error()
        >
            {inputs::hidden("do", "add")}
            {login} {name} {email}
        </ConfirmForm>
    }
    .into_any()
}

fn row(person: &Person, clock: &Clockface) -> impl IntoView + use<> {
    let roles = person.roles.iter().take(SHOWN).map(|held| {
        view! { <div>{role_line(held)}</div> }
    });
    let roles = roles.collect_view();
    let nothing = person.roles.is_empty().then(|| view! { <span class="faint">"nothing"</span> });
    let more = person.roles.len().checked_sub(SHOWN).filter(|more| *more > 0);
    let more = more.map(|more| view! { <div class="faint">{format!("and {more} more")}</div> });
    let signed_in = match person.signed_in_at {
        Some(at) => view! { <Moment at clock=clock.clone() /> }.into_any(),
        None => "never".into_any(),
    };
    let email = person.email.clone().map(|email| view! { <div class="why">{email}</div> });
    let login = (person.source == Source::Local).then(|| person.login.clone());
    let name = person.display_name.clone();
    view! {
        <tr>
            <td>
                <RowLink href=paths::person(&person.id)>{name}</RowLink>
                " "
                <span class="mono dim">{login}</span>
                {email}
            </td>
            <td>{state(person)}</td>
            <td>{roles} {nothing} {more}</td>
            <td>
                <span class="short">{person.groups.join(", ")}</span>
            </td>
            <td>{person.source.label()}</td>
            <td class="num">{signed_in}</td>
        </tr>
    }
}

/// Whether the person can sign in.
pub(super) fn state(person: &Person) -> AnyView {
    let (tone, word) = if person.disabled_at.is_some() {
        (Tone::Bad, "disabled")
    } else if person.source == Source::Local && !person.has_password {
        (Tone::Waiting, "no password yet")
    } else {
        (Tone::Ok, "enabled")
    };
    view! { <StatusBadge tone word /> }.into_any()
}

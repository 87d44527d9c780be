//! `/settings/grants`: who has which role, and where?

use leptos::prelude::*;

use crate::{
    error::ApiError,
    identity::{
        Caller, Capability, Grants, Keys, People, Reach, Role, View, enter,
        model::{ConfiguredGrant, GRANT_FILTERS, Grant, SubjectKind},
        parts::{lacking, place_of, places, stray},
    },
    list::{ListQuery, Page},
    paths,
    request::PageRequest,
    ui::{
        Card, Clockface, Column, ConfirmForm, Moment, PageHead, PageTitle, SetTitle, Table,
        answer::see_other,
        failure::Failure,
        filters::Suggestions,
        inputs::{self, Typed},
        listing::{Asked, Listing},
        load,
        pagination::capped,
    },
    workspaces::{Workspaces, model::Workspace},
};

const LISTING: Listing = Listing {
    filters: GRANT_FILTERS,
    primary: 3,
    href: |query| paths::filtered(paths::grants(), query),
};
const COLUMNS: &[Column] = &[
    Column::text("Granted to"),
    Column::text("Role"),
    Column::text("On"),
    Column::text("By"),
    Column::number("Since"),
    Column::text("Action"),
];
const CONFIGURED: &[Column] = &[Column::text("Group"), Column::text("Role"), Column::text("On")];
/// As many are offered while typing; others can be typed all the same.
const OFFERED: &str = "100";

#[derive(Default)]
struct Content {
    page: Page<Grant>,
    configured: Vec<ConfiguredGrant>,
    workspaces: Vec<Workspace>,
    /// Whom one could grant to: what to type, and who that is.
    subjects: Vec<(String, String)>,
}

#[component]
pub fn GrantsPage() -> impl IntoView {
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
        <SetTitle title=PageTitle::Grants />
        <Suspense>
            {move || {
                let (request, asked) = (request.clone(), asked.clone());
                Suspend::new(async move { draw(&request, asked, &*content.await) })
            }}
        </Suspense>
    }
    .into_any()
}

fn fetch(asked: Asked) -> impl Future<Output = Result<Content, ApiError>> + Send {
    let entered = enter::<View, dyn Grants>();
    let people = use_context::<std::sync::Arc<dyn People>>();
    let keys = use_context::<std::sync::Arc<dyn Keys>>();
    let workspaces = use_context::<std::sync::Arc<dyn Workspaces>>();
    async move {
        let (permit, grants) = entered.await?;
        let page = match asked {
            Asked::List(query) => grants.list(&permit, &query).await?,
            Asked::Refused(violations) => return Err(ApiError::Invalid(violations)),
            Asked::Elsewhere(_) => return Ok(Content::default()),
        };
        let configured = grants.configured(&permit);
        let offered = ListQuery::parse(&[], [("page_size".to_owned(), OFFERED.to_owned())]);
        let offered = offered.unwrap_or_default();
        let mut subjects = Vec::new();
        if let Some(people) = people {
            let known = people.list(&permit, &offered).await?.items;
            subjects.extend(known.into_iter().map(|person| (person.id, person.display_name)));
        }
        if let Some(keys) = keys {
            let known = keys.list(&permit, &offered).await?.items;
            let of_services = known.into_iter().filter(|key| key.owner.is_none());
            subjects.extend(of_services.map(|key| (key.id, format!("key {}", key.name))));
        }
        let workspaces = match workspaces {
            Some(workspaces) => workspaces.list(&permit, &offered).await?.items,
            None => Vec::new(),
        };
        Ok(Content { page, configured, workspaces, subjects })
    }
}

fn draw(request: &PageRequest, asked: Asked, content: &Result<Content, ApiError>) -> AnyView {
    let (content, query) = match (content, asked) {
        (Ok(content), Asked::List(query)) => (content, query),
        (_, Asked::Refused(violations)) => {
            return view! {
                <PageHead title="Grants" />
                {LISTING.refused(request, &violations)}
            }
            .into_any();
        }
        (Err(error), _) => return view! { <Failure error=error.clone() /> }.into_any(),
        (Ok(_), Asked::Elsewhere(_)) => return ().into_any(),
    };
    let Some(caller) = &request.caller else { return ().into_any() };
    let clock = Clockface::of(request);
    let typed = Typed::of(request.refused.as_ref(), "remove");
    let rows = content.page.items.iter().map(|grant| row(grant, caller, &clock, typed));
    let rows = rows.collect_view();
    let list = if content.page.items.is_empty() {
        LISTING.empty(
            &query,
            "Nothing is granted here",
            "A grant gives a role to a person, a group or a service's key.",
        )
    } else {
        view! {
            <div class="card">
                <Table caption="Grants, newest first" columns=COLUMNS>
                    {rows}
                </Table>
            </div>
        }
        .into_any()
    };
    let names = content.workspaces.iter().map(|w| (w.id.to_string(), w.name.clone()));
    let suggestions = Suggestions::default().with("workspace_id", names);
    view! {
        <PageHead title="Grants" lede=lede(&content.page, &query).into_any() />
        {add(request, caller, content)}
        {LISTING.bar(request, &query, &suggestions)}
        {list}
        {LISTING.pages(&content.page, &query)}
        {configured(&content.configured)}
    }
    .into_any()
}

fn lede(page: &Page<Grant>, query: &ListQuery) -> String {
    let total = capped(page.total, page.total_capped);
    match (page.total, query.is_filtered()) {
        (0, _) => "Who has which role, and where.".to_owned(),
        (1, true) => "1 grant matches.".to_owned(),
        (1, false) => "1 grant. It counts at once, in open sessions too.".to_owned(),
        (_, true) => format!("{total} grants match."),
        (_, false) => format!("{total} grants. A change counts at once, in open sessions too."),
    }
}

fn add(request: &PageRequest, caller: &Caller, content: &Content) -> AnyView {
    let typed = Typed::of(request.refused.as_ref(), "add");
    let manages = caller.may(Capability::IdentityManage);
    let own = |name: &str| request.refused.as_ref().is_some_and(|r| r.form == name);
    // A refused removal is told at its row, when the row is on this page.
    let at_row = own("remove")
        && content.page.items.iter().any(|g| {
            request.refused.as_ref().and_then(|r| r.value("grant")) == Some(g.id.as_str())
        });
    let stray = stray(request.refused.as_ref(), manages && (own("add") || at_row));
    if !manages {
        return view! { {stray} {lacking("Granting", Capability::IdentityManage, false)} }
            .into_any();
    }
    let kinds = [SubjectKind::Person, SubjectKind::Group, SubjectKind::ApiKey];
    let kinds = kinds.map(|kind| (kind.as_str().to_owned(), kind.label().to_owned()));
    let roles = Role::ALL
        .iter()
        .map(|role| (role.as_str().to_owned(), format!("{}: {}", role.label(), role.summary())));
    let places = places(caller, Capability::IdentityManage, &content.workspaces);
    let (kind, role, place) =
        (typed.value("subject_kind"), typed.value("role"), typed.value("workspace_id"));
    let subject = typed.value("subject").unwrap_or_default();
    let offered = content.subjects.iter().map(|(value, label)| {
        view! { <option value=value.clone()>{label.clone()}</option> }
    });
    let offered = offered.collect_view();
    let roles = roles.collect::<Vec<_>>();
    view! {
        {stray}
        <ConfirmForm
            ask="Grant…"
            confirm="Grant"
            consequence="It counts at once. You can grant what you may do yourself, where you may do it."
            action=paths::grants()
            refused=typed.error()
        >
            {inputs::hidden("do", "add")}
            {inputs::select("To a", "subject_kind", kinds, kind.as_deref())}
            <label class="named">
                <span>"Who"</span>
                <input class="field" name="subject" list="subjects" value=subject autocomplete="off" />
                <datalist id="subjects">{offered}</datalist>
                <span class="faint">
                    "A person's login or id, a group's name as the identity provider spells it, or the id of a service's key."
                </span>
            </label>
            {inputs::select("Role", "role", roles, role.as_deref())}
            {inputs::select("On", "workspace_id", places, place.as_deref())}
        </ConfirmForm>
    }
    .into_any()
}

fn row(
    grant: &Grant,
    caller: &Caller,
    clock: &Clockface,
    typed: Typed<'_>,
) -> impl IntoView + use<> {
    let subject = &grant.subject;
    let name = match subject.kind {
        SubjectKind::Person => {
            view! { <a class="name" href=paths::person(&subject.id)>{subject.name.clone()}</a> }
                .into_any()
        }
        _ => view! { <span class="name">{subject.name.clone()}</span> }.into_any(),
    };
    let place = Reach::of(grant.workspace.as_ref().map(|w| w.id));
    let manages = caller.reach(Capability::IdentityManage).is_some_and(|r| r.covers(&place));
    let remove = manages.then(|| remove(grant, typed));
    view! {
        <tr>
            <td>{name} " " <span class="dim">{subject.kind.label()}</span></td>
            <td>{grant.role.label()}</td>
            <td>
                <span class="short">{place_of(grant.workspace.as_ref())}</span>
            </td>
            <td>
                <span class="short">{grant.created_by_name.clone()}</span>
            </td>
            <td class="num">
                <Moment at=grant.created_at clock=clock.clone() />
            </td>
            <td>{remove}</td>
        </tr>
    }
}

fn remove(grant: &Grant, typed: Typed<'_>) -> AnyView {
    let consequence = format!(
        "{} is no {} on {} any more, at once and in open sessions too.",
        grant.subject.name,
        grant.role.as_str(),
        place_of(grant.workspace.as_ref())
    );
    let refused = typed.about("grant", &grant.id).error();
    let id = grant.id.clone();
    view! {
        <ConfirmForm
            ask="Remove…"
            confirm="Remove"
            consequence
            action=paths::grants()
            danger=true
            refused
        >
            {inputs::hidden("do", "remove")}
            {inputs::hidden("grant", id)}
        </ConfirmForm>
    }
    .into_any()
}

fn configured(given: &[ConfiguredGrant]) -> Option<AnyView> {
    let rows = given.iter().map(|given| {
        view! {
            <tr>
                <td><span class="name">{given.group.clone()}</span></td>
                <td>{given.role.label()}</td>
                <td>"everything"</td>
            </tr>
        }
    });
    let rows = rows.collect_view();
    (!given.is_empty()).then(|| {
        view! {
            <Card title="Granted by the configuration" remark="changed there, oidc_grant".into_any() flush=true>
                <Table caption="Roles of groups by the configuration" columns=CONFIGURED>
                    {rows}
                </Table>
            </Card>
        }
        .into_any()
    })
}

//! The pages of the administration: what they say, to whom they offer what, and what comes back when a form is refused.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use leptos::prelude::provide_context;

use super::kit::{Drawn, NOW, caller, draw_over, request};
use crate::{
    error::{ApiError, Conflict, Thing},
    identity::{
        Caller, Capability, Grants, Keys, Manage, People, Permit, Reach, Role, View,
        model::{
            ApiKey, ChangePerson, ConfiguredGrant, Grant, HeldRole, KeyOwner, KeyState, MintedKey,
            NewGrant, NewKey, NewPerson, PasswordLink, Person, PersonDetail, Secret, Session,
            ShownOnce, Source, Subject, SubjectKind,
        },
    },
    list::{ListQuery, Page},
    request::{PageRequest, RefusedForm},
    settings,
    workspaces::{
        Workspaces,
        model::{NewTenant, NewWorkspace, Tenant, Workspace, WorkspaceRef},
    },
};

/// What the services answer.
#[derive(Clone, Default)]
struct Told {
    people: Vec<Person>,
    sessions: Vec<Session>,
    grants: Vec<Grant>,
    configured: Vec<ConfiguredGrant>,
    keys: Vec<ApiKey>,
    owner: Option<String>,
    workspaces: Vec<Workspace>,
}

fn page<T: Clone>(items: &[T]) -> Page<T> {
    let total = i64::try_from(items.len()).unwrap_or(0);
    Page { items: items.to_vec(), total, ..Page::default() }
}

const NO: ApiError = ApiError::NotFound(Thing::Page);

#[async_trait]
impl People for Told {
    async fn list(&self, _: &Permit<View>, _: &ListQuery) -> Result<Page<Person>, ApiError> {
        Ok(page(&self.people))
    }
    async fn get(&self, _: &Permit<View>, id: &str) -> Result<PersonDetail, ApiError> {
        let person = self.people.iter().find(|person| person.id == id).cloned();
        let person = person.ok_or(ApiError::NotFound(Thing::Person))?;
        Ok(PersonDetail { person, sessions: self.sessions.clone(), keys: self.keys.clone() })
    }
    async fn add(
        &self,
        _: &Permit<Manage>,
        _: NewPerson,
    ) -> Result<(Person, PasswordLink), ApiError> {
        Err(NO)
    }
    async fn change(
        &self,
        _: &Permit<Manage>,
        _: &str,
        _: ChangePerson,
    ) -> Result<Person, ApiError> {
        Err(NO)
    }
    async fn link(&self, _: &Permit<Manage>, _: &str) -> Result<PasswordLink, ApiError> {
        Err(NO)
    }
    async fn end_session(&self, _: &Permit<Manage>, _: &str) -> Result<(), ApiError> {
        Err(NO)
    }
}

#[async_trait]
impl Grants for Told {
    async fn list(&self, _: &Permit<View>, _: &ListQuery) -> Result<Page<Grant>, ApiError> {
        Ok(page(&self.grants))
    }
    fn configured(&self, _: &Permit<View>) -> Vec<ConfiguredGrant> {
        self.configured.clone()
    }
    async fn add(&self, _: &Permit<Manage>, _: NewGrant) -> Result<Grant, ApiError> {
        Err(NO)
    }
    async fn remove(&self, _: &Permit<Manage>, _: &str) -> Result<(), ApiError> {
        Err(NO)
    }
}

#[async_trait]
impl Keys for Told {
    async fn list(&self, _: &Permit<View>, _: &ListQuery) -> Result<Page<ApiKey>, ApiError> {
        Ok(page(&self.keys))
    }
    async fn find_owner(&self, _: &Caller) -> Result<Option<String>, ApiError> {
        Ok(self.owner.clone())
    }
    async fn list_own(&self, _: &Caller, _: &ListQuery) -> Result<Page<ApiKey>, ApiError> {
        Ok(page(&self.keys))
    }
    async fn mint(&self, _: &Caller, _: NewKey) -> Result<MintedKey, ApiError> {
        Err(NO)
    }
    async fn revoke(&self, _: &Permit<Manage>, _: &str) -> Result<(), ApiError> {
        Err(NO)
    }
    async fn revoke_own(&self, _: &Caller, _: &str) -> Result<(), ApiError> {
        Err(NO)
    }
}

type Sets = Permit<settings::Manage>;

#[async_trait]
impl Workspaces for Told {
    async fn list(&self, _: &Permit<View>, _: &ListQuery) -> Result<Page<Workspace>, ApiError> {
        Ok(page(&self.workspaces))
    }
    async fn get(&self, _: &Permit<View>, _: i64) -> Result<Workspace, ApiError> {
        Err(NO)
    }
    async fn tenants(&self, _: &Permit<View>, _: &ListQuery) -> Result<Page<Tenant>, ApiError> {
        Err(NO)
    }
    async fn tenant(&self, _: &Permit<View>, _: i64) -> Result<Tenant, ApiError> {
        Err(NO)
    }
    async fn create(&self, _: &Sets, _: NewWorkspace) -> Result<Workspace, ApiError> {
        Err(NO)
    }
    async fn rename(&self, _: &Sets, _: i64, _: &str) -> Result<(), ApiError> {
        Err(NO)
    }
    async fn archive(&self, _: &Sets, _: i64) -> Result<(), ApiError> {
        Err(NO)
    }
    async fn create_tenant(&self, _: &Sets, _: NewTenant) -> Result<Tenant, ApiError> {
        Err(NO)
    }
    async fn rename_tenant(&self, _: &Sets, _: i64, _: &str) -> Result<(), ApiError> {
        Err(NO)
    }
    async fn archive_tenant(&self, _: &Sets, _: i64) -> Result<(), ApiError> {
        Err(NO)
    }
}

async fn draw(told: &Told, request: PageRequest) -> Drawn {
    let told = Arc::new(told.clone());
    let services = move || {
        provide_context::<Arc<dyn People>>(told.clone());
        provide_context::<Arc<dyn Grants>>(told.clone());
        provide_context::<Arc<dyn Keys>>(told.clone());
        provide_context::<Arc<dyn Workspaces>>(told.clone());
    };
    draw_over(services, request).await
}

fn payments() -> WorkspaceRef {
    WorkspaceRef { id: 7, name: "payments".to_owned() }
}

fn person(id: &str, name: &str) -> Person {
    Person {
        id: id.to_owned(),
        source: Source::Local,
        login: id.to_owned(),
        display_name: name.to_owned(),
        email: Some(format!("{id}@example.com")),
        groups: vec!["sre".to_owned()],
        roles: vec![
            HeldRole {
                role: Role::Operator,
                workspace: Some(payments()),
                group: None,
                configured: false,
            },
            HeldRole {
                role: Role::Auditor,
                workspace: None,
                group: Some("sre".to_owned()),
                configured: true,
            },
        ],
        has_password: true,
        created_at: NOW,
        signed_in_at: None,
        disabled_at: None,
    }
}

fn key(id: &str, name: &str) -> ApiKey {
    ApiKey {
        id: id.to_owned(),
        name: name.to_owned(),
        prefix: "qd_abcdef".to_owned(),
        state: KeyState::Active,
        owner: Some(KeyOwner { id: "ada".to_owned(), name: "Ada".to_owned() }),
        service_identity: None,
        capabilities: vec![Capability::GpuView],
        workspace: Some(payments()),
        created_at: NOW,
        created_by_id: "ada".to_owned(),
        created_by_name: "Ada".to_owned(),
        expires_at: None,
        used_at: None,
        revoked_at: None,
    }
}

fn grant(id: &str, workspace: Option<WorkspaceRef>) -> Grant {
    Grant {
        id: id.to_owned(),
        subject: Subject {
            kind: SubjectKind::Person,
            id: "ada".to_owned(),
            name: "Ada".to_owned(),
        },
        role: Role::Operator,
        workspace,
        created_at: NOW,
        created_by_id: "root".to_owned(),
        created_by_name: "Root".to_owned(),
    }
}

fn told() -> Told {
    let tenant = Tenant {
        id: 3,
        workspace_id: 7,
        name: "eu".to_owned(),
        created_at: NOW,
        archived_at: None,
    };
    let workspace = |id: i64, name: &str, tenants: Vec<Tenant>| Workspace {
        id,
        name: name.to_owned(),
        built_in: id == 1,
        tenants,
        created_at: NOW,
        archived_at: None,
    };
    Told {
        people: vec![person("ada", "Ada")],
        sessions: vec![Session {
            id: "s-1".to_owned(),
            method: "local".to_owned(),
            address: Some("203.0.113.9".to_owned()),
            device: Some("Firefox".to_owned()),
            created_at: NOW,
            seen_at: NOW,
            expires_at: NOW,
        }],
        grants: vec![grant("g-1", None), grant("g-2", Some(payments()))],
        configured: vec![ConfiguredGrant { group: "admins".to_owned(), role: Role::Admin }],
        keys: vec![key("k-1", "ci")],
        owner: Some("ada".to_owned()),
        workspaces: vec![workspace(1, "platform", vec![]), workspace(7, "payments", vec![tenant])],
    }
}

const PAGES: &[&str] = &[
    "/settings/people",
    "/settings/people/ada",
    "/settings/grants",
    "/settings/keys",
    "/settings/workspaces",
];

fn says(drawn: &Drawn, all: &[&str]) {
    for said in all {
        assert!(drawn.html.contains(said), "{said} is missing:\n{}", drawn.html);
    }
}

#[tokio::test]
async fn each_page_says_who_may_what() {
    let told = told();
    let people = draw(&told, request(PAGES[0])).await;
    says(
        &people,
        &[
            "<title>People · Quarterdeck</title>",
            "1 person is known here.",
            "href=\"/settings/people/ada\"",
            "Operator on payments",
            "Auditor on everything, by group sre in the configuration",
            "Add a person…",
        ],
    );
    let ada = draw(&told, request(PAGES[1])).await;
    says(
        &ada,
        &[
            "<title>Person · Quarterdeck</title>",
            "203.0.113.9",
            "End…",
            "Disable…",
            "New password link…",
            "qd_abcdef",
        ],
    );
    let grants = draw(&told, request(PAGES[2])).await;
    says(
        &grants,
        &["2 grants.", "Granted by the configuration", "admins", "Remove…", ">Everything</option>"],
    );
    let keys = draw(&told, request(PAGES[3])).await;
    says(&keys, &["1 key.", "qd_abcdef", "Revoke…", "Take over an existing key…", "never"]);
    let workspaces = draw(&told, request(PAGES[4])).await;
    says(&workspaces, &["2 workspaces.", "built in", "eu", "Add a tenant…", "Archive…"]);
    assert_eq!(
        workspaces.html.matches("name=\"do\" value=\"archive\"").count(),
        1,
        "not the built-in one"
    );
    let own = draw(&told, request("/account/keys")).await;
    says(&own, &["Your API keys", "Make a key…", "Wherever your rights reach", "Revoke…"]);
    for drawn in [people, ada, grants, keys, workspaces, own] {
        assert_eq!(drawn.status, 200);
        assert!(!drawn.html.contains("style="), "the CSP refuses styles in attributes");
        assert!(drawn.html.contains("__RESOLVED_RESOURCES={};"), "pages leave no data behind");
    }
}

#[tokio::test]
async fn who_only_sees_is_told_what_is_missing_and_offered_nothing() {
    for address in PAGES {
        let mut asked = request(address);
        asked.caller = Some(caller(&[Capability::IdentityView]));
        let drawn = draw(&told(), asked).await;
        assert_eq!(drawn.status, 200, "{address}");
        assert!(!drawn.main().contains("method=\"post\""), "{address}");
        let needed =
            if address.ends_with("workspaces") { "settings.manage" } else { "identity.manage" };
        says(&drawn, &[needed]);
        let mut asked = request(address);
        asked.caller = Some(caller(&[Capability::GpuView]));
        let drawn = draw(&told(), asked).await;
        assert_eq!(drawn.status, 403, "{address}");
        assert!(
            !drawn.html.contains("payments") && !drawn.html.contains("href=\"/settings/"),
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_manager_of_one_workspace_is_offered_that_workspace() {
    let reach = Reach::Workspaces(BTreeSet::from([7]));
    let limited = || {
        let all = caller(&[]);
        let grants = Capability::ALL.iter().map(|c| (*c, reach.clone())).collect();
        Caller::new(all.kind, "u", "Ann", grants, super::kit::gate())
    };
    let ask = |address: &str| PageRequest { caller: Some(limited()), ..request(address) };
    let grants = draw(&told(), ask("/settings/grants")).await;
    says(&grants, &["<option value=\"7\"", "Remove…"]);
    assert!(!grants.html.contains("value=\"everything\""), "everything is beyond their reach");
    assert!(!grants.html.contains("<option value=\"1\""), "and so is another workspace");
    assert_eq!(grants.html.matches("value=\"remove\"").count(), 1, "the grant on everything stays");
    for address in ["/settings/people", "/settings/people/ada", "/settings/workspaces"] {
        let drawn = draw(&told(), ask(address)).await;
        assert!(!drawn.main().contains("method=\"post\""), "{address}");
        says(&drawn, &["on everything."]);
    }
}

fn refused(form: &'static str, values: &[(&str, &str)], error: ApiError) -> RefusedForm {
    let values = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    RefusedForm { form, values, error }
}

#[tokio::test]
async fn a_refused_form_opens_where_it_stands_with_what_was_typed() {
    let mut asked = request("/settings/people");
    let typed = [("do", "add"), ("login", "ada"), ("email", "a@b")];
    asked.refused = Some(refused("add", &typed, ApiError::Conflict(Conflict::NameTaken)));
    let drawn = draw(&told(), asked).await;
    says(&drawn, &["<details open class=\"confirm\"", "This name is taken.", "value=\"a@b\""]);

    let mut asked = request("/settings/grants");
    let typed = [("do", "remove"), ("grant", "g-2")];
    asked.refused = Some(refused("remove", &typed, ApiError::Conflict(Conflict::LastAdmin)));
    let drawn = draw(&told(), asked).await;
    assert_eq!(
        drawn.html.matches("<details open class=\"confirm\"").count(),
        1,
        "that row's alone"
    );
    says(&drawn, &["This is the last admin"]);

    // What the page does not show any more is told above it.
    for (address, form) in [
        ("/settings/grants", "remove"),
        ("/settings/keys", "revoke"),
        ("/settings/workspaces", "archive"),
        ("/account/keys", "revoke"),
    ] {
        let mut asked = request(address);
        let typed = [("id", "gone"), ("grant", "gone")];
        asked.refused = Some(refused(form, &typed, ApiError::NotFound(Thing::Grant)));
        let drawn = draw(&told(), asked).await;
        assert_eq!(drawn.status, 404, "{address}");
        says(&drawn, &["Not done", "Grant not found."]);
    }
}

#[tokio::test]
async fn what_is_shown_once_is_shown_and_can_be_copied() {
    let link = PasswordLink { link: "https://qd/welcome?link=SECRET".to_owned(), expires_at: NOW };
    let mut asked = request("/settings/people");
    asked.shown = Some(ShownOnce::Link { name: "Ada".to_owned(), link });
    assert!(!format!("{asked:?}").contains("SECRET"), "never in a log");
    says(
        &draw(&told(), asked).await,
        &["https://qd/welcome?link=SECRET", "Hand this link over", "Ada"],
    );
    for address in ["/settings/keys", "/account/keys"] {
        let mut asked = request(address);
        let token = Some(Secret("qd_TOKEN".to_owned()));
        asked.shown = Some(ShownOnce::Key(Box::new(MintedKey { key: key("k", "bot"), token })));
        assert!(!format!("{asked:?}").contains("qd_TOKEN"));
        says(&draw(&told(), asked).await, &["qd_TOKEN", "only this once"]);
    }
}

#[tokio::test]
async fn empty_lists_and_refused_filters_have_a_way_out() {
    let none = Told::default();
    for (address, said) in [
        ("/settings/people", "Nobody yet"),
        ("/settings/grants", "Nothing is granted here"),
        ("/settings/keys", "No keys yet"),
        ("/account/keys", "A key belongs to an account"),
    ] {
        let drawn = draw(&none, request(address)).await;
        assert_eq!(drawn.status, 200, "{address}");
        says(&drawn, &[said]);
        let filtered = draw(&none, request(&format!("{address}?state=lost"))).await;
        if address != "/settings/grants" {
            assert_eq!(filtered.status, 422, "{address}");
            says(&filtered, &["Show all of it"]);
        }
    }
    let gone = draw(&none, request("/settings/people/ada")).await;
    assert_eq!(gone.status, 404);
    says(&gone, &["Show all people"]);
}

#[tokio::test]
async fn nothing_that_was_typed_becomes_markup() {
    for hostile in
        ["</title><script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "\u{202e}gnp"]
    {
        let mut told = told();
        told.people[0] = Person { groups: vec![hostile.to_owned()], ..person("ada", hostile) };
        told.sessions[0].device = Some(hostile.to_owned());
        told.grants[0].subject.name = hostile.to_owned();
        told.grants[0].created_by_name = hostile.to_owned();
        told.keys[0] =
            ApiKey { service_identity: Some(hostile.to_owned()), owner: None, ..key("k", hostile) };
        told.workspaces[1].name = hostile.to_owned();
        told.workspaces[1].tenants[0].name = hostile.to_owned();
        told.configured[0].group = hostile.to_owned();
        for address in PAGES.iter().chain(&["/account/keys"]) {
            let drawn = draw(&told, request(address)).await;
            assert_eq!(drawn.status, 200, "{address}");
            assert!(
                !drawn.html.contains("<script>alert") && !drawn.html.contains("<img"),
                "{address}"
            );
        }
    }
}

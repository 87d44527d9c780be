//! People: added with a link, disabled at once, and never the last admin.

use app::{
    error::{ApiError, Conflict, Thing},
    identity::{
        Capability, Grants, Keys as _, People, Reach, Role,
        model::{ChangePerson, KeyState, NewGrant, NewPerson, SubjectKind},
    },
    list::ListQuery,
};
use server::{identity::rights::Holder, store::Sql};

use super::kit::{Kit, all, key, kits, manage, view, within};

fn new(login: &str) -> NewPerson {
    NewPerson { login: login.to_owned(), display_name: None, email: None }
}

fn disabled(disabled: bool) -> ChangePerson {
    ChangePerson { disabled: Some(disabled), ..ChangePerson::default() }
}

const LAST: ApiError = ApiError::Conflict(Conflict::LastAdmin);

#[tokio::test]
async fn a_new_person_gets_a_link_and_nothing_else() {
    for kit in kits().await {
        let permit = manage(&kit.root()).await.expect("an admin");
        let before = kit.epoch().await;
        let asked = NewPerson {
            display_name: Some(" Ada Lovelace ".to_owned()),
            email: Some("ada@example.com".to_owned()),
            ..new("Ada")
        };
        let (ada, link) = People::add(&*kit.admin, &permit, asked).await.expect("added");
        assert_eq!((ada.login.as_str(), ada.display_name.as_str()), ("ada", "Ada Lovelace"));
        assert!(!ada.has_password);
        assert!(kit.epoch().await > before);
        let token = link.link.rsplit('=').next().expect("a token").to_owned();
        assert!(token.len() >= 43, "{link:?}");
        assert!(!format!("{link:?}").contains(&token), "never in a log");
        let log = kit.audited().await;
        let actions: Vec<&str> = log.iter().map(|(action, _)| action.as_str()).collect();
        assert_eq!(actions, ["identity.person.add", "identity.person.link"]);
        assert!(
            log.iter().all(|(_, said)| !said.contains(&token) && said.contains("identity.manage"))
        );
        assert!(kit.rights_of(&Holder::Person(ada.id.clone())).await.is_empty());

        let again = People::add(&*kit.admin, &permit, new("ADA")).await;
        assert_eq!(again.err(), Some(ApiError::Conflict(Conflict::NameTaken)));
        // A new link ends the one before.
        let other = kit.admin.link(&permit, &ada.id).await.expect("a link");
        assert_ne!(other.link, link.link);
        let links = kit.db.fetch_all(Sql::new("SELECT used_at FROM setup_links")).await;
        assert_eq!(links.expect("rows").len(), 1);
    }
}

#[tokio::test]
async fn what_cannot_be_is_named_and_changes_nothing() {
    for kit in kits().await {
        let permit = manage(&kit.root()).await.expect("an admin");
        let epoch = kit.epoch().await;
        for login in ["", "two words", "a/b", "nul\0", "\u{202e}x"] {
            let refused = People::add(&*kit.admin, &permit, new(login)).await.err();
            assert_eq!(refused.map(|error| error.status()), Some(422), "{login:?}");
        }
        let missing = ApiError::NotFound(Thing::Person);
        let change = kit.admin.change(&permit, "nobody", disabled(true)).await;
        assert_eq!(change.err(), Some(missing.clone()));
        assert_eq!(kit.admin.link(&permit, "nobody").await.err(), Some(missing));
        let session = kit.admin.end_session(&permit, "none").await;
        assert_eq!(session.err(), Some(ApiError::NotFound(Thing::Session)));
        assert_eq!(kit.epoch().await, epoch, "what was refused left nothing behind");
        assert!(kit.actions().await.is_empty());
    }
}

#[tokio::test]
async fn disabling_ends_sessions_and_stops_keys_at_once() {
    for kit in kits().await {
        kit.admin_named("root").await;
        let bob = kit.admin_named("bob").await;
        let cookie = kit.sign_in("bob").await;
        let minted = kit.admin.mint(&bob, key("ci", &[Capability::OperationsView])).await;
        let token = minted.expect("a key").token.expect("shown once").0;
        assert!(kit.is_signed_in(&cookie).await && kit.opens(&token).await);

        let permit = manage(&kit.as_person("root").await).await.expect("an admin");
        kit.admin.change(&permit, "bob", disabled(true)).await.expect("disabled");
        assert!(!kit.is_signed_in(&cookie).await);
        assert!(!kit.opens(&token).await);
        let detail = People::get(&*kit.admin, permit_to_view(&kit).await, "bob").await;
        let detail = detail.expect("there");
        assert!(detail.sessions.is_empty());
        assert_eq!(detail.keys[0].state, KeyState::OwnerDisabled);
        let refused = kit.admin.link(&permit, "bob").await.err();
        assert_eq!(refused, Some(ApiError::Conflict(Conflict::Disabled)));

        kit.admin.change(&permit, "bob", disabled(false)).await.expect("enabled");
        assert!(!kit.is_signed_in(&cookie).await, "what has ended has ended");
        assert!(kit.opens(&token).await);
        let actions = kit.actions().await;
        let last = &actions[actions.len() - 2..];
        assert_eq!(last, ["identity.person.disable", "identity.person.enable"]);
    }
}

async fn permit_to_view(kit: &Kit) -> &'static app::identity::Permit<app::identity::View> {
    Box::leak(Box::new(view(&kit.root()).await))
}

#[tokio::test]
async fn the_last_admin_stays() {
    for kit in kits().await {
        let ada = kit.admin_named("ada").await;
        let permit = manage(&ada).await.expect("an admin");
        let grants = Grants::list(&*kit.admin, &view(&ada).await, &all()).await.expect("a list");
        let grant = &grants.items[0].id;
        assert_eq!(kit.admin.change(&permit, "ada", disabled(true)).await.err(), Some(LAST));
        assert_eq!(kit.admin.remove(&permit, grant).await.err(), Some(LAST));

        // Neither somebody without a password, nor a group in which nobody is, nor a key can take over.
        let (eve, _) = People::add(&*kit.admin, &permit, new("eve")).await.expect("added");
        kit.grant(&ada, &eve.id, Role::Admin, None).await.expect("granted");
        let group = NewGrant {
            subject_kind: SubjectKind::Group,
            subject: "admins".to_owned(),
            role: Role::Admin,
            workspace_id: None,
        };
        Grants::add(&*kit.admin, &permit, group).await.expect("granted");
        let there = kit.workspace("payments").await;
        kit.person("local").await;
        kit.grant(&ada, "local", Role::Admin, Some(there)).await.expect("granted");
        // People of a provider that is not configured cannot sign in.
        kit.person_of_provider("oidc", &["admins"]).await;
        assert_eq!(kit.admin.change(&permit, "ada", disabled(true)).await.err(), Some(LAST));
        assert_eq!(kit.admin.remove(&permit, grant).await.err(), Some(LAST));

        kit.grant(&ada, "local", Role::Admin, None).await.expect("granted");
        kit.admin.remove(&permit, grant).await.expect("somebody else is left");
        assert!(kit.rights_of(&Holder::Person("ada".to_owned())).await.is_empty());
    }
}

/// Two admins against each other: by grant and by grant, by ban and by ban, by grant and by ban.
#[tokio::test]
async fn two_admins_who_remove_each_other_leave_one() {
    for round in 0..3 {
        for kit in kits().await {
            let (ada, bob) = (kit.admin_named("ada").await, kit.admin_named("bob").await);
            let (by_ada, by_bob) =
                (manage(&ada).await.expect("an admin"), manage(&bob).await.expect("an admin"));
            let grants =
                Grants::list(&*kit.admin, &view(&ada).await, &all()).await.expect("a list");
            let of = |id: &str| {
                let found = grants.items.iter().find(|grant| grant.subject.id == id);
                found.expect("granted").id.clone()
            };
            let (of_ada, of_bob) = (of("ada"), of("bob"));
            let one = async {
                if round == 1 {
                    kit.admin.change(&by_ada, "bob", disabled(true)).await.map(|_| ())
                } else {
                    kit.admin.remove(&by_ada, &of_bob).await
                }
            };
            let other = async {
                if round == 0 {
                    kit.admin.remove(&by_bob, &of_ada).await
                } else {
                    kit.admin.change(&by_bob, "ada", disabled(true)).await.map(|_| ())
                }
            };
            let (one, other) = tokio::join!(one, other);
            let outcomes = [one, other];
            let lost = outcomes.iter().filter(|o| **o == Err(LAST)).count();
            let won = outcomes.iter().filter(|o| o.is_ok()).count();
            assert_eq!((won, lost), (1, 1), "round {round}: {outcomes:?}");
        }
    }
}

/// Whoever holds the link to a password is that person; whoever lets them in again gives back what they held.
#[tokio::test]
async fn a_part_of_an_admin_does_not_become_one_by_a_link() {
    for kit in kits().await {
        kit.admin_named("root").await;
        kit.admin_named("ada").await;
        let part = kit
            .holding(&[Capability::IdentityView, Capability::IdentityManage], &Reach::Everything);
        let permit = manage(&part).await.expect("may manage identity");
        let missing = ApiError::Forbidden(Capability::AccessSystemPanel);
        assert_eq!(kit.admin.link(&permit, "ada").await.err(), Some(missing.clone()));
        kit.admin.change(&permit, "ada", disabled(true)).await.expect("taking away is no gain");
        let back = kit.admin.change(&permit, "ada", disabled(false)).await;
        assert_eq!(back.err(), Some(missing));
        assert_eq!(kit.refusals().len(), 2, "both refusals are told");
        kit.person("plain").await;
        kit.admin.link(&permit, "plain").await.expect("nothing to gain");
    }
}

#[tokio::test]
async fn who_manages_a_workspace_changes_nobody_and_sees_who_is_there() {
    for kit in kits().await {
        let (here, there) = (kit.workspace("here").await, kit.workspace("there").await);
        let root = kit.admin_named("root").await;
        for (id, place) in [("ann", here), ("ben", there)] {
            kit.person(id).await;
            kit.grant(&root, id, Role::Operator, Some(place)).await.expect("granted");
        }
        kit.person_of_provider("gil", &["team"]).await;
        let team = NewGrant {
            subject_kind: SubjectKind::Group,
            subject: "team".to_owned(),
            role: Role::Auditor,
            workspace_id: Some(here),
        };
        let permit = manage(&root).await.expect("an admin");
        Grants::add(&*kit.admin, &permit, team).await.expect("granted");
        kit.sign_in("ann").await;

        let limited = kit.holding(Capability::ALL, &within(here));
        let seen = view(&limited).await;
        let page = People::list(&*kit.admin, &seen, &all()).await.expect("a list");
        let names: Vec<&str> = page.items.iter().map(|person| person.id.as_str()).collect();
        assert_eq!((names, page.total), (vec!["ann", "gil"], 2));
        let ann = People::get(&*kit.admin, &seen, "ann").await.expect("within reach");
        assert!(
            ann.sessions.is_empty(),
            "where somebody sits is not the business of one workspace"
        );
        let ben = People::get(&*kit.admin, &seen, "ben").await;
        assert_eq!(ben.err(), Some(ApiError::NotFound(Thing::Person)));

        let permit = manage(&limited).await.expect("may manage there");
        let refused = ApiError::Forbidden(Capability::IdentityManage);
        let add = People::add(&*kit.admin, &permit, new("mole")).await.err();
        let ban = kit.admin.change(&permit, "ann", disabled(true)).await.err();
        let link = kit.admin.link(&permit, "ann").await.err();
        let end = kit.admin.end_session(&permit, "any").await.err();
        assert_eq!([add, ban, link, end], [(); 4].map(|()| Some(refused.clone())));
        assert_eq!(kit.refusals().len(), 4);
    }
}

#[tokio::test]
async fn the_provider_decides_about_its_own() {
    for kit in kits().await {
        let permit = manage(&kit.admin_named("root").await).await.expect("an admin");
        kit.person_of_provider("gil", &[]).await;
        let rename =
            ChangePerson { display_name: Some("Other".to_owned()), ..ChangePerson::default() };
        let theirs = Some(ApiError::Conflict(Conflict::FromProvider));
        assert_eq!(kit.admin.change(&permit, "gil", rename.clone()).await.err(), theirs);
        assert_eq!(kit.admin.link(&permit, "gil").await.err(), theirs);
        kit.admin.change(&permit, "gil", disabled(true)).await.expect("but not about this console");
        let root = kit.admin.change(&permit, "root", rename).await.expect("renamed");
        assert_eq!(root.display_name, "Other");
    }
}

#[tokio::test]
async fn the_list_finds_and_pages() {
    for kit in kits().await {
        for n in 0..5 {
            kit.person(&format!("p{n}")).await;
        }
        kit.person_of_provider("gil", &["team_a", "team"]).await;
        let permit = view(&kit.root()).await;
        let ask = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            ListQuery::parse(app::identity::model::PEOPLE_FILTERS, pairs).expect("a query")
        };
        let found = async |pairs: &[(&str, &str)]| {
            let page = People::list(&*kit.admin, &permit, &ask(pairs)).await.expect("a list");
            page.items.into_iter().map(|person| person.id).collect::<Vec<_>>()
        };
        assert_eq!(found(&[("source", "oidc")]).await, ["gil"]);
        assert_eq!(found(&[("group", "team_a")]).await, ["gil"]);
        assert_eq!(found(&[("q", "THE P3")]).await, ["p3"]);
        assert!(found(&[("q", "%")]).await.is_empty(), "a search is taken literally");
        assert!(found(&[("state", "disabled")]).await.is_empty());
        let first = People::list(&*kit.admin, &permit, &ask(&[("page_size", "4")])).await;
        let first = first.expect("a page");
        assert_eq!((first.items.len(), first.total, first.total_pages), (4, 6, 2));
        let cursor = first.next_cursor.expect("there is more");
        let rest = found(&[("page_size", "4"), ("cursor", &cursor)]).await;
        assert_eq!(rest.len(), 2);
        assert!(first.items.iter().all(|person| !rest.contains(&person.id)));
    }
}

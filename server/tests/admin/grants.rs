//! Grants: given by who holds them, where they hold them; taken back; effective with the next request.

use app::{
    error::{ApiError, Conflict, Thing},
    identity::{
        Capability, Grants as _, Keys as _, Reach, Role,
        model::{GRANT_FILTERS, NewGrant, SubjectKind},
    },
    list::ListQuery,
};
use server::identity::rights::Holder;

use super::kit::{Administration as _, all, key, kits, manage, view, within};

fn to_group(group: &str, role: Role, workspace_id: Option<i64>) -> NewGrant {
    NewGrant { subject_kind: SubjectKind::Group, subject: group.to_owned(), role, workspace_id }
}

#[tokio::test]
async fn a_grant_counts_from_the_next_request_on_and_once() {
    for kit in kits().await {
        let root = kit.root();
        kit.person("ann").await;
        let holder = Holder::Person("ann".to_owned());
        let epoch = kit.epoch().await;
        let none = kit.rights.of(&holder, epoch).await.expect("rights");
        assert!(none.is_empty());
        let grant = kit.grant(&root, "ANN", Role::Operator, None).await.expect("granted by login");
        assert_eq!(grant.subject.name, "The ann");
        let moved = kit.epoch().await;
        assert!(moved > epoch);
        let rights = kit.rights.of(&holder, moved).await.expect("rights");
        assert!(rights.contains(&(Capability::DebugUse, Reach::Everything)));

        let twice = kit.grant(&root, "ann", Role::Operator, None).await;
        assert_eq!(twice.err(), Some(ApiError::Conflict(Conflict::AlreadyGranted)));
        let there = kit.workspace("there").await;
        kit.grant(&root, "ann", Role::Operator, Some(there)).await.expect("another place");
        let twice = kit.grant(&root, "ann", Role::Operator, Some(there)).await;
        assert_eq!(twice.err(), Some(ApiError::Conflict(Conflict::AlreadyGranted)));

        let permit = manage(&root).await.expect("an admin");
        kit.admin.remove(&permit, &grant.id).await.expect("removed");
        let gone = kit.admin.remove(&permit, &grant.id).await;
        assert_eq!(gone.err(), Some(ApiError::NotFound(Thing::Grant)));
        let rights = kit.rights.of(&holder, kit.epoch().await).await.expect("rights");
        assert!(rights.contains(&(Capability::DebugUse, within(there))));
        let actions = kit.actions().await;
        assert_eq!(actions, ["identity.grant.add", "identity.grant.add", "identity.grant.remove"]);
    }
}

#[tokio::test]
async fn nobody_gives_more_than_they_hold_nor_elsewhere() {
    for kit in kits().await {
        let (here, there) = (kit.workspace("here").await, kit.workspace("there").await);
        kit.person("ann").await;
        kit.person("mole").await;
        kit.grant(&kit.root(), "ann", Role::Admin, Some(here)).await.expect("granted");
        let ann = kit.as_person("ann").await;

        kit.grant(&ann, "mole", Role::Admin, Some(here)).await.expect("what she holds, where");
        let everything = kit.grant(&ann, "mole", Role::Auditor, None).await;
        assert_eq!(everything.err(), Some(ApiError::Forbidden(Capability::IdentityManage)));
        for forged in [there, 1, 0, -1, i64::MAX] {
            let elsewhere = kit.grant(&ann, "mole", Role::Auditor, Some(forged)).await;
            assert_eq!(elsewhere.err(), Some(ApiError::NotFound(Thing::Workspace)), "{forged}");
        }
        assert_eq!(kit.refusals(), [Capability::IdentityManage]);

        // A key of an admin, with a part of an admin's capabilities.
        let part = [Capability::IdentityView, Capability::IdentityManage];
        let part = kit.holding(&part, &Reach::Everything);
        for role in [Role::Auditor, Role::Operator, Role::Admin] {
            let more = kit.grant(&part, "mole", role, None).await;
            assert_eq!(more.err(), Some(ApiError::Forbidden(Capability::AccessSystemPanel)));
        }
        // Wide in one capability, narrow in the others.
        let mixed: Vec<_> = Capability::ALL
            .iter()
            .map(|c| match c {
                Capability::IdentityManage => (*c, Reach::Everything),
                _ => (*c, within(here)),
            })
            .collect();
        let mixed = app::identity::Caller::new(
            app::identity::CallerKind::User,
            "x",
            "x",
            mixed,
            kit.gate(),
        );
        assert!(kit.grant(&mixed, "mole", Role::Auditor, None).await.is_err());
        assert!(kit.grant(&mixed, "mole", Role::Auditor, Some(there)).await.is_err());
        assert_eq!(
            kit.rights_of(&Holder::Person("mole".to_owned())).await.len(),
            Capability::ALL.len()
        );
        for (_, reach) in kit.rights_of(&Holder::Person("mole".to_owned())).await {
            assert_eq!(reach, within(here));
        }
    }
}

#[tokio::test]
async fn a_manager_of_a_workspace_takes_back_what_is_there_and_sees_no_more() {
    for kit in kits().await {
        let (here, there) = (kit.workspace("here").await, kit.workspace("there").await);
        kit.person("ann").await;
        let root = kit.root();
        let own = kit.grant(&root, "ann", Role::Auditor, Some(here)).await.expect("granted");
        let other = kit.grant(&root, "ann", Role::Auditor, Some(there)).await.expect("granted");
        let all_of_it = kit.grant(&root, "ann", Role::Auditor, None).await.expect("granted");

        let limited = kit.holding(Capability::ALL, &within(here));
        let page = kit.admin.list_grants(&limited).await;
        assert_eq!(page, vec![own.id.clone()]);
        let permit = manage(&limited).await.expect("may manage there");
        for beyond in [&other.id, &all_of_it.id] {
            let refused = kit.admin.remove(&permit, beyond).await;
            assert_eq!(refused.err(), Some(ApiError::NotFound(Thing::Grant)));
        }
        kit.admin.remove(&permit, &own.id).await.expect("removed");
        assert!(kit.admin.list_grants(&limited).await.is_empty());
        assert_eq!(kit.admin.list_grants(&root).await.len(), 2);
    }
}

trait Ids {
    async fn list_grants(&self, caller: &app::identity::Caller) -> Vec<String>;
}

impl Ids for server::identity::admin::Admin {
    async fn list_grants(&self, caller: &app::identity::Caller) -> Vec<String> {
        let page = app::identity::Grants::list(self, &view(caller).await, &all()).await;
        page.expect("a list").items.into_iter().map(|grant| grant.id).collect()
    }
}

#[tokio::test]
async fn only_who_is_there_and_may_take_something_gets_a_grant() {
    for kit in kits().await {
        let root = kit.root();
        let gone = kit.grant(&root, "nobody", Role::Auditor, None).await;
        assert_eq!(gone.err(), Some(ApiError::NotFound(Thing::Person)));
        let owner = kit.admin_named("owner").await;
        let mine = kit.admin.mint(&owner, key("mine", &[Capability::GpuView])).await;
        let to_key = |id: &str| NewGrant {
            subject_kind: SubjectKind::ApiKey,
            subject: id.to_owned(),
            role: Role::Auditor,
            workspace_id: None,
        };
        let missing = Some(ApiError::NotFound(Thing::ApiKey));
        let mine = mine.expect("a key").key.id;
        assert_eq!(kit.admin.add_grant(&root, to_key(&mine)).await.err(), missing);
        assert_eq!(kit.admin.add_grant(&root, to_key("none")).await.err(), missing);
        for group in ["", "   ", "two\nlines", &"g".repeat(201)] {
            let refused = kit.admin.add_grant(&root, to_group(group, Role::Auditor, None)).await;
            assert_eq!(refused.expect_err(group).status(), 422);
        }
        let unknown = kit.admin.add_grant(&root, to_group("sre", Role::Auditor, Some(999))).await;
        assert_eq!(unknown.err(), Some(ApiError::NotFound(Thing::Workspace)));
        let query = [("subject_kind".to_owned(), "group".to_owned())];
        let query = ListQuery::parse(GRANT_FILTERS, query).expect("a query");
        kit.admin.add_grant(&root, to_group("sre", Role::Auditor, None)).await.expect("granted");
        let page = app::identity::Grants::list(&*kit.admin, &view(&root).await, &query).await;
        assert_eq!(page.expect("a list").items[0].subject.id, "sre");
    }
}

//! Workspaces: made, renamed, archived; archived ones take nothing new.

use app::{
    error::{ApiError, Conflict, Thing},
    identity::{Caller, Capability, Keys as _, Permit, Role, permit},
    list::ListQuery,
    settings::Manage,
    workspaces::{
        Workspaces as _,
        model::{FILTERS, NewTenant, NewWorkspace},
    },
};

use super::kit::{all, key, kits, view, within};

async fn manage(caller: &Caller) -> Permit<Manage> {
    permit::<Manage>(caller).await.expect("may change settings")
}

fn named(name: &str) -> NewWorkspace {
    NewWorkspace { name: name.to_owned() }
}

#[tokio::test]
async fn a_workspace_is_made_renamed_and_archived() {
    for kit in kits().await {
        let root = kit.root();
        let permit = manage(&root).await;
        let epoch = kit.epoch().await;
        let made = kit.workspaces.create(&permit, named(" Payments ")).await.expect("made");
        assert_eq!(made.name, "Payments");
        let taken = Some(ApiError::Conflict(Conflict::NameTaken));
        assert_eq!(kit.workspaces.create(&permit, named("Payments")).await.err(), taken);
        assert_eq!(kit.workspaces.rename(&permit, made.id, "platform").await.err(), taken);
        kit.workspaces.rename(&permit, made.id, "payments-eu").await.expect("renamed");
        kit.workspaces.rename(&permit, made.id, "payments-eu").await.expect("is called so");
        kit.workspaces.archive(&permit, made.id).await.expect("archived");
        kit.workspaces.archive(&permit, made.id).await.expect("is archived");
        assert!(kit.epoch().await > epoch);
        let found = kit.workspaces.get(&view(&root).await, made.id).await.expect("there");
        assert!(found.archived_at.is_some() && found.name == "payments-eu");
        assert_eq!(
            kit.actions().await,
            [
                "platform.workspace.create",
                "platform.workspace.rename",
                "platform.workspace.archive"
            ]
        );

        let built_in = Some(ApiError::Conflict(Conflict::BuiltIn));
        assert_eq!(kit.workspaces.archive(&permit, 1).await.err(), built_in);
        assert_eq!(kit.workspaces.rename(&permit, 1, "mine").await.err(), built_in);
        let missing = Some(ApiError::NotFound(Thing::Workspace));
        assert_eq!(kit.workspaces.archive(&permit, 999).await.err(), missing);
        for bad in ["", " ", "two\nlines", &"x".repeat(81)] {
            let refused = kit.workspaces.create(&permit, named(bad)).await.expect_err(bad);
            assert_eq!(refused.status(), 422);
        }
    }
}

#[tokio::test]
async fn what_is_archived_takes_nothing_new() {
    for kit in kits().await {
        let root = kit.root();
        let permit = manage(&root).await;
        let made = kit.workspaces.create(&permit, named("old")).await.expect("made");
        kit.person("ann").await;
        let new = |name: &str| NewTenant { workspace_id: made.id, name: name.to_owned() };
        let tenant = kit.workspaces.create_tenant(&permit, new("one")).await.expect("made");
        kit.workspaces.archive(&permit, made.id).await.expect("archived");
        let archived = Some(ApiError::Conflict(Conflict::Archived));
        assert_eq!(kit.workspaces.create_tenant(&permit, new("two")).await.err(), archived);
        assert_eq!(kit.grant(&root, "ann", Role::Auditor, Some(made.id)).await.err(), archived);
        let asked = app::identity::model::NewKey {
            workspace_id: Some(made.id),
            service_identity: Some("s".to_owned()),
            ..key("k", &[Capability::GpuView])
        };
        assert_eq!(kit.admin.mint(&root, asked).await.err(), archived);
        let seen = kit.workspaces.get(&view(&root).await, made.id).await.expect("to be read");
        assert_eq!(seen.tenants[0].id, tenant.id);
        let query = ListQuery::parse(FILTERS, [("state".to_owned(), "archived".to_owned())]);
        let page = kit.workspaces.list(&view(&root).await, &query.expect("a query")).await;
        assert_eq!(page.expect("a list").total, 1);
    }
}

#[tokio::test]
async fn a_tenant_belongs_to_its_workspace() {
    for kit in kits().await {
        let root = kit.root();
        let permit = manage(&root).await;
        let (here, there) = (kit.workspace("here").await, kit.workspace("there").await);
        let new = |workspace_id| NewTenant { workspace_id, name: "one".to_owned() };
        let one = kit.workspaces.create_tenant(&permit, new(here)).await.expect("made");
        let other = kit.workspaces.create_tenant(&permit, new(there)).await.expect("elsewhere");
        let taken = Some(ApiError::Conflict(Conflict::NameTaken));
        assert_eq!(kit.workspaces.create_tenant(&permit, new(here)).await.err(), taken);
        let gone = kit.workspaces.create_tenant(&permit, new(999)).await.err();
        assert_eq!(gone, Some(ApiError::NotFound(Thing::Workspace)));
        kit.workspaces.rename_tenant(&permit, one.id, "two").await.expect("renamed");
        kit.workspaces.archive_tenant(&permit, one.id).await.expect("archived");
        let missing = ApiError::NotFound(Thing::Tenant);
        let refused = kit.workspaces.rename_tenant(&permit, 999, "x").await;
        assert_eq!(refused.err(), Some(missing.clone()));

        // Who reaches one workspace sees it alone and changes nothing.
        let limited = kit.holding(Capability::ALL, &within(here));
        let seen = view(&limited).await;
        let page = kit.workspaces.list(&seen, &all()).await.expect("a list");
        assert_eq!(page.items.iter().map(|w| w.id).collect::<Vec<_>>(), [here]);
        assert_eq!(kit.workspaces.tenants(&seen, &all()).await.expect("a list").total, 1);
        assert_eq!(kit.workspaces.tenant(&seen, other.id).await.err(), Some(missing));
        let elsewhere = kit.workspaces.get(&seen, there).await.err();
        assert_eq!(elsewhere, Some(ApiError::NotFound(Thing::Workspace)));
        let permit = manage(&limited).await;
        let refused = Some(ApiError::Forbidden(Capability::SettingsManage));
        assert_eq!(kit.workspaces.create(&permit, named("mine")).await.err(), refused);
        assert_eq!(kit.workspaces.archive(&permit, here).await.err(), refused);
        assert_eq!(kit.workspaces.archive_tenant(&permit, one.id).await.err(), refused);
        assert_eq!(kit.refusals().len(), 3);
    }
}

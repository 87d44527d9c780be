//! Keys: shown once, stored hashed, never more than their maker, ended with their owner, their time and their maker.

use std::time::Duration;

use app::{
    error::{ApiError, Conflict, Thing},
    identity::{
        Caller, CallerKind, Capability, Grants as _, Keys, Reach, Role,
        model::{KeyState, MintedKey, NewGrant, NewKey, Secret, SubjectKind},
    },
};
use server::{
    identity::rights::{Holder, narrowed},
    store::Sql,
};

use super::kit::{Administration as _, Kit, NOW, all, key, kits, manage, view, within};

fn token(minted: &MintedKey) -> String {
    minted.token.as_ref().expect("shown once").0.clone()
}

fn service(name: &str, capabilities: &[Capability]) -> NewKey {
    NewKey { service_identity: Some(format!("the {name}")), ..key(name, capabilities) }
}

/// The key itself as a caller, with what it may do now.
async fn as_key(kit: &Kit, minted: &MintedKey) -> Caller {
    let key = &minted.key;
    let holder = match &key.owner {
        Some(owner) => Holder::Person(owner.id.clone()),
        None => Holder::Key(key.id.clone()),
    };
    let rights = kit.rights_of(&holder).await;
    let place = key.workspace.as_ref().map(|workspace| workspace.id);
    let rights = narrowed(&rights, &key.capabilities, place);
    let mut caller = Caller::new(CallerKind::ApiKey, &key.id, &key.name, rights, kit.gate());
    caller.on_behalf_of = key.owner.as_ref().map(|owner| owner.id.clone());
    caller.service_identity.clone_from(&key.service_identity);
    caller
}

#[tokio::test]
async fn a_key_is_shown_once_and_kept_as_a_hash() {
    for kit in kits().await {
        let ann = kit.admin_named("ann").await;
        let asked = NewKey { expires_in_days: Some(2), ..key(" ci ", &[Capability::GpuView]) };
        let minted = kit.admin.mint(&ann, asked).await.expect("a key");
        let secret = token(&minted);
        assert!(secret.starts_with("qd_") && secret.len() == 46);
        assert_eq!((minted.key.name.as_str(), minted.key.prefix.as_str()), ("ci", &secret[..9]));
        assert!(!format!("{minted:?}").contains(&secret));
        assert!(kit.opens(&secret).await);
        let row = Sql::new("SELECT name, prefix, capabilities, token_hash FROM api_keys");
        let row = kit.db.fetch_one(row).await.expect("a row");
        assert_ne!(row.bytes("token_hash").expect("a hash"), secret.as_bytes());
        let log = kit.audited().await;
        let (action, said) = log.last().expect("it is in the log");
        assert_eq!(action, "identity.key.mint");
        assert!(said.contains("gpu.view") && !said.contains(&secret[9..]), "{said}");

        kit.hand.advance(Duration::from_hours(48));
        assert!(!kit.opens(&secret).await, "its time is over");
        let page = Keys::list(&*kit.admin, &view(&ann).await, &all()).await.expect("a list");
        assert_eq!(page.items[0].state, KeyState::Expired);
    }
}

#[tokio::test]
async fn a_key_has_no_more_than_who_makes_it() {
    for kit in kits().await {
        let there = kit.workspace("there").await;
        kit.person("ann").await;
        kit.grant(&kit.root(), "ann", Role::Operator, Some(there)).await.expect("granted");
        let ann = kit.as_person("ann").await;
        let more = kit
            .admin
            .mint(
                &ann,
                key("k", &[Capability::GpuView, Capability::AuditView, Capability::IdentityManage]),
            )
            .await;
        assert_eq!(more.err(), Some(ApiError::Forbidden(Capability::IdentityManage)));
        assert_eq!(kit.refusals(), [Capability::IdentityManage]);
        for forged in [1, 0, -7, 999] {
            let asked = NewKey { workspace_id: Some(forged), ..key("k", &[Capability::GpuView]) };
            let refused = kit.admin.mint(&ann, asked).await;
            assert_eq!(refused.err(), Some(ApiError::NotFound(Thing::Workspace)), "{forged}");
        }
        let refused = kit.admin.mint(&ann, service("svc", &[Capability::GpuView])).await;
        assert_eq!(refused.err(), Some(ApiError::Forbidden(Capability::IdentityManage)));
        let import =
            NewKey { key: Some(Secret("k".repeat(20))), ..key("k", &[Capability::GpuView]) };
        assert!(kit.admin.mint(&ann, import).await.is_err(), "taking a key over is for admins");
        assert!(kit.admin.mint(&ann, key("k", &[])).await.is_err(), "a key for nothing");

        let own = kit.admin.mint(&ann, key("own", &[Capability::GpuView])).await.expect("a key");
        let may = as_key(&kit, &own).await;
        assert_eq!(may.reach(Capability::GpuView), Some(within(there)));
        assert_eq!(may.capabilities(), [Capability::GpuView]);
        // What the owner loses, the key loses.
        let grants =
            app::identity::Grants::list(&*kit.admin, &view(&kit.root()).await, &all()).await;
        let permit = manage(&kit.root()).await.expect("an admin");
        kit.admin.remove(&permit, &grants.expect("a list").items[0].id).await.expect("removed");
        assert!(as_key(&kit, &own).await.capabilities().is_empty());
    }
}

#[tokio::test]
async fn a_key_makes_no_key_beyond_itself() {
    for kit in kits().await {
        let (here, there) = (kit.workspace("here").await, kit.workspace("there").await);
        let ann = kit.admin_named("ann").await;
        let narrow = NewKey {
            workspace_id: Some(here),
            expires_in_days: Some(1),
            ..key("narrow", &[Capability::GpuView])
        };
        let narrow = kit.admin.mint(&ann, narrow).await.expect("a key");
        let caller = as_key(&kit, &narrow).await;
        let mint = async |new: NewKey| kit.admin.mint(&caller, new).await;
        let wide = mint(key("wide", &[Capability::GpuView])).await;
        assert_eq!(wide.err(), Some(ApiError::Forbidden(Capability::GpuView)), "everything");
        let asked = NewKey { workspace_id: Some(there), ..key("k", &[Capability::GpuView]) };
        assert_eq!(mint(asked).await.err(), Some(ApiError::NotFound(Thing::Workspace)));
        let asked = NewKey { workspace_id: Some(here), ..key("k", &[Capability::FleetView]) };
        assert_eq!(mint(asked).await.err(), Some(ApiError::Forbidden(Capability::FleetView)));

        // What it may make ends no later than it does, whatever was asked for.
        let asked = NewKey { workspace_id: Some(here), ..key("child", &[Capability::GpuView]) };
        let child = mint(asked).await.expect("a key");
        assert_eq!(child.key.expires_at, narrow.key.expires_at);
        assert_eq!(child.key.owner.as_ref().map(|owner| owner.id.as_str()), Some("ann"));

        // Nor does it revoke what it did not make; its own end is the end of what it made.
        let other =
            kit.admin.mint(&ann, key("other", &[Capability::GpuView])).await.expect("a key");
        let refused = kit.admin.revoke_own(&caller, &other.key.id).await;
        assert_eq!(refused.err(), Some(ApiError::NotFound(Thing::ApiKey)));
        kit.admin.revoke_own(&ann, &narrow.key.id).await.expect("revoked");
        assert!(!kit.opens(&token(&narrow)).await && !kit.opens(&token(&child)).await);
        assert!(kit.opens(&token(&other)).await);
        let stale = NewKey { workspace_id: Some(here), ..key("late", &[Capability::GpuView]) };
        assert_eq!(mint(stale).await.err(), Some(ApiError::SignIn), "a revoked key makes none");
    }
}

#[tokio::test]
async fn a_service_has_the_grants_of_its_key_and_no_more_than_was_ticked() {
    for kit in kits().await {
        let (here, there) = (kit.workspace("here").await, kit.workspace("there").await);
        let root = kit.root();
        let ticked = [Capability::OperationsView, Capability::IdentityManage];
        let bot = kit.admin.mint(&root, service("bot", &ticked)).await.expect("a key");
        assert!(bot.key.owner.is_none());
        assert!(as_key(&kit, &bot).await.capabilities().is_empty(), "nothing is granted yet");
        let grant = NewGrant {
            subject_kind: SubjectKind::ApiKey,
            subject: bot.key.id.clone(),
            role: Role::Auditor,
            workspace_id: Some(here),
        };
        kit.admin.add_grant(&root, grant).await.expect("granted");
        let caller = as_key(&kit, &bot).await;
        assert_eq!(caller.capabilities(), [Capability::OperationsView]);
        assert_eq!(caller.reach(Capability::OperationsView), Some(within(here)));
        assert!(Keys::find_owner(&*kit.admin, &caller).await.expect("an answer").is_none());
        let own = kit
            .admin
            .mint(
                &caller,
                NewKey { workspace_id: Some(here), ..key("k", &[Capability::OperationsView]) },
            )
            .await;
        assert_eq!(own.err(), Some(ApiError::NotFound(Thing::Person)), "nobody owns it");

        // Who manages a workspace makes services there, with what they hold.
        let limited = kit.holding(Capability::ALL, &within(here));
        let wide = kit.admin.mint(&limited, service("w", &[Capability::GpuView])).await;
        assert_eq!(wide.err(), Some(ApiError::Forbidden(Capability::IdentityManage)));
        let at = |id| NewKey { workspace_id: Some(id), ..service("w", &[Capability::GpuView]) };
        let elsewhere = kit.admin.mint(&limited, at(there)).await;
        assert_eq!(elsewhere.err(), Some(ApiError::NotFound(Thing::Workspace)));
        let made = kit.admin.mint(&limited, at(here)).await.expect("a key");
        let permit = manage(&limited).await.expect("may manage there");
        let beyond = kit.admin.revoke(&permit, &bot.key.id).await;
        assert_eq!(beyond.err(), Some(ApiError::NotFound(Thing::ApiKey)));
        kit.admin.revoke(&permit, &made.key.id).await.expect("revoked");
        let seen = Keys::list(&*kit.admin, &view(&limited).await, &all()).await.expect("a list");
        assert_eq!(seen.items.len(), 1, "the keys of that workspace alone");
        let part = [Capability::IdentityManage, Capability::IdentityView];
        let part = kit.holding(&part, &Reach::Everything);
        let more = kit.admin.mint(&part, service("s", &[Capability::FleetManage])).await;
        assert_eq!(more.err(), Some(ApiError::Forbidden(Capability::FleetManage)));
    }
}

#[tokio::test]
async fn an_existing_key_is_taken_over_once() {
    for kit in kits().await {
        let root = kit.root();
        let existing = "legacy key, of 004!";
        let import = |key: &str| NewKey {
            key: Some(Secret(key.to_owned())),
            ..service("debug", &[Capability::DebugUse])
        };
        let taken = kit.admin.mint(&root, import(existing)).await.expect("taken over");
        assert!(taken.token.is_none(), "nobody needs to be told");
        assert_eq!(taken.key.prefix, "lega");
        assert!(kit.opens(existing).await);
        let again = kit.admin.mint(&root, import(existing)).await;
        assert_eq!(again.err(), Some(ApiError::Conflict(Conflict::KeyKnown)));
        for bad in
            ["fifteen letters", &"k".repeat(257), "a key with an é in it", "tab\tin a long key"]
        {
            let refused = kit.admin.mint(&root, import(bad)).await.expect_err(bad);
            assert_eq!(refused.status(), 422, "{bad}");
            assert!(!refused.to_string().contains(bad));
        }
        let log = kit.audited().await;
        assert_eq!(log.len(), 1);
        assert_eq!(log[0].0, "identity.key.import");
        assert!(!log[0].1.contains("legacy"));
    }
}

#[tokio::test]
async fn who_is_disabled_makes_no_key_and_revoking_twice_is_revoking() {
    for kit in kits().await {
        kit.admin_named("root").await;
        let ann = kit.admin_named("ann").await;
        let minted = kit.admin.mint(&ann, key("k", &[Capability::GpuView])).await.expect("a key");
        let permit = manage(&kit.root()).await.expect("an admin");
        kit.admin.revoke(&permit, &minted.key.id).await.expect("revoked");
        kit.admin.revoke(&permit, &minted.key.id).await.expect("is revoked");
        assert!(!kit.opens(&token(&minted)).await);
        let revocations =
            kit.actions().await.iter().filter(|a| *a == "identity.key.revoke").count();
        assert_eq!(revocations, 1);
        let change =
            app::identity::model::ChangePerson { disabled: Some(true), ..Default::default() };
        app::identity::People::change(&*kit.admin, &permit, "ann", change).await.expect("disabled");
        let late = kit.admin.mint(&ann, key("late", &[Capability::GpuView])).await;
        assert_eq!(late.err(), Some(ApiError::Conflict(Conflict::Disabled)));
        let nobody = kit.admin.mint(&kit.root(), key("k", &[Capability::GpuView])).await;
        assert_eq!(nobody.err(), Some(ApiError::NotFound(Thing::Person)), "no account, no own key");
        let past = NewKey { expires_at: Some(NOW), ..service("s", &[Capability::GpuView]) };
        assert_eq!(kit.admin.mint(&kit.root(), past).await.expect_err("over").status(), 422);
    }
}

//! Saved views: one's own for whoever is a person, shared ones for who manages operations in the workspace
//! (DECIDED 4). Each change is audited.

use app::{
    error::{ApiError, Conflict, Rule, Thing},
    identity::{Caller, CallerKind, Capability, Permit, refuse},
    list::{ListQuery, Page},
    operations::{
        SavedViews, View,
        saved_views::{NewSavedView, SavedView, canonical, name},
    },
    workspaces::model::PLATFORM,
};
use async_trait::async_trait;

use super::{
    OperationsService,
    store::{
        self, refused,
        saved_views::{self as views, NewView, Seen},
    },
};
use crate::{
    journal::AuditRow,
    store::{StoreError, Tx},
};

const MISSING: ApiError = ApiError::NotFound(Thing::SavedView);

/// The person whose views are meant: who asks, or whose key does.
fn person_of(caller: &Caller) -> Option<&str> {
    match caller.kind {
        CallerKind::User => Some(&caller.id),
        CallerKind::ApiKey => caller.on_behalf_of.as_deref(),
        _ => None,
    }
}

fn seen(permit: &Permit<View>) -> Seen<'_> {
    Seen { reach: permit.reach(), owner: person_of(permit.caller()) }
}

fn manages(caller: &Caller, workspace_id: i64) -> bool {
    let reach = caller.reach(Capability::OperationsManage);
    reach.is_some_and(|reach| reach.includes(workspace_id))
}

/// Shared ones are everybody's, so who manages operations decides; one's own nobody else sees.
fn may_change(caller: &Caller, view: &SavedView) -> bool {
    !view.shared || manages(caller, view.workspace.id)
}

/// The view as this caller sees it.
fn shown(caller: &Caller, view: SavedView) -> SavedView {
    SavedView { changeable: may_change(caller, &view), ..view }
}

#[async_trait]
impl SavedViews for OperationsService {
    async fn list(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
    ) -> Result<Page<SavedView>, ApiError> {
        let found = views::list(&self.base.db, &seen(permit), query).await.map_err(refused)?;
        let items = found.items.into_iter().map(|view| shown(permit.caller(), view)).collect();
        Ok(Page { items, ..found })
    }

    async fn create(
        &self,
        permit: &Permit<View>,
        new: NewSavedView,
    ) -> Result<SavedView, ApiError> {
        let caller = permit.caller();
        let (typed, query) = (name(&new.name)?, canonical(new.list, &new.query)?);
        let workspace_id = new.workspace_id.unwrap_or(PLATFORM);
        permit.within(Some(workspace_id)).await?;
        if new.shared && !manages(caller, workspace_id) {
            return Err(refuse(caller, Capability::OperationsManage).await);
        }
        let owner = match person_of(caller) {
            Some(person) => person,
            None if new.shared => &caller.id,
            None => {
                let allowed = vec!["true".to_owned()];
                return Err(ApiError::invalid("shared", Rule::OneOf { allowed }));
            }
        };
        let place = store::find_workspace(&self.base.db, workspace_id).await.map_err(refused)?;
        if place.ok_or(ApiError::NotFound(Thing::Workspace))?.archived {
            return Err(ApiError::Conflict(Conflict::Archived));
        }
        let id = self.base.rng.uuid();
        let stored = NewView {
            id: &id,
            workspace_id,
            list: new.list,
            name: &typed,
            query: &query,
            shared: new.shared,
            owner_id: owner,
            owner_name: &caller.name,
        };
        let mut tx = self.base.db.begin().await.map_err(refused)?;
        if !views::insert(&mut tx, &stored).await.map_err(refused)? {
            return Err(ApiError::Conflict(Conflict::NameTaken));
        }
        let whose = Seen { reach: permit.reach(), owner: Some(owner) };
        let made = views::find_in(&mut tx, &whose, &id).await.map_err(refused)?.ok_or(MISSING)?;
        let row = audited(caller, "platform.saved_views.create", &made);
        tx.commit(vec![row.detail("query", query.as_str())]).await.map_err(refused)?;
        Ok(shown(caller, made))
    }

    async fn rename(
        &self,
        permit: &Permit<View>,
        id: &str,
        typed: &str,
    ) -> Result<SavedView, ApiError> {
        let typed = name(typed)?;
        let (mut tx, found) = self.changeable(permit, id).await?;
        if found.name == typed {
            return Ok(found);
        }
        views::rename(&mut tx, id, &typed).await.map_err(taken)?;
        let row = audited(permit.caller(), "platform.saved_views.rename", &found);
        tx.commit(vec![row.detail("name", typed.as_str())]).await.map_err(refused)?;
        Ok(SavedView { name: typed, ..found })
    }

    async fn delete(&self, permit: &Permit<View>, id: &str) -> Result<SavedView, ApiError> {
        let (mut tx, found) = self.changeable(permit, id).await?;
        views::delete(&mut tx, id).await.map_err(refused)?;
        let row = audited(permit.caller(), "platform.saved_views.delete", &found);
        tx.commit(vec![row]).await.map_err(refused)?;
        Ok(found)
    }
}

impl OperationsService {
    /// The view, and the write in which it was found. A refusal is written when that one is over.
    async fn changeable(
        &self,
        permit: &Permit<View>,
        id: &str,
    ) -> Result<(Tx, SavedView), ApiError> {
        let mut tx = self.base.db.begin().await.map_err(refused)?;
        let found = views::find_in(&mut tx, &seen(permit), id).await.map_err(refused)?;
        let found = shown(permit.caller(), found.ok_or(MISSING)?);
        if found.changeable {
            return Ok((tx, found));
        }
        drop(tx);
        Err(refuse(permit.caller(), Capability::OperationsManage).await)
    }
}

fn taken(error: StoreError) -> ApiError {
    match error {
        StoreError::Unique { .. } => ApiError::Conflict(Conflict::NameTaken),
        other => refused(other),
    }
}

fn audited(caller: &Caller, action: &'static str, view: &SavedView) -> AuditRow {
    let row = AuditRow::allowed(caller, action)
        .target("saved_view", &view.id, &view.name)
        .workspace(view.workspace.id)
        .detail("list", view.list.as_str())
        .detail("shared", view.shared);
    if view.shared { row.capability(Capability::OperationsManage) } else { row }
}

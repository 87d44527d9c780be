//! Workspaces and tenants: made, renamed, archived. Nothing is deleted: what belongs to one stays to be read.
//!
//! Must not know what belongs to a workspace. Whoever adds something to one asks whether it is archived.

mod store;

pub mod forms;

use app::{
    error::{ApiError, Conflict, Thing},
    identity::{Capability, Permit, View},
    list::{ListQuery, Page},
    settings::Manage,
    workspaces::{
        Workspaces,
        model::{self, NewTenant, NewWorkspace, PLATFORM, Tenant, Workspace},
    },
};
use async_trait::async_trait;

use self::store::refused;
use crate::{
    journal::AuditRow,
    store::{Db, Tx},
};

const MISSING: ApiError = ApiError::NotFound(Thing::Workspace);
const NO_TENANT: ApiError = ApiError::NotFound(Thing::Tenant);

pub struct WorkspacesService {
    db: Db,
}

impl WorkspacesService {
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Changes wait for each other and for changes of grants and keys, which ask whether a workspace is archived.
    async fn begin(&self) -> Result<Tx, ApiError> {
        let mut tx = self.db.begin().await.map_err(refused)?;
        crate::identity::move_epoch(&mut tx).await.map_err(refused)?;
        Ok(tx)
    }
}

#[async_trait]
impl Workspaces for WorkspacesService {
    async fn list(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
    ) -> Result<Page<Workspace>, ApiError> {
        store::list(&self.db, permit.reach(), query).await.map_err(refused)
    }

    async fn get(&self, permit: &Permit<View>, id: i64) -> Result<Workspace, ApiError> {
        if !permit.reach().includes(id) {
            return Err(MISSING);
        }
        store::find(&self.db, id).await.map_err(refused)?.ok_or(MISSING)
    }

    async fn tenants(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
    ) -> Result<Page<Tenant>, ApiError> {
        store::tenants(&self.db, permit.reach(), query).await.map_err(refused)
    }

    async fn tenant(&self, permit: &Permit<View>, id: i64) -> Result<Tenant, ApiError> {
        let found = store::find_tenant(&self.db, id).await.map_err(refused)?;
        let found = found.filter(|tenant| permit.reach().includes(tenant.workspace_id));
        found.ok_or(NO_TENANT)
    }

    async fn create(
        &self,
        permit: &Permit<Manage>,
        new: NewWorkspace,
    ) -> Result<Workspace, ApiError> {
        permit.everywhere().await?;
        let name = model::name("name", &new.name)?;
        let mut tx = self.begin().await?;
        let made = store::insert(&mut tx, &name).await.map_err(refused)?;
        let made = made.ok_or(ApiError::Conflict(Conflict::NameTaken))?;
        let row = of_workspace(permit, "platform.workspace.create", &made);
        tx.commit(vec![row]).await.map_err(refused)?;
        Ok(made)
    }

    async fn rename(&self, permit: &Permit<Manage>, id: i64, name: &str) -> Result<(), ApiError> {
        permit.everywhere().await?;
        let name = model::name("name", name)?;
        let mut tx = self.begin().await?;
        let found = changeable(&mut tx, id).await?;
        if found.name == name {
            return Ok(());
        }
        if !store::rename(&mut tx, id, &name).await.map_err(refused)? {
            return Err(ApiError::Conflict(Conflict::NameTaken));
        }
        let row =
            of_workspace(permit, "platform.workspace.rename", &found).detail("name", name.as_str());
        tx.commit(vec![row]).await.map_err(refused)
    }

    async fn archive(&self, permit: &Permit<Manage>, id: i64) -> Result<(), ApiError> {
        permit.everywhere().await?;
        let mut tx = self.begin().await?;
        let found = changeable(&mut tx, id).await?;
        if found.archived_at.is_some() {
            return Ok(());
        }
        store::archive(&mut tx, id).await.map_err(refused)?;
        let row = of_workspace(permit, "platform.workspace.archive", &found);
        tx.commit(vec![row]).await.map_err(refused)
    }

    async fn create_tenant(
        &self,
        permit: &Permit<Manage>,
        new: NewTenant,
    ) -> Result<Tenant, ApiError> {
        permit.everywhere().await?;
        let name = model::name("name", &new.name)?;
        let mut tx = self.begin().await?;
        let place = store::find_in(&mut tx, new.workspace_id).await.map_err(refused)?;
        if place.ok_or(MISSING)?.archived_at.is_some() {
            return Err(ApiError::Conflict(Conflict::Archived));
        }
        let made = store::insert_tenant(&mut tx, new.workspace_id, &name).await.map_err(refused)?;
        let made = made.ok_or(ApiError::Conflict(Conflict::NameTaken))?;
        let row = of_tenant(permit, "platform.tenant.create", &made);
        tx.commit(vec![row]).await.map_err(refused)?;
        Ok(made)
    }

    async fn rename_tenant(
        &self,
        permit: &Permit<Manage>,
        id: i64,
        name: &str,
    ) -> Result<(), ApiError> {
        permit.everywhere().await?;
        let name = model::name("name", name)?;
        let mut tx = self.begin().await?;
        let found = store::find_tenant_in(&mut tx, id).await.map_err(refused)?.ok_or(NO_TENANT)?;
        if found.name == name {
            return Ok(());
        }
        if !store::rename_tenant(&mut tx, &found, &name).await.map_err(refused)? {
            return Err(ApiError::Conflict(Conflict::NameTaken));
        }
        let row = of_tenant(permit, "platform.tenant.rename", &found).detail("name", name.as_str());
        tx.commit(vec![row]).await.map_err(refused)
    }

    async fn archive_tenant(&self, permit: &Permit<Manage>, id: i64) -> Result<(), ApiError> {
        permit.everywhere().await?;
        let mut tx = self.begin().await?;
        let found = store::find_tenant_in(&mut tx, id).await.map_err(refused)?.ok_or(NO_TENANT)?;
        if found.archived_at.is_some() {
            return Ok(());
        }
        store::archive_tenant(&mut tx, id).await.map_err(refused)?;
        let row = of_tenant(permit, "platform.tenant.archive", &found);
        tx.commit(vec![row]).await.map_err(refused)
    }
}

/// The console's own workspace stays as it is.
async fn changeable(tx: &mut Tx, id: i64) -> Result<Workspace, ApiError> {
    let found = store::find_in(tx, id).await.map_err(refused)?.ok_or(MISSING)?;
    if id == PLATFORM { Err(ApiError::Conflict(Conflict::BuiltIn)) } else { Ok(found) }
}

fn of_workspace(permit: &Permit<Manage>, action: &'static str, workspace: &Workspace) -> AuditRow {
    AuditRow::allowed(permit.caller(), action)
        .target("workspace", workspace.id, &workspace.name)
        .workspace(workspace.id)
        .capability(Capability::SettingsManage)
}

fn of_tenant(permit: &Permit<Manage>, action: &'static str, tenant: &Tenant) -> AuditRow {
    AuditRow::allowed(permit.caller(), action)
        .target("tenant", tenant.id, &tenant.name)
        .workspace(tenant.workspace_id)
        .capability(Capability::SettingsManage)
}

//! Grants: who has which role, and where.

use app::{
    error::{ApiError, Conflict, Thing},
    identity::{
        Capability, Grants, Manage, Permit, Reach, View,
        model::{self, ConfiguredGrant, Grant, NewGrant, Subject, SubjectKind},
        require_all,
    },
    list::{ListQuery, Page},
};
use async_trait::async_trait;

use super::{
    Admin, still_administered,
    store::{begin, grants, keys, open_workspace, people, refused},
};
use crate::{journal::AuditRow, store::Tx};

#[async_trait]
impl Grants for Admin {
    async fn list(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
    ) -> Result<Page<Grant>, ApiError> {
        grants::list(&self.db, permit.reach(), query).await.map_err(refused)
    }

    fn configured(&self, permit: &Permit<View>) -> Vec<ConfiguredGrant> {
        // They are on everything, so who sees a workspace alone does not see them.
        if *permit.reach() == Reach::Everything { self.configured.clone() } else { Vec::new() }
    }

    async fn add(&self, permit: &Permit<Manage>, new: NewGrant) -> Result<Grant, ApiError> {
        permit.within(new.workspace_id).await?;
        let reach = Reach::of(new.workspace_id);
        let given = new.role.capabilities().into_iter().map(|c| (c, reach.clone()));
        require_all(permit.caller(), &given.collect::<Vec<_>>()).await?;
        let mut tx = begin(&self.db).await?;
        open_workspace(&mut tx, new.workspace_id).await?;
        let subject = subject(&mut tx, permit, &new).await?;
        let id = self.rng.uuid();
        let row = grants::New {
            id: &id,
            subject_kind: subject.kind,
            subject_id: &subject.id,
            role: new.role,
            workspace_id: new.workspace_id,
        };
        if !grants::insert(&mut tx, permit.caller(), &row).await.map_err(refused)? {
            return Err(ApiError::Conflict(Conflict::AlreadyGranted));
        }
        let grant = grants::find_in(&mut tx, &id).await.map_err(refused)?;
        let grant = grant.ok_or(ApiError::NotFound(Thing::Grant))?;
        let row = audit(permit, "identity.grant.add", &grant);
        tx.commit(vec![row]).await.map_err(refused)?;
        Ok(grant)
    }

    async fn remove(&self, permit: &Permit<Manage>, id: &str) -> Result<(), ApiError> {
        let mut tx = begin(&self.db).await?;
        let grant = grants::find_in(&mut tx, id).await.map_err(refused)?;
        let workspace = |grant: &Grant| Reach::of(grant.workspace.as_ref().map(|w| w.id));
        let grant = grant.filter(|grant| permit.reach().covers(&workspace(grant)));
        let grant = grant.ok_or(ApiError::NotFound(Thing::Grant))?;
        let before = self.admins(&mut tx).await?;
        grants::delete(&mut tx, id).await.map_err(refused)?;
        still_administered(before, self.admins(&mut tx).await?)?;
        let row = audit(permit, "identity.grant.remove", &grant);
        tx.commit(vec![row]).await.map_err(refused)
    }
}

/// To whom: somebody who is there and may take something new.
async fn subject(
    tx: &mut Tx,
    permit: &Permit<Manage>,
    new: &NewGrant,
) -> Result<Subject, ApiError> {
    let (kind, asked) = (new.subject_kind, model::group(&new.subject)?);
    match kind {
        SubjectKind::Group => Ok(Subject { kind, id: asked.clone(), name: asked }),
        SubjectKind::Person => {
            let person = people::find_subject(tx, &asked).await.map_err(refused)?;
            let person = person.ok_or(ApiError::NotFound(Thing::Person))?;
            if person.disabled_at.is_some() {
                return Err(ApiError::Conflict(Conflict::Disabled));
            }
            Ok(Subject { kind, id: person.id, name: person.display_name })
        }
        SubjectKind::ApiKey => {
            let key = keys::find_in(tx, &asked).await.map_err(refused)?;
            // An owned key has its owner's rights; grants would do nothing for it.
            let key = key.filter(|key| {
                let place = Reach::of(key.workspace.as_ref().map(|w| w.id));
                key.owner.is_none() && key.revoked_at.is_none() && permit.reach().covers(&place)
            });
            let key = key.ok_or(ApiError::NotFound(Thing::ApiKey))?;
            Ok(Subject { kind, id: key.id, name: key.name })
        }
    }
}

fn audit(permit: &Permit<Manage>, action: &'static str, grant: &Grant) -> AuditRow {
    let subject = &grant.subject;
    let row = AuditRow::allowed(permit.caller(), action)
        .target(subject.kind.as_str(), &subject.id, &subject.name)
        .capability(Capability::IdentityManage)
        .detail("grant_id", grant.id.as_str())
        .detail("role", grant.role.as_str());
    match &grant.workspace {
        Some(workspace) => row.workspace(workspace.id).detail("workspace", workspace.name.as_str()),
        None => row.detail("everything", true),
    }
}

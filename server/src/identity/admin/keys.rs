//! API keys: minted, taken over, revoked.
//!
//! What a key may do is decided when it is used: its capabilities, of those only what its owner or its grants give
//! then, and only in its workspace. Making one asks for more: that whoever makes it holds each of them now.

use app::{
    error::{ApiError, Conflict, Rule, Thing},
    identity::{
        Caller, CallerKind, Capability, Keys, Manage, Permit, Reach, View,
        model::{self, ApiKey, KeyState, MintedKey, NewKey, Secret},
        permit, require_all,
    },
    list::{ListQuery, Page},
    time::Micros,
    workspaces::model::words,
};
use async_trait::async_trait;

use super::{
    Admin,
    store::{begin, keys, open_workspace, people, refused},
};
use crate::{
    identity::token::{self, Token},
    journal::AuditRow,
    store::Tx,
};

const MISSING: ApiError = ApiError::NotFound(Thing::ApiKey);
/// Tells people and scanners what it is.
const PREFIX: &str = "qd_";
/// What is kept of a key to tell it apart: of ours the prefix and six letters of 43; of one that others made, and that
/// may be short, less.
const SHOWN: usize = 9;
const SHOWN_OF_IMPORTED: usize = 4;
const NAME_MAX: u32 = 80;
const SERVICE_MAX: u32 = 100;

/// A request that may be done.
struct Checked {
    name: String,
    capabilities: Vec<Capability>,
    workspace_id: Option<i64>,
    service: Option<String>,
    owner: Option<String>,
    imported: Option<Secret>,
}

#[async_trait]
impl Keys for Admin {
    async fn list(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
    ) -> Result<Page<ApiKey>, ApiError> {
        let now = self.db.now().await.map_err(refused)?;
        keys::list(&self.db, permit.reach(), None, query, now).await.map_err(refused)
    }

    async fn find_owner(&self, caller: &Caller) -> Result<Option<String>, ApiError> {
        let id = match caller.kind {
            CallerKind::User => Some(&caller.id),
            CallerKind::ApiKey => caller.on_behalf_of.as_ref(),
            CallerKind::Outpost | CallerKind::System | CallerKind::Stranger => None,
        };
        let Some(id) = id else { return Ok(None) };
        let found = people::find(&self.db, &Reach::Everything, id).await.map_err(refused)?;
        Ok(found.map(|person| person.id))
    }

    async fn list_own(&self, caller: &Caller, query: &ListQuery) -> Result<Page<ApiKey>, ApiError> {
        let now = self.db.now().await.map_err(refused)?;
        // Nobody has the empty id.
        let owner = self.find_owner(caller).await?.unwrap_or_default();
        let everything = Reach::Everything;
        keys::list(&self.db, &everything, Some(&owner), query, now).await.map_err(refused)
    }

    async fn mint(&self, caller: &Caller, new: NewKey) -> Result<MintedKey, ApiError> {
        let checked = self.check(caller, &new).await?;
        let id = self.rng.uuid();
        let mut tx = begin(&self.db).await?;
        open_workspace(&mut tx, checked.workspace_id).await?;
        if let Some(owner) = &checked.owner {
            let owner = people::find_in(&mut tx, owner).await.map_err(refused)?;
            let owner = owner.ok_or(ApiError::NotFound(Thing::Person))?;
            if owner.disabled_at.is_some() {
                return Err(ApiError::Conflict(Conflict::Disabled));
            }
        }
        let expires_at = expiry(&mut tx, caller, &new).await?;
        let minted = checked.imported.is_none().then(|| Token::new(PREFIX, &self.rng));
        let text = checked.imported.as_ref().map(|key| key.0.as_str());
        let text = text.or(minted.as_ref().map(Token::reveal)).unwrap_or_default();
        let shown = if minted.is_some() { SHOWN } else { SHOWN_OF_IMPORTED };
        let row = keys::New {
            id: &id,
            name: &checked.name,
            prefix: text.get(..shown).unwrap_or_default(),
            token_hash: token::hash(text),
            owner_id: checked.owner.as_deref(),
            service_identity: checked.service.as_deref(),
            capabilities: &checked.capabilities,
            workspace_id: checked.workspace_id,
            expires_at,
        };
        if !keys::insert(&mut tx, caller, row).await.map_err(refused)? {
            return Err(ApiError::Conflict(Conflict::KeyKnown));
        }
        let key = keys::find_in(&mut tx, &id).await.map_err(refused)?.ok_or(MISSING)?;
        let action = if minted.is_some() { "identity.key.mint" } else { "identity.key.import" };
        let row = audit_made(caller, action, &key);
        tx.commit(vec![row]).await.map_err(refused)?;
        let token = minted.map(|token| Secret(token.reveal().to_owned()));
        Ok(MintedKey { key, token })
    }

    async fn revoke(&self, permit: &Permit<Manage>, id: &str) -> Result<(), ApiError> {
        let mut tx = begin(&self.db).await?;
        let key = keys::find_in(&mut tx, id).await.map_err(refused)?;
        let place = |key: &ApiKey| Reach::of(key.workspace.as_ref().map(|w| w.id));
        let key = key.filter(|key| permit.reach().covers(&place(key))).ok_or(MISSING)?;
        let rows = revoke(&mut tx, permit.caller(), key).await?;
        let rows = rows.into_iter().map(|row| row.capability(Capability::IdentityManage));
        tx.commit(rows.collect()).await.map_err(refused)
    }

    async fn revoke_own(&self, caller: &Caller, id: &str) -> Result<(), ApiError> {
        let owner = self.find_owner(caller).await?.ok_or(MISSING)?;
        let mut tx = begin(&self.db).await?;
        let key = keys::find_in(&mut tx, id).await.map_err(refused)?;
        let own = |key: &ApiKey| {
            key.owner.as_ref().is_some_and(|of| of.id == owner)
                && (caller.kind != CallerKind::ApiKey
                    || key.id == caller.id
                    || key.created_by_id == caller.id)
        };
        let key = key.filter(own).ok_or(MISSING)?;
        let rows = revoke(&mut tx, caller, key).await?;
        tx.commit(rows).await.map_err(refused)
    }
}

impl Admin {
    /// Everything that can be refused before the change begins.
    async fn check(&self, caller: &Caller, new: &NewKey) -> Result<Checked, ApiError> {
        let name = words("name", &new.name, 1, NAME_MAX)?;
        let mut capabilities = new.capabilities.clone();
        capabilities.sort_unstable();
        capabilities.dedup();
        if capabilities.is_empty() {
            return Err(ApiError::invalid("capabilities", Rule::Required));
        }
        let service = new.service_identity.as_deref();
        let service = service.map(|s| words("service_identity", s, 1, SERVICE_MAX)).transpose()?;
        new.key.as_ref().map(model::imported).transpose()?;
        model::expiry(new, self.db.now().await.map_err(refused)?)?;
        if service.is_some() || new.key.is_some() {
            permit::<Manage>(caller).await?.within(new.workspace_id).await?;
        }
        reaches(caller, new.workspace_id)?;
        // A person's own key follows its owner's rights wherever they reach. What a key makes, and what has no owner,
        // must not reach further than its maker does.
        let follows_owner =
            service.is_none() && new.workspace_id.is_none() && caller.kind == CallerKind::User;
        let reach = |capability: &Capability| match caller.reach(*capability) {
            Some(reach) if follows_owner => reach,
            _ => Reach::of(new.workspace_id),
        };
        let wanted = capabilities.iter().map(|c| (*c, reach(c))).collect::<Vec<_>>();
        require_all(caller, &wanted).await?;
        let owner = if service.is_some() {
            None
        } else {
            let owner = self.find_owner(caller).await?;
            Some(owner.ok_or(ApiError::NotFound(Thing::Person))?)
        };
        let (workspace_id, imported) = (new.workspace_id, new.key.clone());
        Ok(Checked { name, capabilities, workspace_id, service, owner, imported })
    }
}

/// A workspace in which the caller may do nothing at all is not there.
fn reaches(caller: &Caller, workspace_id: Option<i64>) -> Result<(), ApiError> {
    let Some(id) = workspace_id else { return Ok(()) };
    let mut held = caller.capabilities().into_iter().filter_map(|c| caller.reach(c));
    if held.any(|reach| reach.includes(id)) {
        Ok(())
    } else {
        Err(ApiError::NotFound(Thing::Workspace))
    }
}

/// What a key makes does not outlive it: else a stolen one would never end.
async fn expiry(tx: &mut Tx, caller: &Caller, new: &NewKey) -> Result<Option<Micros>, ApiError> {
    let now = tx.now().await.map_err(refused)?;
    let asked = model::expiry(new, now)?;
    if caller.kind != CallerKind::ApiKey {
        return Ok(asked);
    }
    let maker = keys::find_in(tx, &caller.id).await.map_err(refused)?;
    let maker = maker.filter(|key| key.state == KeyState::Active).ok_or(ApiError::SignIn)?;
    Ok(match (asked, maker.expires_at) {
        (Some(asked), Some(end)) => Some(asked.min(end)),
        (asked, end) => asked.or(end),
    })
}

/// Ends a key and, with it, all that was made with it. Nothing to do for one that was revoked before.
async fn revoke(tx: &mut Tx, caller: &Caller, key: ApiKey) -> Result<Vec<AuditRow>, ApiError> {
    let mut rows = Vec::new();
    let mut waiting = if key.revoked_at.is_some() { Vec::new() } else { vec![key] };
    while let Some(key) = waiting.pop() {
        keys::revoke(tx, &key.id).await.map_err(refused)?;
        waiting.extend(keys::made_with(tx, &key.id).await.map_err(refused)?);
        rows.push(audit(caller, "identity.key.revoke", &key));
    }
    Ok(rows)
}

fn audit(caller: &Caller, action: &'static str, key: &ApiKey) -> AuditRow {
    let row = AuditRow::allowed(caller, action)
        .target("api_key", &key.id, &key.name)
        .detail("prefix", key.prefix.as_str())
        .detail("owner_id", key.owner.as_ref().map(|owner| owner.id.clone()))
        .detail("service", key.service_identity.clone());
    match &key.workspace {
        Some(workspace) => row.workspace(workspace.id),
        None => row,
    }
}

fn audit_made(caller: &Caller, action: &'static str, key: &ApiKey) -> AuditRow {
    let names = key.capabilities.iter().map(|c| c.as_str()).collect::<Vec<_>>();
    let row = audit(caller, action, key)
        .detail("capabilities", names)
        .detail("expires_at", key.expires_at.map(|at| at.to_string()));
    if key.owner.is_none() { row.capability(Capability::IdentityManage) } else { row }
}

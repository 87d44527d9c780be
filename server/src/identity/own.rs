//! What is one's own: who one is, one's sessions. Needs no capability, only to be somebody.

use app::{
    error::{ApiError, Thing},
    identity::{
        Accounts as AccountPages, Caller, CallerKind, Reach,
        model::{Me, Own, OwnSession, Welcome, WorkspaceName},
    },
};
use async_trait::async_trait;

use super::{
    local::Accounts,
    rights::{Holder, RightsBook},
    sessions::Sessions,
    store::{self, end_session, move_epoch},
    token,
};
use crate::{
    journal::AuditRow,
    store::{Db, StoreError, Tx},
};

/// The caller's own things, over the JSON API and on their page.
pub struct OwnThings {
    pub db: Db,
    pub sessions: std::sync::Arc<Sessions>,
    pub rights: std::sync::Arc<RightsBook>,
    pub accounts: std::sync::Arc<Accounts>,
}

impl OwnThings {
    pub async fn me(&self, caller: &Caller) -> Result<Me, ApiError> {
        let person = person_of(caller);
        let (email, groups) = match person {
            Some(id) => (
                store::find_person(&self.db, id).await?.and_then(|person| person.email),
                store::groups_of(&self.db, id).await?,
            ),
            None => (None, Vec::new()),
        };
        let reach = caller.reach_of_all();
        let workspaces = store::workspaces(&self.db).await?;
        let reached = workspaces.into_iter().filter(|workspace| reach.includes(workspace.id));
        let capabilities = caller.capabilities();
        Ok(Me {
            id: caller.id.clone(),
            email,
            display_name: caller.name.clone(),
            groups,
            is_authorized: !capabilities.is_empty(),
            capabilities,
            everything: reach == Reach::Everything,
            workspaces: reached.collect(),
        })
    }

    /// Ends a session of one's own. One of somebody else's is not there.
    pub async fn end_session(&self, caller: &Caller, id: &str) -> Result<(), ApiError> {
        let gone = || ApiError::NotFound(Thing::Session);
        let mut tx = self.db.begin().await?;
        let owner = store::owner_of_session(&mut tx, id).await?;
        if caller.kind != CallerKind::User || owner.as_deref() != Some(caller.id.as_str()) {
            return Err(gone());
        }
        if !end_session(&mut tx, id, "revoked").await? {
            return Err(gone());
        }
        move_epoch(&mut tx).await?;
        let row = AuditRow::allowed(caller, "identity.session.end")
            .target("session", id, &caller.name)
            .detail("by", "owner");
        Ok(tx.commit(vec![row]).await?)
    }

    /// Ends the session that asks. Its id, when there was one.
    pub async fn sign_out(&self, caller: &Caller) -> Result<(), ApiError> {
        let mut tx = self.db.begin().await?;
        let Some(id) = self.sessions.here(&mut tx, caller).await? else { return Ok(()) };
        end_session(&mut tx, &id, "sign_out").await?;
        move_epoch(&mut tx).await?;
        let row = AuditRow::allowed(caller, "identity.session.end")
            .target("session", &id, &caller.name)
            .detail("by", "sign_out");
        Ok(tx.commit(vec![row]).await?)
    }

    /// The session that asks, for what must be done before it ends.
    pub async fn session_here(&self, caller: &Caller) -> Result<Option<String>, ApiError> {
        let sessions = self.own_sessions(caller).await?;
        Ok(sessions.into_iter().find(|session| session.here).map(|session| session.id))
    }

    async fn own_sessions(&self, caller: &Caller) -> Result<Vec<OwnSession>, ApiError> {
        if caller.kind != CallerKind::User {
            return Ok(Vec::new());
        }
        let rows = store::open_sessions_of(&self.db, &caller.id).await?;
        let now = self.db.clock().now();
        let open =
            rows.into_iter().filter(|row| self.sessions.is_open(row.seen_at, row.expires_at, now));
        let own = open.map(|row| OwnSession {
            here: caller.session.as_deref() == Some(token::mark(&row.token_hash).as_str()),
            seen_at: self.sessions.seen_lately(&row.id, row.seen_at),
            id: row.id,
            method: row.method,
            address: row.address,
            device: row.device,
            created_at: row.created_at,
            expires_at: row.expires_at,
        });
        let mut own: Vec<OwnSession> = own.collect();
        own.sort_by_key(|session| (!session.here, std::cmp::Reverse(session.seen_at)));
        Ok(own)
    }
}

/// The person whose rights are used: the one who asks, or the owner of their key.
fn person_of(caller: &Caller) -> Option<&str> {
    match caller.kind {
        CallerKind::User => Some(&caller.id),
        CallerKind::ApiKey => caller.on_behalf_of.as_deref(),
        _ => None,
    }
}

#[async_trait]
impl AccountPages for OwnThings {
    async fn own(&self, caller: &Caller) -> Result<Own, ApiError> {
        let me = self.me(caller).await?;
        let holder = match (person_of(caller), caller.kind) {
            (Some(id), _) => Some(Holder::Person(id.to_owned())),
            (None, CallerKind::ApiKey) => Some(Holder::Key(caller.id.clone())),
            _ => None,
        };
        let held = match &holder {
            Some(holder) => self.rights.held(holder).await?,
            None => Vec::new(),
        };
        let names = store::workspaces(&self.db).await?;
        let place = |id: i64| {
            let found = names.iter().find(|workspace| workspace.id == id).cloned();
            found.unwrap_or_else(|| WorkspaceName { id, name: format!("#{id}") })
        };
        let mut roles: Vec<_> =
            held.into_iter().map(|held| (held.role, held.workspace_id.map(place))).collect();
        roles.dedup();
        let person = match (caller.kind, person_of(caller)) {
            (CallerKind::User, Some(id)) => store::find_person(&self.db, id).await?,
            _ => None,
        };
        let login = person.filter(|person| person.has_password).map(|person| person.login);
        Ok(Own { me, login, roles, sessions: self.own_sessions(caller).await? })
    }

    async fn find_welcome(&self, link: &str) -> Result<Option<Welcome>, ApiError> {
        self.accounts.find_link(link).await
    }
}

impl Sessions {
    /// The session that this caller came with.
    pub async fn here(&self, tx: &mut Tx, caller: &Caller) -> Result<Option<String>, StoreError> {
        let Some(mark) = caller.session.as_deref() else { return Ok(None) };
        let of_person = store::sessions_of(tx, &caller.id).await?;
        let found = of_person.into_iter().find(|(_, hash)| token::mark(hash) == mark);
        Ok(found.map(|(id, _)| id))
    }
}

//! Accounts of this console itself: passwords, the links that begin them, and what keeps guessers slow.
//!
//! ```text
//! name, password ─► throttle ─► argon2id ─► session        link ─► a password ─► session
//! ```
//! Every way in ends in [`Sessions::begin`], in the transaction that writes that it began.

pub mod demo;
pub mod links;
mod password;
mod store;
mod throttle;
mod welcome;

use std::{net::IpAddr, sync::Arc};

use app::{
    error::{ApiError, Conflict, SignInFailure},
    identity::{Caller, CallerKind, Gate},
    time::Micros,
};

use super::{
    sessions::{Begun, Method, Sessions, SignedIn},
    store::end_sessions_of,
    store::move_epoch,
    token,
};
use crate::{
    clock::Rng,
    journal::AuditRow,
    store::{Db, StoreError, Tx},
};
pub use password::{PasswordError, Passwords};
pub use store::prune;
pub use welcome::{NewAdmin, first_link};

use store::Account;

/// Longer names are nobody's.
const LOGIN_MAX: usize = 200;

/// How somebody comes: for the session, the throttle and the audit row.
#[derive(Clone, Copy, Debug)]
pub struct Knock<'a> {
    pub address: Option<IpAddr>,
    pub device: Option<&'a str>,
    pub request_id: &'a str,
}

pub struct Accounts {
    db: Db,
    rng: Rng,
    sessions: Arc<Sessions>,
    passwords: Passwords,
    gate: Arc<dyn Gate>,
}

impl Accounts {
    pub fn new(
        db: Db,
        rng: Rng,
        sessions: Arc<Sessions>,
        gate: Arc<dyn Gate>,
    ) -> Result<Self, PasswordError> {
        let passwords = Passwords::new(rng.clone())?;
        Ok(Self { db, rng, sessions, passwords, gate })
    }

    /// Signs in with name and password. Which of the two was wrong is told to nobody, not even by the time it takes.
    pub async fn sign_in(
        &self,
        login: &str,
        password: &str,
        knock: Knock<'_>,
    ) -> Result<Begun, ApiError> {
        self.writable()?;
        let login = normal(login);
        if login.is_empty() || login.len() > LOGIN_MAX {
            return Err(ApiError::SignInFailed(SignInFailure::Credentials));
        }
        throttle::admit(&self.db, &login, knock.address).await?;
        let account = store::find_account(&self.db, &login).await?;
        let hash = account.as_ref().and_then(|account| account.password_hash.as_deref());
        let right = self.passwords.matches(password, hash).await?;
        match account {
            Some(account) if right => self.enter(account, &login, knock).await,
            account => self.refuse(account.as_ref(), "credentials", knock).await,
        }
    }

    /// The password was right a moment ago: only if it still stands, and the account too, a session begins.
    async fn enter(
        &self,
        judged: Account,
        login: &str,
        knock: Knock<'_>,
    ) -> Result<Begun, ApiError> {
        let mut tx = self.db.begin().await?;
        let now = store::lock_account(&mut tx, &judged.id).await?;
        let stands = now.as_ref().filter(|now| now.password_hash == judged.password_hash);
        let Some(account) = stands.filter(|now| !now.disabled) else {
            drop(tx);
            let why = if judged.disabled { "disabled" } else { "credentials" };
            return self.refuse(Some(&judged), why, knock).await;
        };
        throttle::forgive(&mut tx, login, knock.address).await?;
        let begun = self.begin(&mut tx, account, Method::Local, knock).await?;
        let row = self.began(account, &begun, Method::Local, knock);
        tx.commit(vec![row]).await?;
        Ok(begun)
    }

    /// In the audit log it stands for whom it was tried, if for anybody; what was typed stands nowhere.
    async fn refuse<T>(
        &self,
        account: Option<&Account>,
        why: &'static str,
        knock: Knock<'_>,
    ) -> Result<T, ApiError> {
        let caller = self.nobody(knock);
        let mut row = AuditRow::failed(&caller, "identity.session.refuse", why);
        if let Some(account) = account {
            row = row.target("person", &account.id, &account.name);
        }
        self.db.begin().await?.commit(vec![row.detail("method", Method::Local.as_str())]).await?;
        tracing::info!(why, "nobody was signed in");
        Err(ApiError::SignInFailed(SignInFailure::Credentials))
    }

    /// Changes one's own password; every other session of one's own ends.
    pub async fn change_password(
        &self,
        caller: &Caller,
        old: &str,
        new: &str,
    ) -> Result<(), ApiError> {
        self.writable()?;
        let wrong = || ApiError::SignInFailed(SignInFailure::Credentials);
        // A key is no person, and people of the provider have no password here.
        let account = match caller.kind {
            CallerKind::User => store::find_account_by_id(&self.db, &caller.id).await?,
            _ => None,
        };
        let account = account.ok_or(ApiError::Conflict(Conflict::NoPassword))?;
        password::check("new_password", new)?;
        throttle::admit(&self.db, &account.login, caller.address).await?;
        if !self.passwords.matches(old, account.password_hash.as_deref()).await? {
            let row = AuditRow::failed(caller, "identity.password.change", "credentials");
            let row = row.target("person", &account.id, &account.name);
            self.db.begin().await?.commit(vec![row]).await?;
            return Err(wrong());
        }
        let hash = self.passwords.hash(new).await?;
        let mut tx = self.db.begin().await?;
        let now = store::lock_account(&mut tx, &account.id).await?;
        if now.is_none_or(|now| now.password_hash != account.password_hash) {
            return Err(ApiError::Conflict(Conflict::Changed));
        }
        throttle::forgive(&mut tx, &account.login, caller.address).await?;
        store::set_password(&mut tx, &account.id, &hash).await?;
        // A link that waits to choose another one would undo this.
        store::delete_links_of(&mut tx, &account.id).await?;
        let here = self.sessions.here(&mut tx, caller).await?;
        let ended = end_sessions_of(&mut tx, &account.id, here.as_deref(), "password").await?;
        move_epoch(&mut tx).await?;
        let row = AuditRow::allowed(caller, "identity.password.change")
            .target("person", &account.id, &account.name)
            .detail("sessions_ended", ended);
        tx.commit(vec![row]).await?;
        Ok(())
    }

    async fn begin(
        &self,
        tx: &mut Tx,
        account: &Account,
        method: Method,
        knock: Knock<'_>,
    ) -> Result<Begun, StoreError> {
        let who = SignedIn {
            person_id: &account.id,
            method,
            address: knock.address,
            device: knock.device,
        };
        self.sessions.begin(tx, who).await
    }

    fn began(
        &self,
        account: &Account,
        begun: &Begun,
        method: Method,
        knock: Knock<'_>,
    ) -> AuditRow {
        let mut caller = self.caller(account, knock);
        caller.session = Some(token::mark(&begun.token.hash()));
        AuditRow::allowed(&caller, "identity.session.begin")
            .target("session", &begun.id, &account.name)
            .detail("method", method.as_str())
    }

    fn caller(&self, account: &Account, knock: Knock<'_>) -> Caller {
        let gate = Arc::clone(&self.gate);
        let caller = Caller::new(CallerKind::User, &account.id, &account.name, Vec::new(), gate);
        coming(caller, knock)
    }

    fn nobody(&self, knock: Knock<'_>) -> Caller {
        coming(Caller::stranger(Arc::clone(&self.gate)), knock)
    }

    /// Signing in writes: nobody can while the console is read-only.
    fn writable(&self) -> Result<(), ApiError> {
        if self.db.is_read_only() {
            return Err(ApiError::Conflict(Conflict::ReadOnly));
        }
        Ok(())
    }
}

fn coming(mut caller: Caller, knock: Knock<'_>) -> Caller {
    knock.request_id.clone_into(&mut caller.request_id);
    caller.address = knock.address;
    caller
}

/// One spelling for a name: `Ada ` and `ada` are one account.
pub fn normal(login: &str) -> String {
    login.trim().to_lowercase()
}

/// How long before a row of this module is of no use to anyone.
pub const KEPT: i64 = 7 * 24 * 3600 * Micros::SECOND;

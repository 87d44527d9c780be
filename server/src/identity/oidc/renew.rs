//! Keeping sessions in step with the provider, in the background: tokens are renewed before they expire, groups are
//! read again at least every quarter of an hour, and a session whose person may not any more ends.
//!
//! ```text
//! due ─► claimed by one replica ─► provider ─► kept ─► due again later
//!                                     ├─ refuses: the session ends, "provider_refused"
//!                                     └─ does not answer: tried again, until what is known is an hour old
//! ```
//! A rotating refresh token is used by one replica at a time. When the answer to one gets lost, or the replica dies
//! with it, the next attempt is refused by the provider and the session ends with that reason; nobody else's does.

use std::{sync::Arc, time::Duration};

use app::{identity::Capability, time::Micros};
use futures::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::{
    OidcError, Refreshed, Tokens,
    sign_in::{SignIn, SignInError, micros},
    store::{self, Due},
};
use crate::{
    identity::store::{end_session, end_sessions_of, move_epoch},
    journal::AuditRow,
    store::StoreError,
};

const ROUND: Duration = Duration::from_secs(5);
/// Before a token expires; shorter ones are renewed twice a minute.
const LEAD: Duration = Duration::from_mins(1);
/// DESIGN §5.3.
const GROUPS_EVERY: Duration = Duration::from_mins(15);
/// How old may be what is known while the provider does not answer.
pub const STALE: Duration = Duration::from_hours(1);
/// Longer than the slowest provider may take for all that is asked of it.
const CLAIMED_FOR: Duration = Duration::from_mins(5);
const AGAIN: Duration = Duration::from_secs(30);
const AT_ONCE: usize = 4;
const WRITES: usize = 3;

/// How one session fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Renewed,
    /// Another replica has it.
    Elsewhere,
    PutOff,
    Ended,
}

impl SignIn {
    /// Until `stop`.
    pub async fn renew(self: Arc<Self>, stop: CancellationToken) -> Result<(), anyhow::Error> {
        loop {
            self.renew_due().await?;
            crate::tasks::beat();
            let pause = self.parts.rng.jitter(ROUND, 0.2);
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.parts.db.clock().sleep(pause) => {}
            }
        }
    }

    /// One round; how each session fared that was due.
    pub async fn renew_due(&self) -> Result<Vec<Fate>, SignInError> {
        let now = self.parts.db.now().await?;
        let back = |by: Duration| now.plus(-micros(by));
        let expiring = now.plus(micros(LEAD));
        let seen_after = back(self.parts.sessions.idle());
        let db = &self.parts.db;
        let due = store::list_due(db, now, expiring, back(GROUPS_EVERY), seen_after).await?;
        let fates = stream::iter(due).map(|due| self.renew_one(due)).buffer_unordered(AT_ONCE);
        let fates: Vec<Result<Fate, SignInError>> = fates.collect().await;
        fates.into_iter().collect()
    }

    async fn renew_one(&self, due: Due) -> Result<Fate, SignInError> {
        let owner = self.parts.rng.uuid();
        let mut tx = self.parts.db.begin().await?;
        let until = tx.now().await?.plus(micros(CLAIMED_FOR));
        let ours = store::claim(&mut tx, &due, &owner, until).await?;
        tx.commit(Vec::new()).await?;
        if !ours {
            return Ok(Fate::Elsewhere);
        }
        let tokens = match self.tokens(&due.id, &due.tokens) {
            Ok(tokens) => tokens,
            Err(error) => {
                // A replica that was started later may have the key; where none has it the hour ends the session.
                tracing::error!(session.id = due.id, %error, "a session's tokens cannot be opened");
                return self.put_off_or_end(&due, &owner).await;
            }
        };
        match self.parts.oidc.refresh(&tokens).await {
            Ok(fresh) => self.settle(&due, &owner, fresh).await,
            Err(error) => self.not_renewed(&due, &owner, &error).await,
        }
    }

    /// The tokens are kept first of all: the old ones may be spent.
    async fn settle(&self, due: &Due, owner: &str, fresh: Refreshed) -> Result<Fate, SignInError> {
        let Refreshed { tokens, groups } = fresh;
        let read_at = match &groups {
            Ok(_) => self.parts.db.now().await?,
            Err(_) => due.groups_read_at,
        };
        if !self.keep(due, owner, &tokens, read_at).await? {
            return Ok(Fate::Ended);
        }
        match groups {
            Ok(Some(groups)) => self.regroup(due, &groups).await,
            Ok(None) => Ok(Fate::Renewed),
            Err(error) if error.is_final() => self.refused(due, &error).await,
            Err(error) => {
                tracing::warn!(session.id = due.id, %error, "groups could not be read again");
                self.put_off_or_end(due, owner).await
            }
        }
    }

    /// A store that is busy for a moment must not cost the one copy of a rotated token.
    async fn keep(
        &self,
        due: &Due,
        owner: &str,
        tokens: &Tokens,
        read_at: Micros,
    ) -> Result<bool, SignInError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let held = self.held(&due.id, tokens, read_at)?;
            let written = async {
                let mut tx = self.parts.db.begin().await?;
                let kept = store::keep(&mut tx, &due.id, owner, held).await?;
                tx.commit(Vec::new()).await?;
                Ok::<_, StoreError>(kept)
            };
            match written.await {
                Ok(kept) => return Ok(kept),
                Err(error) if tries < WRITES => {
                    tracing::warn!(session.id = due.id, %error, "renewed tokens are written once more");
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn regroup(&self, due: &Due, groups: &[String]) -> Result<Fate, SignInError> {
        let mut tx = self.parts.db.begin().await?;
        let changed = store::replace_groups(&mut tx, &due.person_id, groups).await?;
        if !changed {
            // Nothing was written, so there is nothing to undo.
            drop(tx);
            return Ok(Fate::Renewed);
        }
        move_epoch(&mut tx).await?;
        if self.is_authorized(&mut tx, &due.person_id, groups).await? {
            tx.commit(Vec::new()).await?;
            tracing::info!(
                person.id = due.person_id,
                "the provider tells other groups than before"
            );
            return Ok(Fate::Renewed);
        }
        let ended = end_sessions_of(&mut tx, &due.person_id, None, "not_authorized").await?;
        let ended = i64::try_from(ended).unwrap_or(i64::MAX);
        let row = self.ended(due, "not_authorized").detail("sessions", ended);
        tx.commit(vec![row]).await?;
        Ok(Fate::Ended)
    }

    async fn not_renewed(
        &self,
        due: &Due,
        owner: &str,
        error: &OidcError,
    ) -> Result<Fate, SignInError> {
        if error.is_final() {
            return self.refused(due, error).await;
        }
        tracing::warn!(session.id = due.id, %error, "a session could not be renewed");
        self.put_off_or_end(due, owner).await
    }

    async fn refused(&self, due: &Due, error: &OidcError) -> Result<Fate, SignInError> {
        tracing::info!(session.id = due.id, %error, "the provider ends a session");
        self.end(due, "provider_refused").await
    }

    async fn put_off_or_end(&self, due: &Due, owner: &str) -> Result<Fate, SignInError> {
        let now = self.parts.db.now().await?;
        if now.since(due.groups_read_at) >= micros(STALE) {
            return self.end(due, "provider_unreachable").await;
        }
        let until = now.plus(micros(self.parts.rng.jitter(AGAIN, 0.2)));
        let mut tx = self.parts.db.begin().await?;
        store::put_off(&mut tx, &due.id, owner, until).await?;
        tx.commit(Vec::new()).await?;
        Ok(Fate::PutOff)
    }

    async fn end(&self, due: &Due, why: &'static str) -> Result<Fate, SignInError> {
        let mut tx = self.parts.db.begin().await?;
        if end_session(&mut tx, &due.id, why).await? {
            // Open streams look at the epoch.
            move_epoch(&mut tx).await?;
            tx.commit(vec![self.ended(due, why)]).await?;
        }
        Ok(Fate::Ended)
    }

    fn ended(&self, due: &Due, why: &'static str) -> AuditRow {
        let system = crate::identity::system(Arc::clone(&self.parts.gate));
        AuditRow::allowed(&system, "identity.session.end")
            .target("session", &due.id, &due.person_id)
            .on_behalf_of(&due.person_id)
            .capability(Capability::IdentityManage)
            .reason(why)
    }
}

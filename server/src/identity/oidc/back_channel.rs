//! The provider says that somebody signed out there: their sessions end here.

use std::sync::Arc;

use app::time::Micros;

use super::{
    Logout, TokenFault,
    sign_in::{SignIn, SignInError},
    store::{self, Live},
};
use crate::{
    identity::store::{end_session, move_epoch},
    journal::AuditRow,
};

impl SignIn {
    /// How many sessions ended. A token that was heard before ends none.
    pub async fn log_out(&self, token: &str) -> Result<usize, SignInError> {
        let logout = self.parts.oidc.logout(token).await?;
        let mut tx = self.parts.db.begin().await?;
        let until = Micros(logout.forget_after_s.saturating_mul(Micros::SECOND));
        if !store::hear_logout(&mut tx, &logout.id, until).await? {
            return Err(super::OidcError::from(TokenFault::Replayed).into());
        }
        let live = store::list_live(&mut tx, logout.sid.as_deref()).await?;
        let system = crate::identity::system(Arc::clone(&self.parts.gate));
        let mut rows = Vec::new();
        for session in live.iter().filter(|live| self.is_about(&logout, live)) {
            if end_session(&mut tx, &session.id, "provider_logout").await? {
                let row = AuditRow::allowed(&system, "identity.session.end")
                    .target("session", &session.id, &session.name)
                    .on_behalf_of(&session.person_id)
                    .reason("provider_logout");
                rows.push(row);
            }
        }
        let ended = rows.len();
        if ended > 0 {
            move_epoch(&mut tx).await?;
        }
        tx.commit(rows).await?;
        Ok(ended)
    }

    /// A name of a session says which; beside it, or alone, the person must be the same.
    fn is_about(&self, logout: &Logout, live: &Live) -> bool {
        let Some(subject) = &logout.subject else { return true };
        self.tokens(&live.id, &live.tokens).is_ok_and(|tokens| tokens.subject == *subject)
    }
}

//! Who is asking. Until sign-in exists, whoever reaches the console is its one built-in admin; the
//! configuration therefore refuses to be reached from other machines.

pub mod admin;
pub mod callers;
pub mod local;
pub mod oidc;
pub mod rights;
pub mod sessions;
mod store;
pub mod token;

pub use store::move_epoch;

use std::sync::Arc;

use app::{
    error::ApiError,
    identity::{Caller, CallerKind, Capability, Gate, Reach},
};
use async_trait::async_trait;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::HeaderMap;

use crate::{
    console::Console,
    journal::AuditRow,
    store::Db,
    web::{Failed, arrival::Arrival},
};

/// Finds out who sent a request.
#[async_trait]
pub trait Callers: Send + Sync {
    /// None when the request says nothing about who sent it.
    async fn find(
        &self,
        arrival: &Arrival,
        headers: &HeaderMap,
    ) -> Result<Option<Caller>, ApiError>;

    /// Whether a request without any credential has a caller. A credential then proves nothing about who
    /// made the browser send it.
    fn is_ambient(&self) -> bool {
        false
    }
}

/// Everyone is the built-in admin.
pub struct Everyone {
    gate: Arc<dyn Gate>,
}

impl Everyone {
    pub fn new(gate: Arc<dyn Gate>) -> Self {
        Self { gate }
    }
}

#[async_trait]
impl Callers for Everyone {
    async fn find(&self, arrival: &Arrival, _: &HeaderMap) -> Result<Option<Caller>, ApiError> {
        let gate = Arc::clone(&self.gate);
        let mut caller =
            Caller::new(CallerKind::User, "local-admin", "Local admin", everything(), gate);
        caller.request_id.clone_from(&arrival.request_id);
        caller.address = arrival.address;
        Ok(Some(caller))
    }

    fn is_ambient(&self) -> bool {
        true
    }
}

/// The console itself, for what happens on a clock.
pub fn system(gate: Arc<dyn Gate>) -> Caller {
    Caller::new(CallerKind::System, "system", "Quarterdeck", everything(), gate)
}

fn everything() -> Vec<(Capability, Reach)> {
    Capability::ALL.iter().map(|capability| (*capability, Reach::Everything)).collect()
}

/// Writes refusals into the audit log.
pub struct AuditedGate {
    db: Db,
}

impl AuditedGate {
    pub fn new(db: Db) -> Self {
        Self { db }
    }
}

#[async_trait]
impl Gate for AuditedGate {
    async fn refused(&self, caller: &Caller, capability: Capability) {
        let row = AuditRow::denied(caller, "identity.refuse", capability);
        let written = async { self.db.begin().await?.commit(vec![row]).await }.await;
        let (capability, caller) = (capability.as_str(), format!("{caller:?}"));
        match written {
            Ok(()) => tracing::info!(capability, caller, "refused: a capability is missing"),
            // The refusal stands all the same.
            Err(error) => {
                tracing::error!(capability, caller, %error, "refused, but not in the audit log");
            }
        }
    }
}

/// The layer that puts the caller into the request.
pub async fn layer(
    State(console): State<&'static Console>,
    arrival: Arrival,
    mut request: Request,
    next: Next,
) -> Response {
    match console.callers.find(&arrival, request.headers()).await {
        Ok(Some(caller)) => {
            // Set once per request, here alone.
            let _ = arrival.caller.set(caller.clone());
            request.extensions_mut().insert(caller);
        }
        Ok(None) => {}
        Err(error) => return Failed(error).into_response(),
    }
    next.run(request).await
}

/// The caller, for handlers behind `Access::SignedIn` or `Access::Needs`.
pub struct Asking(pub Caller);

impl<S: Sync> axum::extract::FromRequestParts<S> for Asking {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Self, Failed> {
        parts.extensions.get().cloned().map(Self).ok_or(Failed(ApiError::SignIn))
    }
}

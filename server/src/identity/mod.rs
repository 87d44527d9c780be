//! Who is asking.
//!
//! ```text
//! local, oidc ─► sessions ─► cookie ─┐
//!                       key ─► header ┴─► callers ─► Caller with rights (by epoch) ─► every handler, every stream
//! ```

pub mod admin;
pub mod callers;
pub mod epochs;
pub mod forms;
pub mod keys;
pub mod local;
pub mod oidc;
pub mod own;
pub mod rights;
pub mod sessions;
mod start;
mod store;
pub mod token;

pub use store::move_epoch;

use std::sync::Arc;

pub use start::{StartError, check_start};

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

    /// The same for a stream that is open, which is no sign of somebody at work.
    async fn still(
        &self,
        arrival: &Arrival,
        headers: &HeaderMap,
    ) -> Result<Option<Caller>, ApiError> {
        self.find(arrival, headers).await
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

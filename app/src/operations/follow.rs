//! Following one run: its steps and its log, and how far both have come. A trait of its own beside
//! [`super::Operations`], since nothing in a list needs it.

use std::sync::Arc;

use async_trait::async_trait;
use leptos::prelude::use_context;

use super::{
    View,
    log::{LogPage, Span},
    model::{Status, Step},
};
use crate::{
    error::ApiError,
    identity::{Caller, Permit, permit},
    request::PageRequest,
};

/// How far a run has come, for those who wait for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    pub status: Status,
    /// The number of its newest line; 0 when there is none.
    pub last_seq: i64,
}

#[async_trait]
pub trait Follow: Send + Sync {
    /// The steps of one run, in their order.
    async fn steps(&self, permit: &Permit<View>, id: i64) -> Result<Vec<Step>, ApiError>;

    /// Lines of one run's log, oldest first.
    async fn log(
        &self,
        permit: &Permit<View>,
        id: i64,
        span: Span,
        limit: i64,
    ) -> Result<LogPage, ApiError>;

    async fn reached(&self, permit: &Permit<View>, id: i64) -> Result<Reached, ApiError>;

    /// The names of every type in the catalog.
    fn kinds(&self) -> Vec<&'static str>;
}

/// Takes everything from context before the first await, then asks for the permit.
pub fn enter_follow()
-> impl Future<Output = Result<(Permit<View>, Arc<dyn Follow>), ApiError>> + Send {
    let caller = use_context::<Caller>()
        .or_else(|| PageRequest::from_context().and_then(|request| request.caller));
    let follow = use_context::<Arc<dyn Follow>>();
    async move {
        let caller = caller.ok_or(ApiError::SignIn)?;
        let permit = permit::<View>(&caller).await?;
        // Only a wiring fault of ours can leave the service out.
        let follow = follow.ok_or(ApiError::Internal(caller.request_id))?;
        Ok((permit, follow))
    }
}

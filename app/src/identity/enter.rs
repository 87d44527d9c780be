//! The door of the administration for its pages: the caller's permit and a service, both from context.

use std::sync::Arc;

use leptos::prelude::use_context;

use super::{Caller, Permit, Right, permit};
use crate::{error::ApiError, request::PageRequest};

/// Takes everything from context before the first await, then asks for the permit.
pub fn enter<R: Right, S: ?Sized + Send + Sync + 'static>()
-> impl Future<Output = Result<(Permit<R>, Arc<S>), ApiError>> + Send {
    let entered = enter_as_caller::<S>();
    async move {
        let (caller, service) = entered?;
        Ok((permit::<R>(&caller).await?, service))
    }
}

/// For what needs no right but to be somebody.
pub fn enter_as_caller<S: ?Sized + Send + Sync + 'static>() -> Result<(Caller, Arc<S>), ApiError> {
    let caller = PageRequest::from_context().and_then(|request| request.caller);
    let caller = caller.ok_or(ApiError::SignIn)?;
    // Only a wiring fault of ours can leave the service out.
    let service = use_context::<Arc<S>>();
    let service = service.ok_or_else(|| ApiError::Internal(caller.request_id.clone()))?;
    Ok((caller, service))
}

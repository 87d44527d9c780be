//! The door of this domain for pages and calls: the caller's permit and the service, both from context.

use std::sync::Arc;

use leptos::prelude::use_context;

use super::{Audit, View, model::FILTERS};
use crate::{
    error::{ApiError, Expected, Rule},
    identity::{Caller, Permit, permit},
    list::ListQuery,
    request::PageRequest,
};

/// Takes everything from context before the first await, then asks for the permit.
pub fn enter() -> impl Future<Output = Result<(Permit<View>, Arc<dyn Audit>), ApiError>> + Send {
    let caller = use_context::<Caller>()
        .or_else(|| PageRequest::from_context().and_then(|request| request.caller));
    let audit = use_context::<Arc<dyn Audit>>();
    async move {
        let caller = caller.ok_or(ApiError::SignIn)?;
        let permit = permit::<View>(&caller).await?;
        // Only a wiring fault of ours can leave the service out.
        let audit = audit.ok_or(ApiError::Internal(caller.request_id))?;
        Ok((permit, audit))
    }
}

/// A list's query string, read by its filters.
pub fn read_query(query: &str) -> Result<ListQuery, ApiError> {
    let pairs: Vec<(String, String)> = serde_html_form::from_str(query)
        .map_err(|_| ApiError::invalid("query", Rule::Malformed { expected: Expected::Utf8 }))?;
    ListQuery::parse(FILTERS, pairs).map_err(ApiError::Invalid)
}

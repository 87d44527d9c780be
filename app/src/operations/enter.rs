//! The door of this domain for pages and calls: the caller's permit and the service, both from context.

use std::sync::Arc;

use leptos::prelude::use_context;

use super::{Operations, filters::List};
use crate::{
    error::ApiError,
    identity::{Caller, Permit, Right, permit},
    list::ListQuery,
    request::PageRequest,
};

/// Takes everything from context before the first await, then asks for the permit.
pub fn enter<R: Right>()
-> impl Future<Output = Result<(Permit<R>, Arc<dyn Operations>), ApiError>> + Send {
    let caller = use_context::<Caller>()
        .or_else(|| PageRequest::from_context().and_then(|request| request.caller));
    let operations = use_context::<Arc<dyn Operations>>();
    async move {
        let caller = caller.ok_or(ApiError::SignIn)?;
        let permit = permit::<R>(&caller).await?;
        // Only a wiring fault of ours can leave the service out.
        let operations = operations.ok_or(ApiError::Internal(caller.request_id))?;
        Ok((permit, operations))
    }
}

/// A list's query string, read by its filters.
pub fn read_query(list: List, query: &str) -> Result<ListQuery, ApiError> {
    let pairs: Vec<(String, String)> = serde_html_form::from_str(query).map_err(|_| {
        ApiError::invalid(
            "query",
            crate::error::Rule::Malformed { expected: crate::error::Expected::Utf8 },
        )
    })?;
    ListQuery::parse(list.filters(), pairs).map_err(ApiError::Invalid)
}

/// How the reader's moments are written, for calls that draw times. To be asked before the first await.
pub fn clockface() -> Result<crate::ui::Clockface, ApiError> {
    let request = PageRequest::from_context().ok_or(ApiError::SignIn)?;
    Ok(crate::ui::Clockface::of(&request))
}

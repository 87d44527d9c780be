//! What the islands of this domain call.

use leptos::prelude::*;

use crate::error::ApiError;

/// How many entries of a list came after the newest one that its page shows; counted up to 100. `query` is the
/// page's own query string.
#[server(prefix = "/api/ui/audit", endpoint = "newer")]
pub async fn newer(query: String, after: i64) -> Result<i64, ApiError> {
    let (permit, audit) = super::enter().await?;
    let query = super::enter::read_query(&query)?;
    audit.newer(&permit, &query, after).await
}

//! What the islands of this domain call.

use leptos::prelude::*;

use super::log::ShownLines;
use crate::error::ApiError;

/// How many runs of a list came after the newest one that its page shows; counted up to 100. `query` is the
/// page's own query string; without `list` it is the list of all runs.
#[server(prefix = "/api/ui/operations", endpoint = "newer")]
pub async fn newer(
    query: String,
    after: i64,
    #[server(default)] list: String,
) -> Result<i64, ApiError> {
    let entered = crate::identity::enter::<super::View, dyn super::Lists>();
    let (permit, lists) = entered.await?;
    let list = if list.is_empty() { Ok(super::filters::List::Runs) } else { list.parse() };
    let list = list.map_err(|()| ApiError::Transport(crate::error::Transport::Args))?;
    let query = super::enter::read_query(list, &query)?;
    lists.newer(&permit, list, &query, after).await
}

/// Lines of a run's log after one of them, as its open page draws them.
#[server(prefix = "/api/ui/operations", endpoint = "log")]
pub async fn log(id: i64, after: i64) -> Result<ShownLines, ApiError> {
    let clock = super::enter::clockface()?;
    let (permit, follow) = super::enter_follow().await?;
    let page =
        follow.log(&permit, id, super::log::Span::After(after), super::log::LINES_MAX).await?;
    Ok(page.shown(&clock))
}

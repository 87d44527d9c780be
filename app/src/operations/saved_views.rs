//! A list's filters under a name: one's own, or shared with a workspace. The name leads to the list; the list
//! itself knows nothing of views.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    View,
    filters::{LISTS, List},
    model::Named,
};
use crate::{
    error::{ApiError, Rule, Violation},
    identity::Permit,
    list::{Filter, FilterKind, ListQuery, Page},
    time::Micros,
    workspaces::model::words,
};

const NAME_MAX: u32 = 80;

/// The filters of `GET /api/v1/saved-views`.
pub const SAVED_VIEW_FILTERS: &[Filter] = &[
    Filter { key: "list", label: "List", kind: FilterKind::OneOf(LISTS), column: "list" },
    Filter {
        key: "workspace_id",
        label: "Workspace",
        kind: FilterKind::Integer,
        column: "workspace_id",
    },
];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SavedView {
    pub id: String,
    pub workspace: Named,
    pub list: List,
    pub name: String,
    /// The list's own query string.
    pub query: String,
    /// What of it the list no longer takes; empty for a view that can be opened.
    pub outdated: Vec<Violation>,
    /// Everybody who sees the workspace's operations sees it; else its owner alone.
    pub shared: bool,
    pub owner_id: String,
    pub owner_name: String,
    /// Whether this caller may rename and delete it.
    pub changeable: bool,
    pub created_at: Micros,
    pub updated_at: Micros,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSavedView {
    pub list: List,
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// As in the list's address, without `?`. Its place (`page`, `cursor`) is left out.
    #[serde(default)]
    pub query: String,
    /// Needs `platform.operations.manage` in the workspace.
    #[serde(default)]
    pub shared: bool,
    /// 1 (`platform`) when absent.
    pub workspace_id: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameSavedView {
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
}

/// A name as it is stored, or the rule that it breaks.
pub fn name(typed: &str) -> Result<String, ApiError> {
    words("name", typed, 1, NAME_MAX)
}

/// A list's query string as it is stored: read by the list's filters, without the place in the list.
pub fn canonical(list: List, query: &str) -> Result<String, ApiError> {
    let mut query = read(list, query).map_err(ApiError::Invalid)?.from_start();
    query.page_size = None;
    Ok(query.to_query_string())
}

/// A stored query by the filters of today.
pub fn read(list: List, query: &str) -> Result<ListQuery, Vec<Violation>> {
    let pairs: Vec<(String, String)> = serde_html_form::from_str(query).map_err(|_| {
        let expected = crate::error::Expected::Utf8;
        vec![Violation::new("query", Rule::Malformed { expected })]
    })?;
    ListQuery::parse(list.filters(), pairs)
}

#[async_trait]
pub trait SavedViews: Send + Sync {
    /// Shared ones within reach, and the caller's own. `query` by [`SAVED_VIEW_FILTERS`].
    async fn list(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
    ) -> Result<Page<SavedView>, ApiError>;

    async fn create(&self, permit: &Permit<View>, new: NewSavedView)
    -> Result<SavedView, ApiError>;

    async fn rename(
        &self,
        permit: &Permit<View>,
        id: &str,
        name: &str,
    ) -> Result<SavedView, ApiError>;

    /// What was deleted.
    async fn delete(&self, permit: &Permit<View>, id: &str) -> Result<SavedView, ApiError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_stored_in_one_spelling_and_without_its_place() {
        let stored = canonical(List::Runs, "page=3&status=running&type=a%20b&type=&page_size=50");
        assert_eq!(stored.as_deref(), Ok("type=a%20b&status=running"));
        assert_eq!(canonical(List::Stuck, "").as_deref(), Ok(""));
        let refused = canonical(List::Failures, "status=queued").expect_err("has no such filter");
        assert_eq!(refused.status(), 422);
        assert_eq!(read(List::Runs, "colour=red").expect_err("outdated")[0].field, "colour");
    }
}

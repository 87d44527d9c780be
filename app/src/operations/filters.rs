//! What the lists of operations can be filtered by, each filter once. Which list takes which is said here too.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::stuck::STUCK_CLASSES;
use crate::{
    list::{Choice, Filter, FilterKind, ListQuery},
    paths,
};

/// One of the three lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum List {
    Runs,
    /// What is completed and failed; cancelled ones too, with a mark.
    Failures,
    /// What does not move.
    Stuck,
}

pub const LISTS: &[Choice] = &[
    Choice { value: "runs", label: "runs" },
    Choice { value: "failures", label: "failures" },
    Choice { value: "stuck", label: "stuck" },
];

const STATUSES: &[Choice] = &[
    Choice { value: "queued", label: "queued" },
    Choice { value: "running", label: "running" },
    Choice { value: "completed", label: "completed" },
];

/// What has not ended.
const ACTIVE: &[Choice] =
    &[Choice { value: "queued", label: "queued" }, Choice { value: "running", label: "running" }];

const OUTCOMES: &[Choice] = &[
    Choice { value: "pending", label: "pending" },
    Choice { value: "succeeded", label: "succeeded" },
    Choice { value: "failed", label: "failed" },
];

const fn filter(
    key: &'static str,
    label: &'static str,
    kind: FilterKind,
    column: &'static str,
) -> Filter {
    Filter { key, label, kind, column }
}

/// Names the filter that no column holds: what it asks for is derived from the clock.
pub const STUCK_CLASS_KEY: &str = "stuck_class";

const Q: Filter = filter("q", "Search error, target, initiator", FilterKind::Search, "search_text");
const TYPE: Filter = filter("type", "Type", FilterKind::Exact, "type");
const STATUS: Filter = filter("status", "Status", FilterKind::OneOf(STATUSES), "status");
const ACTIVE_STATUS: Filter = filter("status", "Status", FilterKind::OneOf(ACTIVE), "status");
const OUTCOME: Filter = filter("outcome", "Outcome", FilterKind::OneOf(OUTCOMES), "outcome");
const STUCK_CLASS: Filter =
    filter(STUCK_CLASS_KEY, "Stuck class", FilterKind::OneOf(STUCK_CLASSES), "");
const WORKSPACE: Filter = filter("workspace_id", "Workspace", FilterKind::Integer, "workspace_id");
const TENANT: Filter = filter("tenant_id", "Tenant", FilterKind::Integer, "tenant_id");
const INITIATOR: Filter = filter("initiator", "Initiator", FilterKind::Exact, "initiator_name");
const FINGERPRINT: Filter = filter("fingerprint", "Cause", FilterKind::Exact, "error_fingerprint");
const AFTER: Filter = filter("created_after", "Created from", FilterKind::Since, "created_at");
const BEFORE: Filter = filter("created_before", "Created before", FilterKind::Until, "created_at");

/// The filters of `/system/ops/runs` and of `GET /api/v1/operations`; the store knows each of them.
pub const FILTERS: &[Filter] = &[
    Q,
    TYPE,
    STATUS,
    OUTCOME,
    STUCK_CLASS,
    WORKSPACE,
    TENANT,
    INITIATOR,
    FINGERPRINT,
    AFTER,
    BEFORE,
];

/// Failures have one status and one outcome.
pub const FAILURE_FILTERS: &[Filter] =
    &[Q, TYPE, WORKSPACE, INITIATOR, TENANT, FINGERPRINT, AFTER, BEFORE];

/// What is stuck has no outcome and no error yet.
pub const STUCK_FILTERS: &[Filter] =
    &[Q, TYPE, STUCK_CLASS, ACTIVE_STATUS, WORKSPACE, TENANT, INITIATOR, AFTER, BEFORE];

/// What can be counted per state: everything but the state itself.
pub const COUNT_FILTERS: &[Filter] =
    &[Q, TYPE, WORKSPACE, TENANT, INITIATOR, FINGERPRINT, AFTER, BEFORE];

/// Of failures by cause.
pub const GROUP_FILTERS: &[Filter] =
    &[filter("q", "Search what was said", FilterKind::Search, "summary"), TYPE, WORKSPACE];

impl List {
    pub const ALL: [Self; 3] = [Self::Runs, Self::Failures, Self::Stuck];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Failures => "failures",
            Self::Stuck => "stuck",
        }
    }

    pub const fn filters(self) -> &'static [Filter] {
        match self {
            Self::Runs => FILTERS,
            Self::Failures => FAILURE_FILTERS,
            Self::Stuck => STUCK_FILTERS,
        }
    }

    /// The list's page with these filters.
    pub fn href(self, query: &ListQuery) -> String {
        let page = match self {
            Self::Runs => paths::runs(),
            Self::Failures => paths::failures(),
            Self::Stuck => paths::stuck(),
        };
        paths::filtered(page, query)
    }

    /// What another list's query asks for as far as this list can be asked, from its beginning.
    #[must_use]
    pub fn carry(self, query: &ListQuery) -> ListQuery {
        let known = |key: &str| {
            let has = |filters: &[Filter]| filters.iter().any(|filter| filter.key == key);
            has(COUNT_FILTERS) && has(self.filters())
        };
        let pairs = query.set().filter(|(key, _)| known(key));
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        ListQuery::parse(self.filters(), pairs).unwrap_or_default()
    }
}

impl std::str::FromStr for List {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|list| list.as_str() == word).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_of_a_list_is_one_that_the_store_knows() {
        for list in List::ALL {
            for filter in list.filters() {
                let known = FILTERS.iter().find(|known| known.key == filter.key);
                assert_eq!(known.map(|known| known.column), Some(filter.column), "{}", filter.key);
            }
        }
        assert_eq!(LISTS.iter().map(|c| c.value).collect::<Vec<_>>(), List::ALL.map(List::as_str));
    }

    #[test]
    fn a_list_takes_from_another_what_both_know() {
        let pairs = [("type", "a"), ("type", "b"), ("status", "completed"), ("fingerprint", "f")];
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let query = ListQuery::parse(FILTERS, pairs).expect("all of it is allowed");
        assert_eq!(List::Stuck.carry(&query).to_query_string(), "type=a&type=b");
        assert_eq!(List::Failures.carry(&query).to_query_string(), "type=a&type=b&fingerprint=f");
    }
}

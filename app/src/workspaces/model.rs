//! A workspace and its tenants as they cross the wire, and what they may be called.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    error::{ApiError, Expected, Rule},
    list::{Choice, Filter, FilterKind},
    time::Micros,
};

/// Built in: owns what the console does for itself (DECIDED 13).
pub const PLATFORM: i64 = 1;
const NAME_MAX: u32 = 80;

/// A workspace, named for those who read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkspaceRef {
    pub id: i64,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Workspace {
    pub id: i64,
    pub name: String,
    /// It belongs to the console itself and stays as it is.
    pub built_in: bool,
    pub tenants: Vec<Tenant>,
    pub created_at: Micros,
    /// From then on it takes nothing new; what it has stays to be read.
    pub archived_at: Option<Micros>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tenant {
    pub id: i64,
    pub workspace_id: i64,
    pub name: String,
    pub created_at: Micros,
    pub archived_at: Option<Micros>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWorkspace {
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    pub workspace_id: i64,
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
}

/// Another name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
}

const STATES: &[Choice] =
    &[Choice { value: "open", label: "open" }, Choice { value: "archived", label: "archived" }];

pub const FILTERS: &[Filter] = &[
    Filter { key: "q", label: "Search name", kind: FilterKind::Search, column: "name" },
    Filter { key: "state", label: "State", kind: FilterKind::OneOf(STATES), column: "archived_at" },
];

pub const TENANT_FILTERS: &[Filter] = &[
    Filter { key: "q", label: "Search name", kind: FilterKind::Search, column: "name" },
    Filter { key: "state", label: "State", kind: FilterKind::OneOf(STATES), column: "archived_at" },
    Filter {
        key: "workspace_id",
        label: "Workspace",
        kind: FilterKind::Integer,
        column: "workspace_id",
    },
];

/// A name without spaces around it and without control characters, or the rule that it breaks.
pub fn name(field: &'static str, typed: &str) -> Result<String, ApiError> {
    words(field, typed, 1, NAME_MAX)
}

/// One line of text of `min` to `max` characters, without spaces around it.
pub fn words(field: &'static str, typed: &str, min: u32, max: u32) -> Result<String, ApiError> {
    let text = typed.trim();
    let count = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    if count == 0 && min > 0 {
        return Err(ApiError::invalid(field, Rule::Required));
    }
    if !(min..=max).contains(&count) {
        return Err(ApiError::invalid(field, Rule::Length { min, max }));
    }
    // They turn the line around or break it in logs and lists.
    let unseen = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    if text.chars().any(unseen) {
        return Err(ApiError::invalid(field, Rule::Malformed { expected: Expected::Text }));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_that_can_be_seen() {
        assert_eq!(name("name", "  Payments EU ").expect("a name"), "Payments EU");
        assert_eq!(name("name", &"é".repeat(80)).expect("80 characters").chars().count(), 80);
        for bad in
            ["", "   ", &"x".repeat(81), "two\nlines", "nul\0", "\u{202e}gnp", "zero\u{200b}"]
        {
            let refused = name("name", bad).expect_err(bad);
            assert_eq!(refused.status(), 422, "{bad:?}");
        }
    }
}

//! Who somebody is, as pages and the JSON API tell it; below it what is administered: people, grants, keys.

mod administration;
mod typed;

pub use administration::*;
pub use typed::*;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Capability, Role};
use crate::time::Micros;

/// Who asks, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    pub id: String,
    pub email: Option<String>,
    pub display_name: String,
    /// As the identity provider told them last.
    pub groups: Vec<String>,
    /// Whether anything at all is granted.
    pub is_authorized: bool,
    pub capabilities: Vec<Capability>,
    /// Whether a grant reaches every workspace, those to come too.
    pub everything: bool,
    /// Every workspace in reach.
    pub workspaces: Vec<WorkspaceName>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WorkspaceName {
    pub id: i64,
    pub name: String,
}

/// `POST /api/v1/session`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    #[schema(example = "ada")]
    pub name: String,
    #[schema(example = "correct horse battery")]
    pub password: String,
}

/// The person behind one's own page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    pub me: Me,
    /// The name to sign in with; none for people of the identity provider and for keys.
    pub login: Option<String>,
    pub roles: Vec<(Role, Option<WorkspaceName>)>,
    pub sessions: Vec<OwnSession>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnSession {
    pub id: String,
    /// Whether it is the one that asks.
    pub here: bool,
    pub method: String,
    pub address: Option<String>,
    /// The browser's own words for itself.
    pub device: Option<String>,
    pub created_at: Micros,
    pub seen_at: Micros,
    pub expires_at: Micros,
}

/// Whom a link that works once is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    pub link: String,
    pub to: WelcomeTo,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WelcomeTo {
    /// Whoever holds it becomes the first admin.
    FirstAdmin,
    Person {
        login: String,
        name: String,
    },
}

/// The ways in that this console has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaysIn {
    /// Whether an identity provider is configured.
    pub provider: bool,
    /// The demo's people, one click each.
    pub demo: bool,
    /// Nobody can sign in anew.
    pub read_only: bool,
}

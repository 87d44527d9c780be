//! People, sessions, grants and keys as they cross the wire, and their filters. What may be typed: [`typed`](super::typed).

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::{Capability, Role};
use crate::{
    list::{Choice, Filter, FilterKind},
    time::Micros,
    workspaces::model::WorkspaceRef,
};

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($variant:ident = $word:literal, $label:literal);+ $(;)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        pub enum $type { $(#[serde(rename = $word)] $variant),+ }

        impl $type {
            pub const CHOICES: &'static [Choice] =
                &[$(Choice { value: $word, label: $label }),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }

        impl std::str::FromStr for $type {
            type Err = ();

            fn from_str(word: &str) -> Result<Self, ()> {
                match word { $($word => Ok(Self::$variant),)+ _ => Err(()) }
            }
        }
    };
}

words!(
    /// Who knows the person's password.
    Source { Local = "local", "this console"; Oidc = "oidc", "identity provider" }
);
words!(
    /// Who can hold a grant.
    SubjectKind { Person = "person", "person"; Group = "group", "group"; ApiKey = "api_key", "service key" }
);
words!(
    /// Whether a key opens anything.
    KeyState {
        Active = "active", "active"; Expired = "expired", "expired"; Revoked = "revoked", "revoked";
        OwnerDisabled = "owner_disabled", "owner disabled";
    }
);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Person {
    pub id: String,
    pub source: Source,
    /// Local: the name to sign in with. Else what the provider's claims make of the person.
    pub login: String,
    pub display_name: String,
    pub email: Option<String>,
    /// As the provider told them last.
    pub groups: Vec<String>,
    /// What they may do, and by which grant.
    pub roles: Vec<HeldRole>,
    /// Whether there is a password to sign in with; of people of the provider nothing is known.
    pub has_password: bool,
    pub created_at: Micros,
    pub signed_in_at: Option<Micros>,
    pub disabled_at: Option<Micros>,
}

/// A role that somebody has, with where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct HeldRole {
    pub role: Role,
    /// Null for everything.
    pub workspace: Option<WorkspaceRef>,
    /// The group that it was granted to; null for the person's own.
    pub group: Option<String>,
    /// Given by the configuration, and changed there.
    pub configured: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PersonDetail {
    #[serde(flatten)]
    pub person: Person,
    /// Those that last.
    pub sessions: Vec<Session>,
    pub keys: Vec<ApiKey>,
}

/// Somebody's browser or script that is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Session {
    pub id: String,
    /// `local`, `oidc`, `demo` or `setup`.
    pub method: String,
    pub address: Option<String>,
    /// The browser's own words for itself.
    pub device: Option<String>,
    pub created_at: Micros,
    /// At most a minute old.
    pub seen_at: Micros,
    pub expires_at: Micros,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// To sign in with: letters, digits and `. _ - @ +`; kept in lower case.
    #[schema(min_length = 1, max_length = 100)]
    pub login: String,
    /// The login when absent.
    #[schema(max_length = 100)]
    pub display_name: Option<String>,
    #[schema(max_length = 254)]
    pub email: Option<String>,
}

/// What is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePerson {
    #[schema(min_length = 1, max_length = 100)]
    pub display_name: Option<String>,
    /// Empty: no address any more.
    #[schema(max_length = 254)]
    pub email: Option<String>,
    pub disabled: Option<bool>,
}

/// A link that works once, to choose a password.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PasswordLink {
    /// Shown now and never again.
    pub link: String,
    pub expires_at: Micros,
}

/// Somebody new, with the link to their first password.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AddedPerson {
    #[serde(flatten)]
    pub person: Person,
    pub password_link: PasswordLink,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Grant {
    pub id: String,
    pub subject: Subject,
    pub role: Role,
    /// Null for everything.
    pub workspace: Option<WorkspaceRef>,
    pub created_at: Micros,
    pub created_by_id: String,
    pub created_by_name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Subject {
    pub kind: SubjectKind,
    /// A group's is its name.
    pub id: String,
    pub name: String,
}

/// A role that the configuration gives to a group of the identity provider, on everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConfiguredGrant {
    pub group: String,
    pub role: Role,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    pub subject_kind: SubjectKind,
    /// A person's id or local login, a group's name, the id of a key without an owner.
    #[schema(min_length = 1, max_length = 200)]
    pub subject: String,
    pub role: Role,
    /// Absent for everything.
    pub workspace_id: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApiKey {
    pub id: String,
    pub name: String,
    /// Its first letters, to tell keys apart.
    pub prefix: String,
    pub state: KeyState,
    /// Whose rights it uses; null for a key of a service, which has grants of its own.
    pub owner: Option<KeyOwner>,
    pub service_identity: Option<String>,
    /// The most that it may do.
    pub capabilities: Vec<Capability>,
    /// Null for everything that its owner or its grants reach.
    pub workspace: Option<WorkspaceRef>,
    pub created_at: Micros,
    pub created_by_id: String,
    pub created_by_name: String,
    pub expires_at: Option<Micros>,
    pub used_at: Option<Micros>,
    pub revoked_at: Option<Micros>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeyOwner {
    pub id: String,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// The most that it may do; each must be yours.
    #[schema(min_items = 1)]
    pub capabilities: Vec<Capability>,
    /// Absent for everything that its owner or its grants reach.
    pub workspace_id: Option<i64>,
    /// Not together with `expires_at`; neither: it lasts until it is revoked.
    #[schema(minimum = 1, maximum = 3650)]
    pub expires_in_days: Option<i64>,
    pub expires_at: Option<Micros>,
    /// Makes it a key without an owner, for the service of this name. Needs `identity.manage`.
    #[schema(min_length = 1, max_length = 100)]
    pub service_identity: Option<String>,
    /// An existing key of 16 to 256 printable characters, to be taken over. Needs `identity.manage`.
    #[schema(value_type = Option<String>, min_length = 16, max_length = 256)]
    pub key: Option<Secret>,
}

/// A key that was just made: the one moment at which it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MintedKey {
    #[serde(flatten)]
    pub key: ApiKey,
    /// Shown now and never again; absent for one that was imported.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

/// Text that must not come into a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

impl fmt::Debug for PasswordLink {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PasswordLink(…, until {})", self.expires_at)
    }
}

/// What is shown on the answer to the form that made it, and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShownOnce {
    Link { name: String, link: PasswordLink },
    Key(Box<MintedKey>),
}

const PERSON_STATES: &[Choice] = &[
    Choice { value: "enabled", label: "enabled" },
    Choice { value: "disabled", label: "disabled" },
];
const ROLES: &[Choice] = &[
    Choice { value: "auditor", label: "Auditor" },
    Choice { value: "operator", label: "Operator" },
    Choice { value: "admin", label: "Admin" },
];

const fn filter(key: &'static str, label: &'static str, kind: FilterKind) -> Filter {
    Filter { key, label, kind, column: key }
}

pub const PEOPLE_FILTERS: &[Filter] = &[
    filter("q", "Search name, login, e-mail", FilterKind::Search),
    filter("source", "Source", FilterKind::OneOf(Source::CHOICES)),
    filter("state", "State", FilterKind::OneOf(PERSON_STATES)),
    filter("group", "Group", FilterKind::Exact),
];

pub const GRANT_FILTERS: &[Filter] = &[
    filter("subject_kind", "Granted to", FilterKind::OneOf(SubjectKind::CHOICES)),
    filter("role", "Role", FilterKind::OneOf(ROLES)),
    filter("workspace_id", "Workspace", FilterKind::Integer),
    filter("subject_id", "Subject", FilterKind::Exact),
];

pub const KEY_FILTERS: &[Filter] = &[
    filter("q", "Search name, service, owner", FilterKind::Search),
    filter("state", "State", FilterKind::OneOf(KeyState::CHOICES)),
    filter("workspace_id", "Workspace", FilterKind::Integer),
];

impl ApiKey {
    /// At `now`, in the order in which a key fails.
    pub fn state(
        revoked: bool,
        expires_at: Option<Micros>,
        owner_disabled: bool,
        now: Micros,
    ) -> KeyState {
        if revoked {
            KeyState::Revoked
        } else if expires_at.is_some_and(|end| end <= now) {
            KeyState::Expired
        } else if owner_disabled {
            KeyState::OwnerDisabled
        } else {
            KeyState::Active
        }
    }
}

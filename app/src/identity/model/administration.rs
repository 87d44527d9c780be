//! People, sessions, grants and keys as they cross the wire, their filters, and their rules from values alone.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::{Capability, Role};
use crate::{
    error::{ApiError, Expected, Rule},
    list::{Choice, Filter, FilterKind},
    time::Micros,
    workspaces::model::{WorkspaceRef, words},
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

const LOGIN_MAX: u32 = 100;
const NAME_MAX: u32 = 100;
const EMAIL_MAX: u32 = 254;
const GROUP_MAX: u32 = 200;
pub const DAYS_MAX: i64 = 3650;
const KEY_MIN: u32 = 16;
const KEY_MAX: u32 = 256;

/// The name to sign in with, as it is kept.
pub fn login(typed: &str) -> Result<String, ApiError> {
    let login = words("login", typed, 1, LOGIN_MAX)?.to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@+".contains(c);
    if !login.chars().all(plain) {
        return Err(ApiError::invalid("login", Rule::Malformed { expected: Expected::Text }));
    }
    Ok(login)
}

pub fn display_name(typed: &str) -> Result<String, ApiError> {
    words("display_name", typed, 1, NAME_MAX)
}

/// None for an empty one. Whether mail arrives there only the mail can tell.
pub fn email(typed: &str) -> Result<Option<String>, ApiError> {
    let email = words("email", typed, 0, EMAIL_MAX)?;
    if email.is_empty() {
        return Ok(None);
    }
    let shaped =
        email.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    if !shaped || email.contains(char::is_whitespace) {
        return Err(ApiError::invalid("email", Rule::Malformed { expected: Expected::Text }));
    }
    Ok(Some(email))
}

pub fn group(typed: &str) -> Result<String, ApiError> {
    words("subject", typed, 1, GROUP_MAX)
}

/// An existing key that is to be taken over: as a header can carry it (DECIDED 7).
pub fn imported(key: &Secret) -> Result<(), ApiError> {
    let key = key.0.as_str();
    if !(KEY_MIN as usize..=KEY_MAX as usize).contains(&key.chars().count()) {
        return Err(ApiError::invalid("key", Rule::Length { min: KEY_MIN, max: KEY_MAX }));
    }
    let printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !printable || key.trim() != key {
        return Err(ApiError::invalid("key", Rule::Malformed { expected: Expected::Text }));
    }
    Ok(())
}

/// When a key that is made at `now` ends; none for never.
pub fn expiry(new: &NewKey, now: Micros) -> Result<Option<Micros>, ApiError> {
    const DAY: i64 = 24 * 3600 * Micros::SECOND;
    match (new.expires_in_days, new.expires_at) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(ApiError::invalid("expires_at", Rule::Repeated)),
        (Some(days), None) if (1..=DAYS_MAX).contains(&days) => Ok(Some(now.plus(days * DAY))),
        (Some(_), None) => {
            Err(ApiError::invalid("expires_in_days", Rule::Range { min: 1, max: DAYS_MAX }))
        }
        (None, Some(at)) if at > now && at.since(now) <= DAYS_MAX * DAY => Ok(Some(at)),
        (None, Some(_)) => {
            Err(ApiError::invalid("expires_at", Rule::Malformed { expected: Expected::Time }))
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_plain_and_lower_case() {
        assert_eq!(login(" Ada.L@example.com ").expect("a login"), "ada.l@example.com");
        for bad in ["", " ", "two words", "ада", "a/b", "a\0", &"x".repeat(101)] {
            assert_eq!(login(bad).expect_err(bad).status(), 422, "{bad:?}");
        }
    }

    #[test]
    fn an_address_has_two_sides_or_is_none() {
        assert_eq!(email(" ").expect("none"), None);
        assert_eq!(email("a@b").expect("an address"), Some("a@b".to_owned()));
        for bad in ["a", "@b", "a@", "a b@c", "a@b\r\nBcc: c@d"] {
            assert!(email(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_imported_key_is_as_a_header_can_carry_it() {
        let check = |key: &str| imported(&Secret(key.to_owned()));
        assert_eq!(check(&"k".repeat(16)), Ok(()));
        assert_eq!(check(&"k".repeat(256)), Ok(()));
        assert_eq!(check("sixteen and more!"), Ok(()));
        for bad in [
            "short",
            &"k".repeat(257),
            "sixteen chars é!!",
            " leading and long",
            "line\nbreak in the key",
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        assert_eq!(format!("{:?}", Secret("hunter2".to_owned())), "Secret(…)");
    }

    #[test]
    fn a_key_ends_as_asked_or_never() {
        let now = Micros(1_000_000_000_000);
        let mut new = NewKey {
            name: "k".to_owned(),
            capabilities: vec![],
            workspace_id: None,
            expires_in_days: None,
            expires_at: None,
            service_identity: None,
            key: None,
        };
        assert_eq!(expiry(&new, now), Ok(None));
        new.expires_in_days = Some(1);
        assert_eq!(expiry(&new, now), Ok(Some(now.plus(86_400 * Micros::SECOND))));
        new.expires_in_days = Some(i64::MAX);
        assert!(expiry(&new, now).is_err());
        new.expires_at = Some(now);
        assert!(expiry(&new, now).is_err(), "two ends");
        new.expires_in_days = None;
        assert!(expiry(&new, now).is_err(), "it would be over already");
    }
}

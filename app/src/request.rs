//! What a page may know about the request that it answers. Given in context to each render.

use jiff::tz::TimeZone;
use leptos::prelude::use_context;

use crate::{
    error::ApiError,
    identity::{Caller, model::ShownOnce},
    time::Micros,
};

#[derive(Clone, Debug)]
pub struct PageRequest {
    /// Without the base.
    pub path: String,
    /// The query as it came, without `?`.
    pub query: String,
    /// The query, decoded; pairs that are not UTF-8 were refused before.
    pub pairs: Vec<(String, String)>,
    pub now: Micros,
    /// The viewer's zone, and whether they ever told it.
    pub zone: Zone,
    pub request_id: String,
    pub caller: Option<Caller>,
    pub assets: Assets,
    pub banner: Option<Banner>,
    /// The name of this installation, such as "production", shown above every page.
    pub environment: Option<String>,
    pub flash: Option<Flash>,
    /// A form of this page that was posted and refused.
    pub refused: Option<RefusedForm>,
    /// A form of this page that was posted to be looked at: nothing was done with it.
    pub posted: Option<Posted>,
    /// What the form that was posted made, and what is shown on this answer alone.
    pub shown: Option<ShownOnce>,
    /// The page that the server decided on without the router: an error.
    pub failed: Option<ApiError>,
}

#[derive(Clone, Debug)]
pub struct Zone {
    pub tz: TimeZone,
    /// `Europe/Lisbon`, or `UTC` until the browser has told.
    pub name: String,
    pub told: bool,
}

/// The hashed URLs of what the shell loads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assets {
    pub css: String,
    pub js: String,
    pub wasm: String,
    pub favicon: String,
}

/// A line above every page, in the words of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Banner {
    /// The demo's one-click sign-in is on; loopback only.
    Demo,
}

/// What the last request did, told once on the next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flash {
    OperationStarted(i64),
    OperationExists(i64),
    PasswordChanged,
    SessionEnded,
    /// A change of the administration, which needs no more words.
    Saved(Saved),
}

macro_rules! saved {
    ($($variant:ident = $word:literal, $says:literal;)+) => {
        /// What was changed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Saved { $($variant),+ }

        impl Saved {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub const fn says(self) -> &'static str {
                match self { $(Self::$variant => $says),+ }
            }
        }
    };
}

saved! {
    PersonChanged = "person-changed", "The person was changed.";
    PersonDisabled = "person-disabled", "The person was disabled; their sessions have ended and their keys open nothing.";
    PersonEnabled = "person-enabled", "The person may sign in again.";
    SessionEnded = "session-ended", "The session was ended.";
    GrantAdded = "grant-added", "Granted. It counts from now on, in open sessions too.";
    GrantRemoved = "grant-removed", "The grant was removed. It counts no more, in open sessions neither.";
    KeyImported = "key-imported", "The key was taken over.";
    KeyRevoked = "key-revoked", "The key was revoked, with all that was made with it.";
    WorkspaceCreated = "workspace-created", "The workspace was created.";
    WorkspaceRenamed = "workspace-renamed", "The workspace was renamed.";
    WorkspaceArchived = "workspace-archived", "The workspace was archived; it takes nothing new.";
    TenantCreated = "tenant-created", "The tenant was created.";
    TenantRenamed = "tenant-renamed", "The tenant was renamed.";
    TenantArchived = "tenant-archived", "The tenant was archived; it takes nothing new.";
    ViewSaved = "view-saved", "The view was saved.";
    ViewRenamed = "view-renamed", "The view was renamed.";
    ViewDeleted = "view-deleted", "The view was deleted. What it showed is still there.";
    RunbookSaved = "runbook-saved", "The runbook was saved; it counts in this workspace from now on.";
    RunbookRestored = "runbook-restored", "The earlier text counts again, as a version of its own.";
    RunbookOfProduct = "runbook-product", "The runbook of the product counts in this workspace.";
    OperationCancelled = "operation-cancelled", "The operation was cancelled.";
    CancelRequested = "cancel-requested", "Its worker was asked to end it. This page shows when it has.";
    OperationEnded = "operation-ended", "The operation was ended without its worker.";
    Investigated = "investigated", "Marked as investigated.";
    ClusterRegistered = "cluster-registered", "The cluster was registered. It is being looked at.";
    ClustersImported = "clusters-imported", "The clusters were registered. They are being looked at.";
    ClusterChanged = "cluster-changed", "The settings were saved.";
    ClusterDue = "cluster-due", "It is looked at as soon as can be.";
    ClusterRemoved = "cluster-removed", "The cluster was removed, and what opened it was erased.";
    CredentialStored = "credential-stored", "The credential was stored; from now on it is used.";
    CredentialChecked = "credential-checked", "The credential was checked; what it is worth stands below.";
    CredentialRemoved = "credential-removed", "The credential was erased.";
}

/// A form that is drawn again with what was typed, and was not refused: a preview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The form's own name.
    pub form: &'static str,
    pub values: Vec<(String, String)>,
}

impl Posted {
    pub fn value(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }
}

/// A refused form: drawn again with what was typed. Secrets are never put in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedForm {
    /// The form's own name, since a page may have several.
    pub form: &'static str,
    pub values: Vec<(String, String)>,
    pub error: ApiError,
}

impl PageRequest {
    /// The first value of that name in the query.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// The request in context. Absent only while the routes are listed at start.
    pub fn from_context() -> Option<Self> {
        use_context()
    }
}

impl Flash {
    /// As kept in a short-lived cookie.
    pub fn to_cookie(self) -> String {
        match self {
            Self::OperationStarted(id) => format!("operation-started.{id}"),
            Self::OperationExists(id) => format!("operation-exists.{id}"),
            Self::Saved(saved) => format!("saved.{}", saved.word()),
            Self::PasswordChanged => "password-changed".to_owned(),
            Self::SessionEnded => "session-ended".to_owned(),
        }
    }

    /// Anything that we did not write ourselves says nothing.
    pub fn from_cookie(value: &str) -> Option<Self> {
        match value {
            "password-changed" => return Some(Self::PasswordChanged),
            "session-ended" => return Some(Self::SessionEnded),
            _ => {}
        }
        let (kind, id) = value.split_once('.')?;
        if kind == "saved" {
            return Saved::ALL.iter().copied().find(|saved| saved.word() == id).map(Self::Saved);
        }
        let id = id.parse().ok().filter(|id| *id > 0)?;
        match kind {
            "operation-started" => Some(Self::OperationStarted(id)),
            "operation-exists" => Some(Self::OperationExists(id)),
            _ => None,
        }
    }
}

impl RefusedForm {
    pub fn value(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }
}

//! What is not healthy, and why: one cause at one object, with the fields that say so. Nothing in here is a guess.

use serde::Serialize;
use utoipa::ToSchema;

use crate::time::Micros;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Does not work.
    Bad,
    /// Works in part, or will not for long.
    Warning,
    /// A setting that explains much when something does not work; nothing says that it is wrong.
    Notice,
}

macro_rules! causes {
    ($($variant:ident = $word:literal, $label:literal;)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Cause { $($variant),+ }

        impl Cause {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// On a badge.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }
    };
}

causes! {
    ImageMissing = "image_missing", "image not found";
    ImageDenied = "image_denied", "image not allowed";
    ImagePull = "image_pull", "image not pulled";
    CrashLoop = "crash_loop", "crash loop";
    OutOfMemory = "out_of_memory", "out of memory";
    InitFailed = "init_failed", "init container fails";
    ConfigMapMissing = "config_map_missing", "config map missing";
    SecretMissing = "secret_missing", "secret missing";
    KeyMissing = "key_missing", "key missing";
    MountFailed = "mount_failed", "volume not mounted";
    NotReady = "not_ready", "not ready";
    LivenessFails = "liveness_fails", "liveness probe fails";
    ResourcesShort = "resources_short", "no room";
    Taint = "taint", "nodes are tainted";
    Unschedulable = "unschedulable", "unschedulable";
    ClaimUnbound = "claim_unbound", "volume claim unbound";
    SelectorMismatch = "selector_mismatch", "no endpoints";
    PortMismatch = "port_mismatch", "port mismatch";
    IngressDenied = "ingress_denied", "ingress denied";
    EgressDenied = "egress_denied", "egress denied";
    OtherNamespacesDenied = "other_namespaces_denied", "own namespace only";
    ServiceAccountMissing = "service_account_missing", "service account missing";
    RoleForbids = "role_forbids", "RBAC: role";
    ClusterRoleForbids = "cluster_role_forbids", "RBAC: cluster role";
    CreateFailed = "create_failed", "pods not created";
    RolloutStuck = "rollout_stuck", "rollout stuck";
    JobFailed = "job_failed", "job failed";
    NodeNotReady = "node_not_ready", "node not ready";
    NodePressure = "node_pressure", "node under pressure";
    Evicted = "evicted", "evicted";
}

/// A field and its value, or an event with its age.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Evidence {
    /// `spec.containers[main].image`, `event FailedMount`.
    pub source: String,
    pub value: String,
    /// When it was so; null for a setting.
    pub at: Option<Micros>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Finding {
    pub cause: Cause,
    pub severity: Severity,
    /// Of the object that people know: the deployment rather than its pods.
    pub kind: String,
    /// Null for what lives in no namespace.
    pub namespace: Option<String>,
    pub name: String,
    /// How many pods it concerns; 0 when it is not about pods.
    pub pods: u32,
    /// What is wrong, in one sentence.
    pub says: String,
    pub evidence: Vec<Evidence>,
    /// What to do next.
    pub next: String,
    /// Since when, where the API tells.
    pub since: Option<Micros>,
}

impl Finding {
    /// `payments / checkout`.
    pub fn title(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace} / {}", self.name),
            None => self.name.clone(),
        }
    }
}

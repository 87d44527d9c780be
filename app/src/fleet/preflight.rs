//! What a look at a cluster, before it is registered and whenever its credential is checked, has found.
//!
//! Everything that such a look can say stands here as a word with its sentence, since what a server answers is data
//! and is not repeated.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{trouble::Trouble, upstreams::UpstreamWay};
use crate::time::Micros;

/// How one look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Good,
    /// It works, and should be otherwise.
    Warn,
    Bad,
    /// It could not be looked at, since something before it failed.
    Unknown,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// `reached`, `certificate`, `identity`, `version`, `excess`, `missing`, `expiry`, `prometheus`, `tempo`, `loki`.
    pub key: String,
    pub label: String,
    pub verdict: Verdict,
    pub says: String,
    /// What to do about it; null where nothing is to be done.
    pub way_out: Option<String>,
}

/// Something that the credential may do and should not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Excess {
    /// `get nodes/proxy`
    pub what: String,
    pub why: String,
}

/// Something that a feature needs and the credential may not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Missing {
    pub feature: String,
    /// `list pods`
    pub what: Vec<String>,
}

/// All that one look has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Preflight {
    pub looked_at: Micros,
    /// Null when the cluster is open to this credential.
    pub trouble: Option<Trouble>,
    pub checks: Vec<Check>,
    pub identity: Option<String>,
    pub groups: Vec<String>,
    pub kubernetes_version: Option<String>,
    /// When the credential ends, from the token or the certificate.
    pub expires_at: Option<Micros>,
    pub certificate_expires_at: Option<Micros>,
    pub excess: Vec<Excess>,
    pub missing: Vec<Missing>,
    /// By which way each configured upstream is reached.
    #[serde(default)]
    pub upstreams: Vec<UpstreamWay>,
}

impl Preflight {
    /// What was configured beside the API server; one check for each, since the way follows from the address.
    #[must_use]
    pub fn with_upstreams(mut self, ways: Vec<UpstreamWay>) -> Self {
        self.checks.extend(ways.iter().map(|way| Check {
            key: way.upstream.clone(),
            label: way.label().to_owned(),
            verdict: if way.way_out.is_some() { Verdict::Warn } else { Verdict::Good },
            says: way.says.clone(),
            way_out: way.way_out.clone(),
        }));
        self.upstreams = ways;
        self
    }

    /// Whether the cluster is open to this credential.
    pub fn is_open(&self) -> bool {
        self.trouble.is_none()
    }
}

/// What a stored credential is worth, as `POST …/credentials/validate` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Validation {
    pub valid: bool,
    /// `valid`, or why not: `unauthorized`, `expired`, `forbidden`, `unreachable`, …
    pub status: String,
    pub message: String,
    #[serde(flatten)]
    pub preflight: Preflight,
}

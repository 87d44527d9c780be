//! A registration that is looked at and not decided yet, as far as it may be shown; and clusters taken over from a
//! kubeconfig, several at once.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    model::{ClusterType, Environment, Transport},
    preflight::Preflight,
};
use crate::identity::model::Secret;

/// Contexts that are taken over at once, at most.
pub const IMPORT_MAX: usize = 100;

/// One context of a kubeconfig.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextRow {
    pub name: String,
    pub server: Option<String>,
    pub user: Option<String>,
    pub is_current: bool,
    /// Why it cannot be used; none when it can.
    pub refused: Option<String>,
}

/// How far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// The kubeconfig has several contexts, and one is to be chosen, or many are to be taken over.
    Choose {
        contexts: Vec<ContextRow>,
    },
    Checked {
        preflight: Box<Preflight>,
    },
    /// There is nothing to look at yet: an outpost is to come, or nothing opens it.
    Unchecked,
}

/// What may be shown of it: all but what is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub id: String,
    pub name: String,
    pub display_name: Option<String>,
    pub api_server_url: String,
    pub transport: Transport,
    pub cluster_type: ClusterType,
    pub environment: Environment,
    pub region: Option<String>,
    /// `kubeconfig`, `service account token`, …; none where nothing opens it.
    pub opened_by: Option<&'static str>,
    pub context: Option<String>,
    /// Of upstreams behind the API server's proxy: a right is needed in each.
    pub proxied_namespaces: Vec<String>,
    pub stage: Stage,
}

/// Clusters of one kubeconfig, each named after its context.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportClusters {
    #[schema(value_type = String)]
    pub kubeconfig: Secret,
    /// All that can be used when absent.
    #[serde(default)]
    pub contexts: Option<Vec<String>>,
    #[serde(default)]
    pub cluster_type: ClusterType,
    #[serde(default)]
    pub environment: Environment,
    #[serde(default)]
    pub workspace_id: Option<i64>,
}

/// What became of one context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Imported {
    pub context: String,
    /// The cluster's name; null when none could be made of the context's.
    pub name: Option<String>,
    /// Null when it was not registered.
    pub cluster_id: Option<String>,
    /// What the look at it said: `valid`, or why not.
    pub status: Option<String>,
    /// Why it was not registered.
    pub message: Option<String>,
}

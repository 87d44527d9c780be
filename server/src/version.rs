//! Which build this is.

use serde::Serialize;
use utoipa::ToSchema;

use crate::store::SCHEMA_VERSION;

pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Empty when the build did not know it.
pub const COMMIT: &str = env!("QUARTERDECK_COMMIT");

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Version {
    pub version: &'static str,
    /// The commit that was built; absent when the build did not know it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub commit: &'static str,
    /// The schema of the database that it was written for.
    pub schema_version: i64,
}

impl Version {
    pub fn current() -> Self {
        Self { version: VERSION, commit: COMMIT, schema_version: SCHEMA_VERSION }
    }
}

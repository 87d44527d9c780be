//! What must hold before the console serves: somebody must be able to come in, or it would stand there locked.

use super::store;
use crate::{
    config::Config,
    store::{Db, StoreError},
};

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// DECIDED 8.
    #[error(
        "people sign in through {issuer}, and nothing is granted to any of them: nobody could use this console. Name a \
         group of the provider that gets a role, such as `--oidc-grant GROUP=admin` (or QUARTERDECK_OIDC_GRANT, or \
         `oidc_grant` in the file); or start once without `oidc_issuer` and make the first admin with the link that is \
         printed then"
    )]
    NobodyMayEnter { issuer: String },
    #[error("what is granted cannot be read: {0}")]
    Store(#[from] StoreError),
}

/// With sign-in through a provider there must be a role for somebody: by the configuration, or granted in the store,
/// as it is to a local admin.
pub async fn check_start(config: &Config, db: &Db) -> Result<(), StartError> {
    let Some(oidc) = &config.oidc else { return Ok(()) };
    if !config.oidc_grants.is_empty() || store::holds_any_grant(db).await? {
        return Ok(());
    }
    Err(StartError::NobodyMayEnter { issuer: oidc.issuer.clone() })
}

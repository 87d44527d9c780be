//! The administration of identity: people, what is granted to whom, and keys.
//!
//! Owns the services behind `/settings/people`, `/settings/grants`, `/settings/keys` and `/account/keys`, and their JSON.
//! Must not sign anybody in; a password is chosen by whoever holds the link that is made here.
//!
//! Two rules hold on every path:
//! - **Nobody hands on what they do not hold.** A grant, a key, a link to somebody's password and the end of a ban
//!   all give rights; the caller must have each of them, as far as it would reach.
//! - **Changes wait for each other** at the row of the epoch ([`store::begin`]), so that "the last admin" is judged by
//!   what the change before left. A refusal is reported after the change is dropped: it writes by itself.

mod grants;
mod keys;
mod people;
mod store;

pub mod forms;

use app::{
    error::{ApiError, Conflict},
    identity::{Capability, Reach, Role, model::ConfiguredGrant},
};

use self::store::refused;
use super::rights::{Held, rights};
use crate::{
    clock::Rng,
    config::Config,
    store::{Db, Tx},
};

/// The services, ready to serve.
pub struct Admin {
    db: Db,
    rng: Rng,
    configured: Vec<ConfiguredGrant>,
    /// Whether people can sign in through an identity provider.
    with_provider: bool,
    /// What stands before our paths in a link that leaves the console.
    origin: String,
}

impl Admin {
    pub fn new(db: Db, rng: Rng, config: &Config) -> Self {
        let given = config.oidc_grants.iter();
        Self {
            db,
            rng,
            configured: given
                .map(|given| ConfiguredGrant { group: given.group.clone(), role: given.role })
                .collect(),
            with_provider: config.oidc.is_some(),
            origin: config.public_url.as_ref().map(|url| url.origin.clone()).unwrap_or_default(),
        }
    }

    /// How many could administer the console now.
    async fn admins(&self, tx: &mut Tx) -> Result<i64, ApiError> {
        let given = self.configured.iter().filter(|given| given.role == Role::Admin);
        let groups = given.map(|given| given.group.as_str()).collect::<Vec<_>>();
        store::people::count_admins(tx, self.with_provider, &groups).await.map_err(refused)
    }

    /// Everything that a person may do, in a change.
    async fn rights_in(&self, tx: &mut Tx, id: &str) -> Result<Vec<(Capability, Reach)>, ApiError> {
        let mut held = store::people::held_in(tx, id).await.map_err(refused)?;
        if !self.configured.is_empty() {
            let groups = store::people::groups_in(tx, id).await.map_err(refused)?;
            let given = self.configured.iter().filter(|given| groups.contains(&given.group));
            held.extend(given.map(|given| Held { role: given.role, workspace_id: None }));
        }
        Ok(rights(&held))
    }
}

/// A change that leaves nobody to administer the console is refused (DECIDED 8). Where there was nobody before, it takes
/// nobody away.
fn still_administered(before: i64, after: i64) -> Result<(), ApiError> {
    if before > 0 && after == 0 { Err(ApiError::Conflict(Conflict::LastAdmin)) } else { Ok(()) }
}

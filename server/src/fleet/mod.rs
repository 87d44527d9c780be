//! The fleet: which clusters there are, what opens them, and the one place that makes clients for them.
//!
//! ```text
//!  form, API ─► registry ─► Tx { cluster, labels, sealed credential, news, run that follows, audit rows }
//!                                      │
//!  probes, discovery, watches ─► clients.of(cluster, purpose) ─► kube::Client over the guarded connector
//! ```
//!
//! All types of Kubernetes stay in this folder. Must not hand out what opens a cluster, neither to a page nor to an
//! address of the API, and must not fall back to rights of the console's own.

mod ask;
pub mod checks;
pub mod clients;
pub mod credentials;
pub mod discovery;
pub mod error;
mod expiry;
pub mod forms;
pub mod kubeconfig;
mod oidc;
pub mod operations;
pub mod preflight;
pub mod probes;
pub mod rbac;
mod refusals;
mod registration;
mod registry;
mod rotation;
pub mod store;
mod tls;
mod tokens;
pub mod watch;
pub mod watched;

pub use clients::{Clients, ClusterClient, Purpose};
pub use error::FleetError;

use crate::{clock::Rng, operations::queue::Queue, store::Db, vault::Vault};

/// The domain, ready to serve.
pub struct FleetService {
    pub(crate) db: Db,
    pub(crate) vault: Vault,
    pub(crate) rng: Rng,
    pub clients: Clients,
    /// Takes what follows from a registration or a rotation.
    pub(crate) queue: Queue,
}

impl FleetService {
    pub fn new(db: Db, vault: Vault, rng: Rng, clients: Clients, queue: Queue) -> Self {
        Self { db, vault, rng, clients, queue }
    }
}

//! The one maker of clients, as a watch asks it.

use app::fleet::{trouble::Trouble, watched::Reason};
use async_trait::async_trait;
use uuid::Uuid;

use super::{ClientSource, NoClient};
use crate::fleet::{Clients, FleetError, Purpose};

#[async_trait]
impl ClientSource for Clients {
    async fn client(&self, cluster: Uuid) -> Result<kube::Client, NoClient> {
        match self.of(cluster, Purpose::Watch).await {
            Ok(client) => Ok(client.client.clone()),
            Err(error) => {
                if let FleetError::Store(error) = &error {
                    tracing::warn!(cluster.id = %cluster, %error, "a client could not be had");
                }
                Err(NoClient(reason(&error)))
            }
        }
    }
}

fn reason(error: &FleetError) -> Reason {
    match error.trouble() {
        Some(Trouble::NoCredential | Trouble::NoOutpost) => Reason::NoCredential,
        Some(trouble) => reason_of(trouble),
        None => Reason::Fault,
    }
}

/// What stands between a watch and its cluster, in the words of a watch.
pub(super) fn reason_of(trouble: Trouble) -> Reason {
    match trouble {
        trouble if trouble.is_refusal() => Reason::CredentialRefused,
        trouble if trouble.is_unasked() => Reason::NoCredential,
        Trouble::Timeout | Trouble::NoWay | Trouble::Silent => Reason::TimedOut,
        _ => Reason::Unreachable,
    }
}

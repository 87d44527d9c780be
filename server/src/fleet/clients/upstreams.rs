//! What reaches an upstream of a cluster that has an address of its own: the guarded client, and its token.

use http::HeaderValue;
use uuid::Uuid;

use super::{
    super::{
        FleetError,
        tokens::{OfSecret, Tokens},
    },
    Clients, Part, SEALED, Scope, SecretRef, Trouble, credentials,
};
use crate::egress;

impl Clients {
    pub fn outgoing(&self) -> egress::Client {
        self.0.egress.client(Scope::Registered)
    }

    /// What goes into `Authorization`; none where nothing is stored for it.
    pub async fn upstream_token(
        &self,
        cluster_id: Uuid,
        part: Part,
    ) -> Result<Option<HeaderValue>, FleetError> {
        let way = credentials::find_way(&self.0.db, &cluster_id.to_string(), part).await?;
        let Some(stored) = way.ok_or(FleetError::Missing)?.credential else { return Ok(None) };
        let tokens = match (&stored.sealed, &stored.secret_ref) {
            (Some(sealed), _) => {
                let opened = self.0.vault.open_sealed(SEALED.place(&stored.id), sealed)?;
                let text = std::str::from_utf8(&opened).map_err(|_| Trouble::Credential)?;
                Tokens::fixed(text)?
            }
            (None, Some(reference)) => {
                let reference = SecretRef::read(reference).ok_or(Trouble::Credential)?;
                let client = self.own().await.map_err(|_| Trouble::SecretRef)?.client;
                Tokens::changing(OfSecret { client, reference }, self.0.db.clock().clone())
            }
            (None, None) => return Err(Trouble::Credential.into()),
        };
        Ok(tokens.current().await?)
    }
}

//! What opens a cluster: looked at first, then stored in place of what was there, checked, warned about.
//!
//! What is stored is proven by a run that follows. A rotation breaks nothing: requests under way keep the client that they began with, and the next ones are made with
//! the new credential. One that the API server itself refuses is not stored.

use app::{
    error::{ApiError, Conflict, Thing},
    fleet::{
        Manage,
        credentials::{CredentialMeta, NewCredential},
        model::{ClusterEndpoints, Transport},
        preflight::{Preflight, Validation},
    },
    identity::Permit,
};

use serde_json::json;

use super::{
    FleetService,
    credentials::{self, Prepared, Upstream},
    operations::rotate,
    preflight::{self, Known},
    refusals::{for_this_server, may_use_own, refuse_what_opens_nothing},
    registry::{audit, tell, uuid},
    store::{
        self,
        credentials::{NewStored, Part, SEALED},
        refused,
    },
};
use crate::{
    fleet::clients::{Made, Purpose},
    store::{StoreError, Tx},
};

/// What a look says of the credential, in the words of a column.
pub(super) fn verdict(preflight: &Preflight) -> &'static str {
    preflight.trouble.map_or("valid", app::fleet::trouble::Trouble::as_str)
}

impl FleetService {
    /// A look at a cluster with a credential that is stored nowhere.
    pub(super) async fn look_with(
        &self,
        url: &str,
        prepared: &Prepared,
        endpoints: &ClusterEndpoints,
    ) -> Preflight {
        let known = Known::of_new(endpoints, Some(prepared));
        let secret_ref = prepared.secret_ref.as_deref();
        match self.clients.connect(url, prepared.key.clone(), secret_ref, None).await {
            Ok(made) => preflight::look(&made, &known, self.db.clock()).await,
            Err(error) => {
                let trouble = error.trouble().unwrap_or(app::fleet::trouble::Trouble::Credential);
                preflight::failed(trouble, &known, self.db.clock())
            }
        }
    }

    /// Seals and stores what opens a cluster, each part under a row of its own; its version.
    pub(super) async fn seal(
        &self,
        tx: &mut Tx,
        permit: &Permit<Manage>,
        cluster_id: &str,
        prepared: Prepared,
        preflight: Option<&Preflight>,
    ) -> Result<i64, StoreError> {
        let version = store::credentials::next_version(tx, cluster_id).await?;
        let id = self.rng.uuid();
        let identity = preflight.and_then(|found| found.identity.clone()).or(prepared.identity);
        let created_by = permit.caller().name.as_str();
        let new = NewStored {
            id: &id,
            cluster_id,
            part: Part::Api,
            version,
            auth_type: prepared.auth_type,
            identity: identity.as_deref(),
            sealed: Some(self.vault.seal(SEALED.place(&id), &prepared.key.bytes())),
            secret_ref: prepared.secret_ref.as_deref(),
            expires_at: prepared.expires_at,
            created_by,
            validation: preflight.map(verdict),
        };
        store::credentials::replace(tx, new).await?;
        for (part, upstream) in &prepared.upstreams {
            let id = self.rng.uuid();
            let (sealed, secret_ref) = match upstream {
                Upstream::Token(token) => {
                    (Some(self.vault.seal(SEALED.place(&id), token.as_bytes())), None)
                }
                Upstream::Ref(reference) => (None, Some(reference.as_str())),
            };
            let new = NewStored {
                id: &id,
                cluster_id,
                part: *part,
                version,
                auth_type: prepared.auth_type,
                identity: None,
                sealed,
                secret_ref,
                expires_at: None,
                created_by,
                validation: None,
            };
            store::credentials::replace(tx, new).await?;
        }
        Ok(version)
    }

    /// Whom to trust belongs to the cluster: a new token says nothing of it, and what was known counts on.
    async fn keep_trust(&self, id: uuid::Uuid, prepared: &mut Prepared) -> Result<(), ApiError> {
        if prepared.key.authority.is_some() {
            return Ok(());
        }
        let before = self.clients.key_of(id).await.map_err(super::FleetError::refused)?;
        if let Some(before) = before {
            prepared.key.authority.clone_from(&before.authority);
            let name = prepared.key.server_name.take();
            prepared.key.server_name = name.or_else(|| before.server_name.clone());
        }
        Ok(())
    }

    pub(super) async fn rotate(
        &self,
        permit: &Permit<Manage>,
        id: &str,
        new: &NewCredential,
    ) -> Result<CredentialMeta, ApiError> {
        let before = self.found(permit.reach(), id).await?;
        if before.transport != Transport::Direct {
            return Err(ApiError::Conflict(Conflict::NoCredentialTaken));
        }
        may_use_own(permit, before.transport, Some(new)).await?;
        let mut prepared = credentials::prepare(new)?;
        for_this_server(&prepared, &before.api_server_url)?;
        self.keep_trust(uuid(id)?, &mut prepared).await?;
        // Before the transaction: no network within one.
        let preflight = self.look_with(&before.api_server_url, &prepared, &before.endpoints).await;
        refuse_what_opens_nothing(&preflight)?;
        let (mut tx, held) = self.held(permit, id).await?;
        if held.api_server_url != before.api_server_url {
            return Err(ApiError::Conflict(Conflict::Changed));
        }
        let action = match held.credential {
            Some(_) => "fleet.credential.rotate",
            None => "fleet.credential.store",
        };
        let auth_type = prepared.auth_type;
        let version = self.seal(&mut tx, permit, id, prepared, Some(&preflight)).await;
        let version = version.map_err(refused)?;
        if held.credential.is_none() {
            store::restart(&mut tx, id, true).await.map_err(refused)?;
        }
        store::make_due_with_run(&mut tx, id).await.map_err(refused)?;
        tell(&mut tx, "CLUSTER_UPDATED", &held).await?;
        let input = json!({ "version": version });
        let run = self.follow(&mut tx, permit, &held, &rotate::SPEC, &input).await?;
        let row = audit(permit, action, &held)
            .detail("auth_type", auth_type.as_str())
            .detail("validation", verdict(&preflight))
            .detail("operation_id", run.id);
        tx.commit(vec![row, run.audit]).await.map_err(refused)?;
        self.queue.ring();
        let found = self.found(permit.reach(), id).await?;
        found.credential.ok_or(ApiError::NotFound(Thing::Credential))
    }

    /// A look with what is stored; what it says is kept beside the credential.
    pub(super) async fn check_stored(
        &self,
        permit: &Permit<Manage>,
        id: &str,
    ) -> Result<Validation, ApiError> {
        let before = self.found(permit.reach(), id).await?;
        let known = Known::of(&before);
        if before.transport == Transport::Direct && before.credential.is_none() {
            return Err(ApiError::NotFound(Thing::Credential));
        }
        let clock = self.db.clock();
        let found = match self.clients.of(uuid(id)?, Purpose::Validation).await {
            Ok(client) => {
                let made =
                    Made { client: client.client.clone(), handshakes: client.handshakes.clone() };
                (preflight::look(&made, &known, clock).await, client.version)
            }
            Err(error) => match error.trouble() {
                Some(trouble) => (preflight::failed(trouble, &known, clock), -1),
                None => return Err(error.refused()),
            },
        };
        let (preflight, version) = found;
        let (mut tx, held) = self.held(permit, id).await?;
        let says = verdict(&preflight);
        let identity = preflight.identity.as_deref().filter(|_| preflight.is_open());
        store::credentials::validated(&mut tx, id, version, says, identity)
            .await
            .map_err(refused)?;
        let row = audit(permit, "fleet.credential.validate", &held).detail("says", says);
        tx.commit(vec![row]).await.map_err(refused)?;
        let message = match preflight.trouble {
            None => "The credential opens the cluster.".to_owned(),
            Some(trouble) => format!("{} {}", trouble.says(), trouble.way_out()),
        };
        Ok(Validation { valid: preflight.is_open(), status: says.to_owned(), message, preflight })
    }
}

//! What a credential is refused for before it is stored: whose it is, which cluster it is for, and whether it opens it.

use app::{
    error::{ApiError, Rule},
    fleet::{Manage, credentials::NewCredential, model::Transport, preflight::Preflight},
    identity::Permit,
};

use super::credentials::Prepared;

/// The console's own identity, and secrets that it may read, belong to no workspace: who names one needs the right on
/// everything, or could have a token of somebody else's sent to a server of theirs.
pub(super) async fn may_use_own(
    permit: &Permit<Manage>,
    transport: Transport,
    given: Option<&NewCredential>,
) -> Result<(), ApiError> {
    let refers = given.is_some_and(|given| {
        given.service_account_token_secret_ref.is_some()
            || given.prometheus_token_secret_ref.is_some()
            || given.tempo_token_secret_ref.is_some()
            || given.loki_token_secret_ref.is_some()
    });
    if refers || transport == Transport::InCluster { permit.everywhere().await } else { Ok(()) }
}

/// A kubeconfig names its server; one for another cluster would be sent to this one.
pub(super) fn for_this_server(prepared: &Prepared, url: &str) -> Result<(), ApiError> {
    match &prepared.server {
        Some(server) if server != url => Err(ApiError::invalid("kubeconfig", Rule::OtherServer)),
        _ => Ok(()),
    }
}

/// What the API server itself does not take is not stored: nothing would come of it but a cluster that fails.
pub(super) fn refuse_what_opens_nothing(preflight: &Preflight) -> Result<(), ApiError> {
    match preflight.trouble {
        Some(trouble) if trouble.is_refusal() => Err(ApiError::Cluster(trouble)),
        _ => Ok(()),
    }
}

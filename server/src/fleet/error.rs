//! Why a cluster could not be asked. What a server answered stays inside: outside goes the [`Trouble`] alone.

use std::error::Error;

use app::{
    error::{ApiError, Thing},
    fleet::trouble::Trouble,
};

use http::StatusCode;

use crate::{
    egress::{Cause, EgressError, Phase},
    store::StoreError,
    vault::VaultError,
};

#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// Not registered, or removed.
    #[error("there is no such cluster")]
    Missing,
    #[error("{}", .0.as_str())]
    Trouble(Trouble),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<Trouble> for FleetError {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl FleetError {
    /// What stands between us and the cluster; none for a fault of our own.
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Trouble(trouble) => Some(*trouble),
            Self::Vault(_) => Some(Trouble::Credential),
            Self::Missing | Self::Store(_) => None,
        }
    }

    /// What is answered outside. Logs what is not.
    pub fn refused(self) -> ApiError {
        match self {
            Self::Missing => ApiError::NotFound(Thing::Cluster),
            Self::Trouble(trouble) => ApiError::Cluster(trouble),
            Self::Store(error) => super::store::refused(error),
            Self::Vault(error) => {
                tracing::error!(%error, "a stored credential cannot be opened");
                ApiError::Cluster(Trouble::Credential)
            }
        }
    }
}

/// What an answer of kube's says about the way to the cluster.
pub fn trouble_of(error: &kube::Error) -> Trouble {
    match error {
        kube::Error::Api(status) => {
            StatusCode::from_u16(status.code).map_or(Trouble::NotKubernetes, super::ask::refusal)
        }
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => Trouble::NotKubernetes,
        other => trouble_on_the_way(other),
    }
}

/// Looks through the causes of an error for one that we know.
pub fn trouble_on_the_way(error: &(dyn Error + 'static)) -> Trouble {
    let mut cause = Some(error);
    while let Some(here) = cause {
        if let Some(FleetError::Trouble(trouble)) = here.downcast_ref::<FleetError>() {
            return *trouble;
        }
        if let Some(egress) = here.downcast_ref::<EgressError>() {
            return of_egress(&egress.cause);
        }
        if let Some(tls) = here.downcast_ref::<rustls::Error>() {
            return super::tls::trouble_of(tls);
        }
        // Whatever speaks there, it is not HTTP.
        if here.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return Trouble::NotKubernetes;
        }
        // An io::Error that wraps another one does not name it as its source.
        let io = here.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match io {
            Some(inner) => Some(inner),
            None => here.source(),
        };
    }
    Trouble::Unreachable
}

fn of_egress(cause: &Cause) -> Trouble {
    match cause {
        Cause::Refused { .. } | Cause::Scheme | Cause::Host | Cause::Userinfo => {
            Trouble::AddressRefused
        }
        Cause::UnknownName(_) => Trouble::UnknownName,
        Cause::TimedOut { phase: Phase::Connect, .. } => Trouble::NoWay,
        Cause::TimedOut { phase: Phase::Handshake, .. } => Trouble::Silent,
        Cause::TimedOut { .. } => Trouble::Timeout,
        Cause::Tls(_) => Trouble::Tls,
        Cause::NotTls => Trouble::NotTls,
        Cause::NotHttp => Trouble::NotKubernetes,
        Cause::NoConnection(_) | Cause::Broken(_) | Cause::TooLarge { .. } => Trouble::Unreachable,
    }
}

//! Why a cluster could not be reached or looked at: the word, the sentence, the way out. What a server answered is data
//! and is repeated nowhere.

use serde::{Deserialize, Serialize};

/// Why a cluster could not be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    Unreachable,
    UnknownName,
    AddressRefused,
    Timeout,
    TlsAuthority,
    TlsName,
    TlsExpired,
    Tls,
    NotKubernetes,
    Unauthorized,
    Expired,
    Forbidden,
    ServerError,
    /// The secret that a reference names cannot be read.
    SecretRef,
    /// The identity provider gave no token.
    Oidc,
    /// Nothing opens it yet.
    NoCredential,
    /// What is stored cannot be opened, or is no credential.
    Credential,
    /// It is reached by an outpost, and none is there.
    NoOutpost,
}

impl Trouble {
    pub const ALL: &'static [Self] = &[
        Self::Unreachable,
        Self::UnknownName,
        Self::AddressRefused,
        Self::Timeout,
        Self::TlsAuthority,
        Self::TlsName,
        Self::TlsExpired,
        Self::Tls,
        Self::NotKubernetes,
        Self::Unauthorized,
        Self::Expired,
        Self::Forbidden,
        Self::ServerError,
        Self::SecretRef,
        Self::Oidc,
        Self::NoCredential,
        Self::Credential,
        Self::NoOutpost,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::UnknownName => "unknown_name",
            Self::AddressRefused => "address_refused",
            Self::Timeout => "timeout",
            Self::TlsAuthority => "tls_authority",
            Self::TlsName => "tls_name",
            Self::TlsExpired => "tls_expired",
            Self::Tls => "tls",
            Self::NotKubernetes => "not_kubernetes",
            Self::Unauthorized => "unauthorized",
            Self::Expired => "expired",
            Self::Forbidden => "forbidden",
            Self::ServerError => "server_error",
            Self::SecretRef => "secret_ref",
            Self::Oidc => "oidc",
            Self::NoCredential => "no_credential",
            Self::Credential => "credential",
            Self::NoOutpost => "no_outpost",
        }
    }

    /// Whether the API server itself said that the credential opens nothing.
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::Unauthorized | Self::Expired | Self::Oidc | Self::Credential)
    }

    /// Whether it may be over by itself: a line that is down, a server that restarts.
    pub const fn may_pass(self) -> bool {
        matches!(self, Self::Unreachable | Self::UnknownName | Self::Timeout | Self::ServerError)
    }

    /// What is the matter.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Unreachable => "Nothing answers at this address.",
            Self::UnknownName => "The name in the address is not known.",
            Self::AddressRefused => {
                "The address is one that the console never dials: link-local, a cloud's metadata, or the like."
            }
            Self::Timeout => "The API server did not answer in time.",
            Self::TlsAuthority => {
                "The API server's certificate is signed by an authority that is not trusted here."
            }
            Self::TlsName => "The API server's certificate is for another name.",
            Self::TlsExpired => "The API server's certificate has expired, or is not valid yet.",
            Self::Tls => "No TLS connection came to be.",
            Self::NotKubernetes => "What answers there is not a Kubernetes API server.",
            Self::Unauthorized => "The API server does not know this credential (401).",
            Self::Expired => "The credential has expired.",
            Self::Forbidden => {
                "The API server knows this credential and does not let it do this (403)."
            }
            Self::ServerError => "The API server answered with an error of its own.",
            Self::SecretRef => "The secret that the reference names cannot be read.",
            Self::Oidc => "The identity provider gave no token.",
            Self::NoCredential => "Nothing is stored that opens this cluster.",
            Self::Credential => "The stored credential cannot be used.",
            Self::NoOutpost => "It is reached by an outpost, and none has connected yet.",
        }
    }

    /// What to do about it.
    pub const fn way_out(self) -> &'static str {
        match self {
            Self::Unreachable | Self::Timeout => {
                "Check the address and port, and that the console's network may reach them; a firewall or a security group is the usual reason. Where there is no way in, install an outpost."
            }
            Self::UnknownName => "Check the spelling, or use a name that the console's DNS knows.",
            Self::AddressRefused => "Give the address under which the API server is published.",
            Self::TlsAuthority => {
                "Give the cluster's certificate authority: `certificate-authority-data` of its kubeconfig, or `kubectl get cm kube-root-ca.crt -o jsonpath='{.data.ca\\.crt}'`. After a change of the authority, store the credential again with the new one."
            }
            Self::TlsName => {
                "Use an address that stands in the certificate, or give the name that does as TLS server name."
            }
            Self::TlsExpired => {
                "Renew the API server's certificate, or set the clock of the machine that is wrong."
            }
            Self::Tls => {
                "Check that the port speaks TLS and that nothing in between takes it apart."
            }
            Self::NotKubernetes => {
                "Check the port and the path; behind a gateway, the path to the API server belongs into the address."
            }
            Self::Unauthorized | Self::Expired => {
                "Make a new token (`kubectl create token`, or a secret of type kubernetes.io/service-account-token) or take a fresh kubeconfig, and store it here."
            }
            Self::Forbidden => {
                "Apply the manifest that this page shows; it grants what is missing."
            }
            Self::ServerError => "Look at the API server's own log; try again once it is well.",
            Self::SecretRef => {
                "Check namespace, name and key, and that the console's chart names the secret, so that it may read it."
            }
            Self::Oidc => {
                "Check issuer, client and secret; a refresh token that was used elsewhere is worth nothing here."
            }
            Self::NoCredential => "Store a credential.",
            Self::Credential => "Store the credential again.",
            Self::NoOutpost => "Install an outpost in the cluster; it dials out to this console.",
        }
    }
}

impl std::str::FromStr for Trouble {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|trouble| trouble.as_str() == word).ok_or(())
    }
}

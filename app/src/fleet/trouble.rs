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
    /// No connection came to be in time: what is sent there is dropped.
    NoWay,
    /// It takes connections, and says nothing.
    Silent,
    Timeout,
    TlsAuthority,
    TlsName,
    TlsExpired,
    Tls,
    /// What answers there does not speak TLS.
    NotTls,
    /// It sends whoever asks elsewhere.
    Redirected,
    NotKubernetes,
    Unauthorized,
    Expired,
    Forbidden,
    ServerError,
    /// The secret that a reference names cannot be read.
    SecretRef,
    /// The identity provider gave no token, for a reason that has no word of its own.
    Oidc,
    /// The identity provider does not answer, or not now.
    OidcUnreachable,
    /// The identity provider's certificate is not trusted.
    OidcTls,
    /// What answers is no identity provider, or one that cannot be used.
    OidcAnswer,
    /// It speaks for another issuer.
    OidcIssuer,
    /// It does not take the client, or its secret.
    OidcClient,
    /// It does not give what is asked for.
    OidcScope,
    /// It does not take the refresh token any more.
    OidcGrant,
    /// The next refresh token could not be kept, so this one is not spent.
    OidcUnkept,
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
        Self::NoWay,
        Self::Silent,
        Self::Timeout,
        Self::TlsAuthority,
        Self::TlsName,
        Self::TlsExpired,
        Self::Tls,
        Self::NotTls,
        Self::Redirected,
        Self::NotKubernetes,
        Self::Unauthorized,
        Self::Expired,
        Self::Forbidden,
        Self::ServerError,
        Self::SecretRef,
        Self::Oidc,
        Self::OidcUnreachable,
        Self::OidcTls,
        Self::OidcAnswer,
        Self::OidcIssuer,
        Self::OidcClient,
        Self::OidcScope,
        Self::OidcGrant,
        Self::OidcUnkept,
        Self::NoCredential,
        Self::Credential,
        Self::NoOutpost,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::UnknownName => "unknown_name",
            Self::AddressRefused => "address_refused",
            Self::NoWay => "no_way",
            Self::Silent => "silent",
            Self::Timeout => "timeout",
            Self::TlsAuthority => "tls_authority",
            Self::TlsName => "tls_name",
            Self::TlsExpired => "tls_expired",
            Self::Tls => "tls",
            Self::NotTls => "not_tls",
            Self::Redirected => "redirected",
            Self::NotKubernetes => "not_kubernetes",
            Self::Unauthorized => "unauthorized",
            Self::Expired => "expired",
            Self::Forbidden => "forbidden",
            Self::ServerError => "server_error",
            Self::SecretRef => "secret_ref",
            Self::Oidc => "oidc",
            Self::OidcUnreachable => "oidc_unreachable",
            Self::OidcTls => "oidc_tls",
            Self::OidcAnswer => "oidc_answer",
            Self::OidcIssuer => "oidc_issuer",
            Self::OidcClient => "oidc_client",
            Self::OidcScope => "oidc_scope",
            Self::OidcGrant => "oidc_grant",
            Self::OidcUnkept => "oidc_unkept",
            Self::NoCredential => "no_credential",
            Self::Credential => "credential",
            Self::NoOutpost => "no_outpost",
        }
    }

    /// Whether the credential opens nothing, as the API server or the identity provider said: waiting does not help.
    pub const fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::Unauthorized
                | Self::Expired
                | Self::Oidc
                | Self::OidcIssuer
                | Self::OidcClient
                | Self::OidcScope
                | Self::OidcGrant
                | Self::Credential
        )
    }

    /// Whether there was nothing to show to the API server, so that it was not asked: that says nothing against it.
    pub const fn is_unasked(self) -> bool {
        matches!(
            self,
            Self::Oidc
                | Self::OidcUnreachable
                | Self::OidcTls
                | Self::OidcAnswer
                | Self::OidcIssuer
                | Self::OidcClient
                | Self::OidcScope
                | Self::OidcGrant
                | Self::OidcUnkept
                | Self::SecretRef
                | Self::Credential
        )
    }

    /// Whether it may be over by itself: a line that is down, a server that restarts.
    pub const fn may_pass(self) -> bool {
        matches!(
            self,
            Self::Unreachable
                | Self::UnknownName
                | Self::NoWay
                | Self::Silent
                | Self::Timeout
                | Self::ServerError
                | Self::OidcUnreachable
                | Self::OidcUnkept
        )
    }

    /// What is the matter.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Unreachable => "Nothing answers at this address.",
            Self::UnknownName => "The name in the address is not known.",
            Self::AddressRefused => {
                "The address is one that the console never dials: link-local, a cloud's metadata, or the like."
            }
            Self::NoWay => {
                "No connection came to be in time: what is sent to this address is not answered."
            }
            Self::Silent => "Something takes connections at this address, and says nothing.",
            Self::Timeout => "The API server did not answer in time.",
            Self::TlsAuthority => {
                "The API server's certificate is signed by an authority that is not trusted here."
            }
            Self::TlsName => "The API server's certificate is for another name.",
            Self::TlsExpired => "The API server's certificate has expired, or is not valid yet.",
            Self::Tls => "No TLS connection came to be.",
            Self::NotTls => "What answers at this port does not speak TLS; an API server does.",
            Self::Redirected => {
                "What answers there sends the console to another address, which it does not follow."
            }
            Self::NotKubernetes => "What answers there is not a Kubernetes API server.",
            Self::Unauthorized => "The API server does not know this credential (401).",
            Self::Expired => "The credential has expired.",
            Self::Forbidden => {
                "The API server knows this credential and does not let it do this (403)."
            }
            Self::ServerError => "The API server answered with an error of its own.",
            Self::SecretRef => "The secret that the reference names cannot be read.",
            Self::Oidc => "The identity provider gave no token.",
            Self::OidcUnreachable => "The identity provider does not answer.",
            Self::OidcTls => {
                "The identity provider's certificate is not trusted here: by an unknown authority, expired, or for another name."
            }
            Self::OidcAnswer => {
                "What answers at the issuer's address is no identity provider that the console can use."
            }
            Self::OidcIssuer => {
                "The identity provider calls itself by another name than the issuer that was given."
            }
            Self::OidcClient => "The identity provider does not take this client or its secret.",
            Self::OidcScope => "The identity provider does not give this scope or audience.",
            Self::OidcGrant => {
                "The identity provider does not take the refresh token any more: it was used elsewhere, withdrawn, or has expired."
            }
            Self::OidcUnkept => {
                "The refresh token was not used, since the next one could not be kept now."
            }
            Self::NoCredential => "Nothing is stored that opens this cluster.",
            Self::Credential => "The stored credential cannot be used.",
            Self::NoOutpost => "It is reached by an outpost, and none has connected yet.",
        }
    }

    /// What to do about it.
    pub const fn way_out(self) -> &'static str {
        match self {
            Self::Unreachable | Self::NoWay => {
                "Check the address and port, and that the console's network may reach them; a firewall or a security group is the usual reason. Where there is no way in, install an outpost."
            }
            Self::Silent | Self::Timeout => {
                "Check the port: an API server answers at once. If it is one, it is overloaded, or something in between holds what is sent."
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
            Self::NotTls => {
                "Give the port at which the API server speaks TLS: usually 6443 or 443."
            }
            Self::Redirected => {
                "Give the address of the API server itself; a redirect is what a sign-in page or a gateway in front of it answers."
            }
            Self::NotKubernetes => {
                "Check the port and the path; behind a gateway, the path to the API server belongs into the address."
            }
            Self::Unauthorized | Self::Expired => {
                "Make a new token (`kubectl create token`, or a secret of type kubernetes.io/service-account-token) or take a fresh kubeconfig, and store it here."
            }
            Self::Forbidden => "Apply what `quarterdeck rbac` prints; it grants what is missing.",
            Self::ServerError => "Look at the API server's own log; try again once it is well.",
            Self::SecretRef => {
                "Check namespace, name and key, and that the console's chart names the secret, so that it may read it."
            }
            Self::Oidc => {
                "Check issuer, client and secret; a refresh token that was used elsewhere is worth nothing here."
            }
            Self::OidcUnreachable => {
                "Check the issuer's address, and that the console's network may reach it. Nothing needs to be stored again: the console asks again by itself."
            }
            Self::OidcTls => {
                "Name the provider's certificate authority in the console's configuration (`egress_ca_files`), or have its certificate renewed."
            }
            Self::OidcAnswer => {
                "Check the issuer's address: below it, `/.well-known/openid-configuration` must name an https token endpoint."
            }
            Self::OidcIssuer => {
                "Give the issuer exactly as its `/.well-known/openid-configuration` spells it; the API server holds tokens against that name too."
            }
            Self::OidcClient => {
                "Check client id and secret, and that the provider lets this client use refresh tokens, or its own credentials."
            }
            Self::OidcScope => {
                "Check scope and audience: some providers name the API in them, such as `api://…/.default`, and give a client only what was agreed upon."
            }
            Self::OidcGrant => {
                "Get a new refresh token from the provider and store it here. Give the console one of its own: a provider withdraws one that two use. Client credentials are not used up."
            }
            Self::OidcUnkept => {
                "A console that is read-only, or whose database does not answer, cannot keep the next refresh token. Mend that, or store client credentials, which are not used up."
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

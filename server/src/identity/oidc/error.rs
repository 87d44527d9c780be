//! Why a sign-in, a refresh or a logout did not come about. The words are for the log: they name claims, codes and
//! hosts, never a token, and never what a provider wrote into an answer.

use app::error::SignInFailure;
use openidconnect::{
    ClaimsVerificationError, DiscoveryError, RequestTokenError, SignatureVerificationError,
    core::{CoreErrorResponseType, CoreRequestTokenError},
};

use crate::egress::EgressError;

#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    #[error("the provider cannot be reached at its {leg}: {cause}")]
    Unreachable { leg: Leg, cause: String },
    /// It is there and says something that cannot be used.
    #[error("the provider's {leg} answers something else than it should: {cause}")]
    Answer { leg: Leg, cause: String },
    /// Who it is about must ask again, or may not any more.
    #[error("the provider refuses: {0}")]
    Refused(String),
    #[error("the token is not what it should be: {0}")]
    Token(TokenFault),
    #[error("the groups are not in the token and could not be asked for: {0}")]
    Groups(String),
}

/// Which of its addresses was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    Discovery,
    Keys,
    Token,
    Userinfo,
    Graph,
}

impl std::fmt::Display for Leg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Discovery => "discovery document",
            Self::Keys => "key set",
            Self::Token => "token endpoint",
            Self::Userinfo => "userinfo endpoint",
            Self::Graph => "Graph endpoint",
        })
    }
}

/// What is wrong with a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    #[error("there is none")]
    Missing,
    #[error("it is no signed token")]
    Malformed,
    #[error("its issuer is another one")]
    Issuer,
    #[error("it was made for somebody else")]
    Audience,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    Early,
    #[error("it answers another sign-in")]
    Nonce,
    #[error("it is signed in a way that is not believed")]
    Algorithm,
    #[error("no key of the provider fits it")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("it does not belong to the access token beside it")]
    AccessToken,
    #[error("it is about somebody else than before")]
    Subject,
    #[error("it lacks the claim `{0}`")]
    Claim(&'static str),
    #[error("it was used before")]
    Replayed,
}

impl OidcError {
    /// What the person is told.
    pub fn failure(&self) -> SignInFailure {
        match self {
            // Whatever is wrong there, what follows is that the groups are not known.
            Self::Unreachable { leg: Leg::Graph, .. } | Self::Answer { leg: Leg::Graph, .. } => {
                SignInFailure::GroupsUnknown
            }
            Self::Unreachable { .. } => SignInFailure::ProviderUnreachable,
            Self::Answer { .. } | Self::Token(_) => SignInFailure::ProviderAnswer,
            Self::Refused(_) => SignInFailure::ProviderRefused,
            Self::Groups(_) => SignInFailure::GroupsUnknown,
        }
    }

    /// Whether asking again later cannot help: the session must end now.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Token(TokenFault::Subject))
    }

    pub fn unreachable(leg: Leg, error: &EgressError) -> Self {
        Self::Unreachable { leg, cause: error.to_string() }
    }

    pub fn answer(leg: Leg, cause: impl Into<String>) -> Self {
        Self::Answer { leg, cause: cause.into() }
    }

    /// Down and out of order are alike: both pass.
    pub fn status(leg: Leg, status: http::StatusCode) -> Self {
        if status.is_server_error() || status == http::StatusCode::TOO_MANY_REQUESTS {
            Self::Unreachable { leg, cause: format!("status {status}") }
        } else {
            Self::Answer { leg, cause: format!("status {status}") }
        }
    }

    pub fn discovery(leg: Leg, error: DiscoveryError<EgressError>) -> Self {
        match error {
            DiscoveryError::Request(error) => Self::unreachable(leg, &error),
            DiscoveryError::Response(status, _, words) => {
                if status.is_success() {
                    Self::answer(leg, words)
                } else {
                    Self::status(leg, status)
                }
            }
            DiscoveryError::Parse(error) => Self::answer(leg, parse(&error)),
            error => Self::answer(leg, error.to_string()),
        }
    }

    pub fn token(error: CoreRequestTokenError<EgressError>) -> Self {
        match error {
            RequestTokenError::Request(error) => Self::unreachable(Leg::Token, &error),
            RequestTokenError::ServerResponse(response) => of_code(response.error()),
            RequestTokenError::Parse(error, _) => Self::answer(Leg::Token, parse(&error)),
            RequestTokenError::Other(_) => Self::answer(Leg::Token, "nothing that can be read"),
        }
    }
}

/// The provider's codes for "ask the person again". All others are about us or about its own state, and pass.
fn of_code(code: &CoreErrorResponseType) -> OidcError {
    const AGAIN: [&str; 4] =
        ["interaction_required", "consent_required", "login_required", "access_denied"];
    match code {
        CoreErrorResponseType::InvalidGrant => OidcError::Refused("invalid_grant".to_owned()),
        CoreErrorResponseType::Extension(code) if AGAIN.contains(&code.as_str()) => {
            OidcError::Refused(code.clone())
        }
        CoreErrorResponseType::Extension(code)
            if matches!(code.as_str(), "server_error" | "temporarily_unavailable") =>
        {
            OidcError::Unreachable { leg: Leg::Token, cause: code.clone() }
        }
        // What else a provider calls its errors is its own text.
        CoreErrorResponseType::Extension(_) => {
            OidcError::answer(Leg::Token, "an error with a code of its own")
        }
        code => OidcError::answer(Leg::Token, format!("the error `{}`", code.as_ref())),
    }
}

/// Where it stopped, without what stood there.
fn parse(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    format!("it cannot be read at `{}`", error.path())
}

impl From<TokenFault> for OidcError {
    fn from(fault: TokenFault) -> Self {
        Self::Token(fault)
    }
}

impl From<ClaimsVerificationError> for TokenFault {
    fn from(error: ClaimsVerificationError) -> Self {
        use ClaimsVerificationError as Claims;
        use SignatureVerificationError as Signature;
        match error {
            Claims::Expired(_) => Self::Expired,
            Claims::InvalidAudience(_) => Self::Audience,
            Claims::InvalidIssuer(_) => Self::Issuer,
            Claims::InvalidNonce(_) => Self::Nonce,
            Claims::InvalidSubject(_) => Self::Subject,
            Claims::SignatureVerification(error) => match error {
                Signature::NoMatchingKey | Signature::AmbiguousKeyId(_) => Self::UnknownKey,
                Signature::DisallowedAlg(_)
                | Signature::NoSignature
                | Signature::UnsupportedAlg(_)
                | Signature::InvalidKey(_) => Self::Algorithm,
                _ => Self::Signature,
            },
            Claims::Other(_) => Self::Early,
            _ => Self::Malformed,
        }
    }
}

//! Why a request got no answer.
//!
//! Holds nothing secret: of the URL only scheme, host and port, since a path may be a secret as well (a
//! webhook's is); of headers and bodies nothing.

use std::{error::Error, fmt, net::IpAddr, time::Duration};

use http::Uri;

use super::Refusal;

/// A request that got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{target}: {cause}")]
pub struct EgressError {
    /// `https://host:port`, as far as the URL was one.
    pub target: String,
    #[source]
    pub cause: Cause,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    #[error("the address is neither http nor https")]
    Scheme,
    #[error("the address names no host and port that can be dialled")]
    Host,
    #[error("the address holds a password; credentials belong into headers")]
    Userinfo,
    #[error("the name is not known: {0}")]
    UnknownName(String),
    #[error("{address} is {why} and is not dialled")]
    Refused { address: IpAddr, why: Refusal },
    #[error("no connection: {0}")]
    NoConnection(String),
    #[error("no TLS: {0}")]
    Tls(String),
    #[error("what answered does not speak TLS")]
    NotTls,
    #[error("{phase} took longer than {} ms", limit.as_millis())]
    TimedOut { phase: Phase, limit: Duration },
    #[error("what answered does not speak HTTP")]
    NotHttp,
    #[error("the answer is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// What was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Connect,
    /// The connection stands, and TLS does not.
    Handshake,
    Headers,
    Total,
}

impl fmt::Display for Phase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Connect => "the connection",
            Self::Handshake => "the TLS handshake",
            Self::Headers => "the beginning of the answer",
            Self::Total => "the answer",
        })
    }
}

impl Cause {
    /// Names what was dialled.
    pub(super) fn at(self, uri: &Uri) -> EgressError {
        let scheme = uri.scheme_str().unwrap_or("?");
        let host = uri.host().unwrap_or("?");
        let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        EgressError { target: format!("{scheme}://{host}{port}"), cause: self }
    }

    /// Of a handshake that failed.
    pub(super) fn of_handshake(error: &(dyn Error + 'static)) -> Self {
        use rustls::{Error::InvalidMessage, InvalidMessage::InvalidContentType};
        let mut here = Some(error);
        while let Some(error) = here {
            if matches!(error.downcast_ref(), Some(InvalidMessage(InvalidContentType))) {
                return Self::NotTls;
            }
            // An io::Error that wraps another one does not name it as its source.
            let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            here = match inner {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        Self::Tls(error.to_string())
    }

    /// Of an exchange over a connection that stood.
    pub(super) fn of_exchange(error: &(dyn Error + 'static)) -> Self {
        let chain = || std::iter::successors(Some(error), |&error| error.source());
        if let Some(ours) = chain().find_map(|error| error.downcast_ref::<EgressError>()) {
            return ours.cause.clone();
        }
        let hyper = chain().find_map(|error| error.downcast_ref::<hyper::Error>());
        if hyper.is_some_and(hyper::Error::is_parse) {
            return Self::NotHttp;
        }
        // The innermost is the system's own words; the outer ones are hyper's.
        Self::Broken(chain().last().map_or_else(String::new, ToString::to_string))
    }
}

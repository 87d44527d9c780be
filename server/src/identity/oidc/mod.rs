//! Sign-in through an identity provider, by OpenID Connect.
//!
//! ```text
//! browser ─► begin ─► provider ─► finish ─► person, groups, session with sealed tokens
//!                                              │
//!            refresh, in the background ◄──────┘ keeps tokens and groups fresh, or ends the session with a reason
//! provider ─► logout (back channel) ─► sessions end        sign-out ─► the provider's own sign-out
//! ```
//! [`Oidc`] talks to the provider and judges what it says; it knows neither sessions nor the store.
//! Tokens are held sealed, never logged, and never leave for a browser, except that the id token is the hint at
//! the provider's own sign-out.

mod back_channel;
mod claims;
mod client;
mod error;
mod graph;
mod logout;
mod provider;
mod renew;
pub mod routes;
mod sign_in;
mod store;
mod tokens;
mod userinfo;
mod wire;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use claims::Person;
pub use client::Oidc;
pub use error::{Leg, OidcError, TokenFault};
pub use logout::Logout;
pub use provider::Standing;
pub use renew::{Fate, STALE};
pub use sign_in::{
    Arrived, Departure, Parts, Return, SEALED_FLOWS, SEALED_TOKENS, SignIn, SignInError, local_path,
};

/// What is remembered of a sign-in while the person is at the provider.
#[derive(Clone, Serialize, Deserialize)]
pub struct Flow {
    pub state: String,
    pub nonce: String,
    pub verifier: String,
}

/// What a sign-in brought.
#[derive(Debug)]
pub struct SignedInBy {
    pub person: Person,
    pub groups: Vec<String>,
    /// The provider's name for its own session.
    pub sid: Option<String>,
    pub tokens: Tokens,
}

/// What a refresh brought. The tokens count even where the groups could not be had.
#[derive(Debug)]
pub struct Refreshed {
    pub tokens: Tokens,
    /// None when nothing was said about groups: they stay as they were.
    pub groups: Result<Option<Vec<String>>, OidcError>,
}

/// Where the groups stood at sign-in: only there does their absence say anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    IdToken,
    Userinfo,
    Graph,
}

/// What the session keeps, sealed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Tokens {
    pub subject: String,
    pub refresh: Option<String>,
    pub access: String,
    /// The last id token, for signing out at the provider.
    pub hint: Option<String>,
    pub source: Source,
    /// When the access token ends, in seconds.
    pub fresh_until_s: i64,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("subject", &self.subject)
            .field("refreshes", &self.refresh.is_some())
            .field("fresh_until_s", &self.fresh_until_s)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flow")
    }
}

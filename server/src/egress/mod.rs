//! The one guarded way out: everything that dials another host does it through here.
//!
//! http and https only. A name is resolved once, every address is checked, and the connection is made to
//! exactly what was checked, so that neither an odd spelling of an address, nor a name that answers
//! differently the second time, nor an IP literal leads anywhere else. Redirects are answers and are never
//! followed, proxy variables are not read, each wait and each body has its end, and headers that say who
//! somebody is do not leave the console.
//!
//! [`Egress::client`] is for those who send requests, [`Dial`] for clients that bring their own TLS (kube).
//! Must know no domain, and must not decide who may register a target: that is the caller's [`Scope`].

mod address;
mod client;
mod connect;
mod error;
mod tls;

use std::{sync::Arc, time::Duration};

use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, ServerName},
};

pub use address::Refusal;
pub use client::Client;
pub use connect::{Connector, Dial, Resolve, SystemNames};
pub use error::{Cause, EgressError, Phase};
pub use tls::{authorities, native};

use crate::clock::Clock;

/// Which addresses may be dialled, besides those that never may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The address came from who may not choose one: the public internet only.
    Public,
    /// Configured, or registered by someone who may: loopback and private networks too.
    Registered,
}

/// How long, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until name, connection and TLS stand. The connection's own, the same for all clients of an [`Egress`].
    pub connect: Duration,
    /// Until the answer's headers are there, the connection included.
    pub headers: Duration,
    /// Until the last byte of the answer.
    pub total: Duration,
    /// Bytes of an answer's body.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            headers: Duration::from_secs(15),
            total: Duration::from_secs(30),
            body: 8 << 20,
        }
    }
}

/// What may differ from console to console, and what a test replaces.
#[derive(Clone)]
pub struct EgressConfig {
    /// Trusted besides the system's; see [`authorities`].
    pub extra_authorities: Vec<CertificateDer<'static>>,
    pub limits: Limits,
    pub names: Arc<dyn Resolve>,
}

impl Default for EgressConfig {
    fn default() -> Self {
        Self {
            extra_authorities: Vec::new(),
            limits: Limits::default(),
            names: Arc::new(SystemNames),
        }
    }
}

/// Hands out clients. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct Egress {
    public: Client,
    registered: Client,
    dial: Dial,
}

impl Egress {
    pub fn new(config: EgressConfig, clock: &Clock) -> Self {
        let EgressConfig { extra_authorities, limits, names } = config;
        let tls = tls::client_config(extra_authorities);
        let dial = Dial::new(Scope::Public, names, clock.clone(), limits.connect);
        // Each scope has its own idle connections: what one may reach is not the other's to find open.
        let client = |scope| {
            let connector = Connector::new(dial.clone().scoped(scope), Arc::clone(&tls));
            Client::new(connector, limits, clock.clone())
        };
        Self { public: client(Scope::Public), registered: client(Scope::Registered), dial }
    }

    pub fn client(&self, scope: Scope) -> Client {
        match scope {
            Scope::Public => self.public.clone(),
            Scope::Registered => self.registered.clone(),
        }
    }

    /// The guarded connection with TLS of the caller's: a cluster's own authority, a client certificate, another name
    /// in the certificate than in the address.
    pub fn connector(
        &self,
        scope: Scope,
        tls: Arc<ClientConfig>,
        server_name: Option<ServerName<'static>>,
    ) -> Connector {
        Connector::named(self.dial(scope), tls, server_name)
    }

    /// The bare guarded connection, for a client with a TLS configuration of its own: wrap it in
    /// `hyper_rustls::HttpsConnector`.
    pub fn dial(&self, scope: Scope) -> Dial {
        self.dial.clone().scoped(scope)
    }
}

//! The connection: a name becomes addresses once, each is checked, and one of those is dialled.
//!
//! The check stands here and not in a resolver, since an IP literal never asks one. hyper-util's client, kube
//! and whatever else takes a `tower::Service<Uri>` use the same connector. Must not know HTTP.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use futures::future::BoxFuture;
use http::{Uri, uri::Authority};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream, ResolveServerName};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tower::Service;
use url::Host;

use super::{Cause, EgressError, Phase, Scope, address};
use crate::clock::Clock;

/// Turns names into addresses; asked once per connection.
#[async_trait]
pub trait Resolve: Send + Sync {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's way.
pub struct SystemNames;

#[async_trait]
impl Resolve for SystemNames {
    #[expect(clippy::disallowed_methods, reason = "this is the resolver")]
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect())
    }
}

/// A name with more addresses than that is tried no further.
const TRIED: usize = 4;

/// The guarded TCP connection.
#[derive(Clone)]
pub struct Dial {
    scope: Scope,
    names: Arc<dyn Resolve>,
    clock: Clock,
    limit: Duration,
}

impl Dial {
    pub(super) fn new(
        scope: Scope,
        names: Arc<dyn Resolve>,
        clock: Clock,
        limit: Duration,
    ) -> Self {
        Self { scope, names, clock, limit }
    }

    pub(super) fn scoped(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    async fn dial(&self, uri: &Uri) -> Result<TcpStream, Cause> {
        let (host, port) = target(uri)?;
        let addresses = match host {
            Host::Ipv4(address) => vec![address.into()],
            Host::Ipv6(address) => vec![address.into()],
            Host::Domain(name) => self.resolve(&name).await?,
        };
        let allowed = self.allowed(&addresses)?;
        // An address that swallows what is sent to it leaves time for the next.
        let share = self.limit / u32::try_from(allowed.len()).unwrap_or(1).max(1);
        let mut why = Cause::NoConnection("no address took it".to_owned());
        for address in allowed {
            match self.within(share, open(SocketAddr::new(address, port))).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => why = Cause::NoConnection(error.to_string()),
                Err(late) => why = late,
            }
        }
        Err(why)
    }

    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Cause> {
        let found = self.names.resolve(name).await;
        let found = found.map_err(|error| Cause::UnknownName(error.to_string()))?;
        if found.is_empty() {
            return Err(Cause::UnknownName("it has no address".to_owned()));
        }
        Ok(found)
    }

    /// What of `addresses` may be dialled; the first refusal when nothing may.
    fn allowed(&self, addresses: &[IpAddr]) -> Result<Vec<IpAddr>, Cause> {
        let mut refused = None;
        let mut allowed = Vec::new();
        for &address in addresses {
            match address::check(address, self.scope) {
                Ok(()) => allowed.push(address),
                Err(why) => refused = refused.or(Some(Cause::Refused { address, why })),
            }
        }
        allowed.truncate(TRIED);
        match refused {
            Some(refused) if allowed.is_empty() => Err(refused),
            _ => Ok(allowed),
        }
    }

    async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Result<T, Cause> {
        tokio::select! {
            done = work => Ok(done),
            () = self.clock.sleep(limit) => {
                Err(Cause::TimedOut { phase: Phase::Connect, limit: self.limit })
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the address was checked: this is the one way out")]
async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Service<Uri> for Dial {
    type Response = TokioIo<TcpStream>;
    type Error = EgressError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dial = self.clone();
        Box::pin(async move {
            let dialled = dial.within(dial.limit, dial.dial(&uri)).await;
            dialled.and_then(|dialled| dialled).map(TokioIo::new).map_err(|cause| cause.at(&uri))
        })
    }
}

/// Notes that the connection stands, so that a late handshake is not taken for an address that nobody answers at.
#[derive(Clone)]
struct Noting {
    dial: Dial,
    stands: Arc<AtomicBool>,
}

impl Service<Uri> for Noting {
    type Response = TokioIo<TcpStream>;
    type Error = EgressError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (dialled, stands) = (self.dial.call(uri), Arc::clone(&self.stands));
        Box::pin(async move {
            let stream = dialled.await?;
            stands.store(true, Ordering::Relaxed);
            Ok(stream)
        })
    }
}

/// [`Dial`], then TLS where the URL says https; both within the connection's time.
#[derive(Clone)]
pub struct Connector {
    dial: Dial,
    tls: Arc<ClientConfig>,
    name: Arc<dyn ResolveServerName + Send + Sync>,
}

impl Connector {
    pub(super) fn new(dial: Dial, tls: Arc<ClientConfig>) -> Self {
        Self::named(dial, tls, None)
    }

    pub(super) fn named(
        dial: Dial,
        tls: Arc<ClientConfig>,
        carried: Option<ServerName<'static>>,
    ) -> Self {
        Self { dial, tls, name: Arc::new(Carried(carried)) }
    }
}

/// The name that the certificate must carry: spelled as it was dialled, where no other was given.
struct Carried(Option<ServerName<'static>>);

impl ResolveServerName for Carried {
    fn resolve(
        &self,
        uri: &Uri,
    ) -> Result<ServerName<'static>, Box<dyn std::error::Error + Send + Sync>> {
        if let Some(carried) = &self.0 {
            return Ok(carried.clone());
        }
        let (host, _) = target(uri).map_err(|cause| cause.at(uri))?;
        Ok(match host {
            Host::Ipv4(address) => IpAddr::from(address).into(),
            Host::Ipv6(address) => IpAddr::from(address).into(),
            Host::Domain(name) => ServerName::try_from(name).map_err(|_| Cause::Host.at(uri))?,
        })
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = EgressError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (dial, stands) = (self.dial.clone(), Arc::new(AtomicBool::new(false)));
        let noting = Noting { dial: self.dial.clone(), stands: Arc::clone(&stands) };
        let tls = Arc::clone(&self.tls);
        let mut https = HttpsConnector::new(noting, tls, false, Arc::clone(&self.name));
        let connecting = https.call(uri.clone());
        Box::pin(async move {
            let connected = dial.within(dial.limit, connecting).await;
            let connected = connected.map_err(|late| match late {
                Cause::TimedOut { limit, .. } if stands.load(Ordering::Relaxed) => {
                    Cause::TimedOut { phase: Phase::Handshake, limit }.at(&uri)
                }
                late => late.at(&uri),
            })?;
            connected.map_err(|error| match error.downcast::<EgressError>() {
                Ok(ours) => *ours,
                Err(tls) => Cause::of_handshake(&*tls).at(&uri),
            })
        })
    }
}

/// Host and port. The host in its one spelling: `0x7f.1`, `2130706433` and `0177.0.0.1` are 127.0.0.1.
pub(super) fn target(uri: &Uri) -> Result<(Host, u16), Cause> {
    let usual = match uri.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return Err(Cause::Scheme),
    };
    let authority = uri.authority().map_or("", Authority::as_str);
    if authority.contains('@') {
        return Err(Cause::Userinfo);
    }
    let host = uri.host().unwrap_or_default();
    let port = match authority.strip_prefix(host) {
        Some("") => usual,
        // The crate `http` ignores a port that is none; we would dial another one than was meant.
        _ => uri.port_u16().ok_or(Cause::Host)?,
    };
    let host = Host::parse(host).map_err(|_| Cause::Host)?;
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str) -> Result<String, Cause> {
        let uri = uri.parse().expect("a URI");
        target(&uri).map(|(host, port)| format!("{host} {port}"))
    }

    #[test]
    fn a_host_has_one_spelling() {
        for uri in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://017700000001/",
            "http://127.1/",
        ] {
            assert_eq!(read(uri).as_deref(), Ok("127.0.0.1 80"), "{uri}");
        }
        assert_eq!(read("https://LocalHost:8443/x?y").as_deref(), Ok("localhost 8443"));
        assert_eq!(read("https://[::1]").as_deref(), Ok("[::1] 443"));
        assert_eq!(read("https://[0:0:0:0:0:0:0:1]:1").as_deref(), Ok("[::1] 1"));
    }

    #[test]
    fn what_is_no_target_is_refused() {
        assert_eq!(read("ftp://h/"), Err(Cause::Scheme));
        assert_eq!(read("/path"), Err(Cause::Scheme));
        assert_eq!(read("http://me:hunter2@h/"), Err(Cause::Userinfo));
        assert_eq!(read("http://h:99999/"), Err(Cause::Host));
        assert_eq!(read("http://h:/"), Err(Cause::Host));
        assert_eq!(read("http://1.2.3.4.5/"), Err(Cause::Host));
        assert_eq!(read("http://256.0.0.1/"), Err(Cause::Host));
    }
}

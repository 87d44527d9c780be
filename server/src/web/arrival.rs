//! What is known about a request before anybody looks at what it wants: its ids, where it came from, the
//! nonce of its answer. Made once, by the outermost layer; every other layer reads it.

use std::{
    net::{IpAddr, SocketAddr},
    ops::Deref,
    sync::{Arc, OnceLock},
};

use app::identity::Caller;
use axum::{
    extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, request::Parts};
use ipnet::IpNet;
use leptos::nonce::Nonce;

use super::{cookies, errors::Failed, trace::TraceContext};
use crate::console::Console;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// One request, as its layers see it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Arrival(Arc<Facts>);

#[derive(Debug)]
pub struct Facts {
    pub request_id: String,
    pub trace: TraceContext,
    pub method: Method,
    /// Without the base and the query.
    pub path: String,
    pub query: Option<String>,
    /// The route's template; none when no route matched.
    pub route: Option<String>,
    /// After trusted proxies.
    pub address: Option<IpAddr>,
    /// For the scripts of the page that answers this.
    pub nonce: Nonce,
    pub zone_cookie: Option<String>,
    pub flash_cookie: Option<String>,
    /// Filled in when the caller is known; error pages read it.
    pub caller: OnceLock<Caller>,
}

impl Deref for Arrival {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}

impl Arrival {
    pub fn new(console: &Console, parts: &Parts) -> Self {
        let headers = &parts.headers;
        let route = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned());
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let mut nonce = [0; 16];
        console.rng.fill(&mut nonce);
        Self(Arc::new(Facts {
            request_id: request_id(headers).unwrap_or_else(|| console.rng.uuid()),
            trace: TraceContext::of_request(headers, &console.rng),
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            route,
            address: peer.map(|peer| client(peer, headers, &console.config.trusted_proxies)),
            nonce: Nonce::from_value(URL_SAFE_NO_PAD.encode(nonce)),
            zone_cookie: cookies::find(headers, cookies::ZONE).map(str::to_owned),
            flash_cookie: cookies::find(headers, cookies::FLASH).map(str::to_owned),
            caller: OnceLock::new(),
        }))
    }
}

impl<S: Sync> FromRequestParts<S> for Arrival {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failed> {
        // Absent only when a handler is mounted outside of the stack, which is a fault of ours.
        parts.extensions.get().cloned().ok_or_else(|| Failed::internal("no arrival"))
    }
}

/// The outermost layer.
pub async fn layer(
    State(console): State<&'static Console>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let arrival = Arrival::new(console, &parts);
    parts.extensions.insert(arrival.clone());
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&arrival.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    arrival.trace.write(headers);
    response
}

/// The id that a proxy gave, when it is one that may stand in a log line and a header.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    (plain && (8..=128).contains(&id.len())).then(|| id.to_owned())
}

/// The nearest address that is not one of our own proxies. Only a proxy that we trust is believed about
/// who came before it, so the list is read from its end.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_proxy = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let lines = headers.get_all("x-forwarded-for").iter();
    let hops: Vec<&[u8]> = lines.flat_map(|line| line.as_bytes().split(|b| *b == b',')).collect();
    let mut address = peer.to_canonical();
    // What stands before a hop that is no address was written by the client: it hides nothing behind it.
    for hop in hops.iter().rev() {
        let hop = std::str::from_utf8(hop).ok().and_then(|hop| hop.trim().parse::<IpAddr>().ok());
        match hop {
            Some(hop) if is_proxy(&address) => address = hop.to_canonical(),
            _ => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn forwarded(text: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(
            HeaderName::from_static("x-forwarded-for"),
            HeaderValue::from_static(text),
        )])
    }

    #[test]
    fn a_stranger_is_not_believed_about_where_it_comes_from() {
        let headers = forwarded("203.0.113.9");
        assert_eq!(client(address("198.51.100.1"), &headers, &[]), address("198.51.100.1"));
    }

    #[test]
    fn the_nearest_hop_before_our_proxies_is_the_client() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("a network")];
        let headers = forwarded("1.1.1.1, 203.0.113.9, 10.0.0.2");
        assert_eq!(client(address("10.0.0.1"), &headers, &trusted), address("203.0.113.9"));
        assert_eq!(
            client(address("::ffff:10.0.0.1"), &headers, &trusted),
            address("203.0.113.9"),
            "an IPv4 peer of a dual-stack socket is the same machine"
        );
        let broken = forwarded("unknown, 10.0.0.2");
        assert_eq!(client(address("10.0.0.1"), &broken, &trusted), address("10.0.0.2"));
        let hidden = forwarded("nonsense, 203.0.113.9");
        assert_eq!(
            client(address("10.0.0.1"), &hidden, &trusted),
            address("203.0.113.9"),
            "nonsense of the client's own does not hide where it comes from"
        );
    }

    #[test]
    fn a_request_id_that_could_break_a_log_line_is_replaced() {
        let id = |text: &'static str| {
            request_id(&HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_static(text))]))
        };
        assert_eq!(id("0b9c-1122.A_z"), Some("0b9c-1122.A_z".to_owned()));
        assert_eq!(id("short"), None);
        assert_eq!(id("with space and more"), None);
        assert_eq!(id("quote\"quote\"quote"), None);
    }
}

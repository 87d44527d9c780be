//! Requests that another site made our user's browser send: refused.
//!
//! Two doors. The `Host` must be one of ours, or a name that an attacker points at this machine would turn
//! their page into ours. And an unsafe method must come from our own pages: tower-http's check
//! (`Sec-Fetch-Site`, then `Origin` = `Host`), and beyond it a request with a cookie but neither header is
//! refused, since only a browser has cookies and every browser of today sends one of the two.

use std::net::IpAddr;

use app::error::ApiError;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderName, Method,
    header::{AUTHORIZATION, COOKIE, HOST, ORIGIN},
    uri::Authority,
};
use tower::{Layer as _, ServiceExt as _};
use tower_http::csrf::{CsrfLayer, ProtectionError};

use super::{cookies, errors::Failed};
use crate::{config::Config, console::Console, identity::callers::session_cookie};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

pub async fn layer(
    State(console): State<&'static Console>,
    request: Request,
    next: Next,
) -> Response {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let headers = request.headers();
    // Probes come by pod address; what they may see tells nothing.
    let probe = safe && matches!(request.uri().path(), "/healthz" | "/readyz" | "/version");
    if !probe && !is_our_host(&console.config, request.uri().authority(), headers) {
        return refuse();
    }
    if safe || is_machine(headers, session_cookie(&console.config)) {
        return next.run(request).await;
    }
    let told = headers.contains_key(ORIGIN) || headers.contains_key(SEC_FETCH_SITE);
    if headers.contains_key(COOKIE) && !told {
        return refuse();
    }
    match protection(&console.config).layer(next).oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn refuse() -> Response {
    Failed(ApiError::CrossSite).into_response()
}

fn protection(config: &Config) -> CsrfLayer<impl Fn(ProtectionError) -> Response + Clone> {
    let layer = CsrfLayer::new();
    let trusted = config.public_url.as_ref().map(|url| url.origin.as_str());
    // The configuration has read it as a URL already.
    let layer = match trusted.map(|origin| layer.clone().add_trusted_origin(origin)) {
        Some(Ok(trusting)) => trusting,
        _ => layer,
    };
    layer.with_rejection_response(|_: ProtectionError| refuse())
}

/// A credential that no browser sends by itself, and no session that it might send along (DECIDED 10).
fn is_machine(headers: &HeaderMap, session: &str) -> bool {
    let credential = headers.contains_key(AUTHORIZATION) || headers.contains_key(API_KEY);
    credential && cookies::find(headers, session).is_none()
}

fn is_our_host(config: &Config, authority: Option<&Authority>, headers: &HeaderMap) -> bool {
    let mut given = headers.get_all(HOST).iter();
    let host = match (authority, given.next(), given.next()) {
        (Some(authority), _, None) => authority.as_str(),
        (None, Some(host), None) => match host.to_str() {
            Ok(host) => host,
            Err(_) => return false,
        },
        _ => return false,
    };
    if config.public_url.as_ref().is_some_and(|url| url.host.eq_ignore_ascii_case(host)) {
        return true;
    }
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    // A tunnel to this machine may have any port at its other end.
    let loopback = name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    loopback || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::config::PublicUrl;

    fn ours(config: &Config, host: &'static str) -> bool {
        let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
        is_our_host(config, None, &headers)
    }

    #[test]
    fn only_our_own_names_are_answered() {
        let mut config = Config::defaults();
        for host in ["localhost:7080", "127.0.0.1:7080", "[::1]:7080", "LOCALHOST", "127.0.0.1:9"] {
            assert!(ours(&config, host), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:7080", ""] {
            assert!(!ours(&config, host), "{host}");
        }
        assert!(!is_our_host(&config, None, &HeaderMap::new()));
        config.public_url = Some(PublicUrl {
            origin: "https://ops.example".to_owned(),
            host: "ops.example".to_owned(),
            base: String::new(),
            https: true,
        });
        assert!(ours(&config, "ops.example"));
        assert!(!ours(&config, "ops.example:8443"));
    }
}

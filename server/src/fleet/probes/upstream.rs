//! Does Prometheus, Tempo or Loki say that it is ready? Inside the cluster through the API server's service proxy,
//! which is asked by name; elsewhere by its own address.
//!
//! The service proxy drops `Authorization`: what asks for a token there is not known to be ill.

use app::fleet::upstreams::{Inside, inside};
use http::{HeaderValue, Request, StatusCode, header::AUTHORIZATION};
use serde::Deserialize;

use super::state::{Ill, Unread, Upstream, UpstreamReading};
use crate::{
    egress::Client,
    fleet::ask::{self, Answered, JSON},
};

/// Where it says that it is ready; what else only it would answer, for those behind a gateway.
const fn paths(upstream: Upstream) -> [&'static str; 2] {
    match upstream {
        Upstream::Prometheus => ["/-/ready", "/api/v1/status/buildinfo"],
        Upstream::Tempo => ["/ready", "/api/status/buildinfo"],
        Upstream::Loki => ["/ready", "/loki/api/v1/status/buildinfo"],
    }
}

/// The path of the service proxy for an address of the cluster's own network: `name.namespace.svc…`.
pub fn proxied(url: &str) -> Option<String> {
    inside(url, |service| {
        let Inside { namespace, path, .. } = service;
        format!("/api/v1/namespaces/{namespace}/services/{}/proxy{path}", service.in_path())
    })
}

/// `base` is what [`proxied`] gave.
pub async fn through(client: &kube::Client, base: &str, upstream: Upstream) -> UpstreamReading {
    let mut last = UpstreamReading::default();
    for path in paths(upstream) {
        last = match ask::ask(client, &format!("{base}{path}"), JSON).await {
            Ok(answered) => of_proxy(&answered),
            // The API server did not answer, though it had a moment ago.
            Err(_) => return UpstreamReading::Unread(Unread::ApiServer),
        };
        if last != UpstreamReading::Down(Ill::Missing) {
            return last;
        }
    }
    last
}

/// By its own address.
pub async fn direct(
    client: &Client,
    base: &str,
    token: Option<&HeaderValue>,
    upstream: Upstream,
) -> UpstreamReading {
    let mut last = UpstreamReading::default();
    for path in paths(upstream) {
        let request = Request::get(format!("{base}{path}"));
        let request = match token {
            Some(token) => request.header(AUTHORIZATION, token),
            None => request,
        };
        let Ok(request) = request.body(Vec::new()) else {
            return UpstreamReading::Down(Ill::Missing);
        };
        last = match client.send(request).await {
            Ok(answer) => of_status(answer.status()),
            Err(_) => UpstreamReading::Down(Ill::Silent),
        };
        if last != UpstreamReading::Down(Ill::Missing) {
            return last;
        }
    }
    last
}

fn of_status(status: StatusCode) -> UpstreamReading {
    match status.as_u16() {
        200..=299 => UpstreamReading::Up,
        401 | 403 => UpstreamReading::Down(Ill::Refuses),
        404 => UpstreamReading::Down(Ill::Missing),
        _ => UpstreamReading::Down(Ill::NotReady),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Kind {
    kind: String,
    api_version: String,
}

/// The API server's own refusals are objects; what else comes is the upstream's.
fn of_proxy(answered: &Answered) -> UpstreamReading {
    let kind: Kind = serde_json::from_slice(&answered.body).unwrap_or_default();
    let own = kind.kind == "Status" && kind.api_version == "v1";
    match (own, answered.status.as_u16()) {
        (true, 403) => UpstreamReading::Unread(Unread::NotAllowed),
        (true, 401) => UpstreamReading::Unread(Unread::ApiServer),
        // The upstream's own: it would have a token, and the proxy hands none on.
        (false, 401 | 403) => UpstreamReading::Unread(Unread::TokenDropped),
        // No endpoints, or none that takes a connection.
        (true, 500..=599) => UpstreamReading::Down(Ill::Silent),
        _ => of_status(answered.status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_of_the_cluster_is_reached_through_its_api_server() {
        for (url, path) in [
            (
                "http://prometheus.monitoring.svc:9090",
                Some("/api/v1/namespaces/monitoring/services/prometheus:9090/proxy"),
            ),
            (
                "https://loki.logs.svc.cluster.local/loki",
                Some("/api/v1/namespaces/logs/services/https:loki:443/proxy/loki"),
            ),
            ("https://prometheus.example.com", None),
            ("http://a.b.c.svc", None),
            ("http://10.0.0.1:9090", None),
        ] {
            assert_eq!(proxied(url).as_deref(), path, "{url}");
        }
    }

    #[test]
    fn what_the_api_server_refuses_is_not_the_upstreams_fault() {
        let own = br#"{"kind":"Status","apiVersion":"v1"}"#.to_vec();
        for (status, body, wanted) in [
            (200, b"ready".to_vec(), UpstreamReading::Up),
            (403, own.clone(), UpstreamReading::Unread(Unread::NotAllowed)),
            (401, own.clone(), UpstreamReading::Unread(Unread::ApiServer)),
            (401, b"who?".to_vec(), UpstreamReading::Unread(Unread::TokenDropped)),
            (403, b"no".to_vec(), UpstreamReading::Unread(Unread::TokenDropped)),
            (503, own.clone(), UpstreamReading::Down(Ill::Silent)),
            (503, b"Ingester not ready".to_vec(), UpstreamReading::Down(Ill::NotReady)),
            (404, own, UpstreamReading::Down(Ill::Missing)),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(of_proxy(&Answered { status, body }), wanted, "{status}");
        }
    }
}

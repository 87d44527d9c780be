//! By which way each upstream of a cluster is reached, and what becomes of a token on it: a rule from the address alone.
//!
//! What has an address inside the cluster (`name.namespace.svc`) is reached through the API server's service proxy, all
//! else by its own address. The proxy keeps `Authorization` for itself (kubernetes#38775), so a token for an address
//! inside the cluster never arrives.

use std::collections::BTreeSet;

use http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::ClusterEndpoints;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReachedBy {
    /// Through the API server, by the cluster's own credential.
    ServiceProxy,
    /// By the console itself.
    OwnAddress,
}

/// How one configured upstream is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpstreamWay {
    /// `prometheus`, `tempo`, `loki`.
    pub upstream: String,
    pub url: String,
    pub reached_by: ReachedBy,
    /// Whether a token was given for it.
    pub has_token: bool,
    /// Whether that token gets there; null where there is none.
    pub token_arrives: Option<bool>,
    pub says: String,
    /// What to do about it; null where nothing is to be done.
    pub way_out: Option<String>,
}

impl UpstreamWay {
    /// As people call it.
    pub fn label(&self) -> &'static str {
        match self.upstream.as_str() {
            "prometheus" => "Prometheus",
            "tempo" => "Tempo",
            _ => "Loki",
        }
    }
}

/// What the console may do about a token that the proxy drops.
pub const OUTSIDE: &str = "Give an address at which the console reaches it from outside the cluster: an ingress, a route, a load balancer. There the token is sent.";

/// A service as the cluster's own network names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside<'a> {
    pub name: &'a str,
    pub namespace: &'a str,
    pub port: u16,
    pub is_https: bool,
    /// Without a slash at its end.
    pub path: &'a str,
}

impl Inside<'_> {
    /// As the API server's proxy names it, and as rights on it do: `prometheus:9090`, `https:loki:443`.
    pub fn in_path(&self) -> String {
        let scheme = if self.is_https { "https:" } else { "" };
        format!("{scheme}{}:{}", self.name, self.port)
    }
}

/// Calls `then` with the service, where the address is one of the cluster's own network.
pub fn inside<T>(url: &str, then: impl FnOnce(Inside<'_>) -> T) -> Option<T> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host()?.trim_end_matches('.');
    let host = host.strip_suffix(".cluster.local").unwrap_or(host);
    let (name, namespace) = host.strip_suffix(".svc")?.split_once('.')?;
    let is_label = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if !is_label(name) || !is_label(namespace) {
        return None;
    }
    let is_https = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    let path = uri.path().trim_end_matches('/');
    Some(then(Inside { name, namespace, port, is_https, path }))
}

/// Namespaces of what is reached through the API server's proxy, each once.
pub fn proxied_namespaces(endpoints: &ClusterEndpoints) -> Vec<String> {
    let all = [&endpoints.prometheus_url, &endpoints.tempo_url, &endpoints.loki_url];
    let all = all.into_iter().flatten();
    let found: BTreeSet<String> =
        all.filter_map(|url| inside(url.trim(), |service| service.namespace.to_owned())).collect();
    found.into_iter().collect()
}

/// The configured ones among Prometheus, Tempo and Loki; `tokens` names those that a token was given for.
pub fn ways(endpoints: &ClusterEndpoints, tokens: &[&str]) -> Vec<UpstreamWay> {
    let all = [
        ("prometheus", "Prometheus", &endpoints.prometheus_url),
        ("tempo", "Tempo", &endpoints.tempo_url),
        ("loki", "Loki", &endpoints.loki_url),
    ];
    let one = |(upstream, label, url): (&str, &str, &Option<String>)| {
        let url = url.as_deref().map(str::trim).filter(|url| !url.is_empty())?;
        Some(way(upstream, label, url.to_owned(), tokens.contains(&upstream)))
    };
    all.into_iter().filter_map(one).collect()
}

fn way(upstream: &str, label: &str, url: String, has_token: bool) -> UpstreamWay {
    let service = inside(&url, |service| format!("{}/{}", service.namespace, service.name));
    let (says, drops) = match (&service, has_token) {
        (Some(service), false) => (
            format!(
                "{label} is reached through the API server's service proxy, as service {service}."
            ),
            false,
        ),
        (Some(service), true) => (
            format!(
                "{label} is reached through the API server's service proxy, as service {service}. The proxy drops the Authorization header, so the token that is given for it does not arrive."
            ),
            true,
        ),
        (None, false) => {
            (format!("{label} is reached by its own address, without a token."), false)
        }
        (None, true) => (format!("{label} is reached by its own address, with its token."), false),
    };
    UpstreamWay {
        upstream: upstream.to_owned(),
        url,
        reached_by: if service.is_some() { ReachedBy::ServiceProxy } else { ReachedBy::OwnAddress },
        has_token,
        token_arrives: has_token.then_some(!drops),
        says,
        way_out: drops.then(|| OUTSIDE.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_the_clusters_own_network_is_a_service() {
        let read = |url| inside(url, |s| (s.name.to_owned(), s.namespace.to_owned(), s.port));
        let found =
            |name: &str, namespace: &str, port| Some((name.to_owned(), namespace.to_owned(), port));
        assert_eq!(
            read("http://prometheus.monitoring.svc:9090"),
            found("prometheus", "monitoring", 9090)
        );
        assert_eq!(read("https://loki.logs.svc.cluster.local./loki"), found("loki", "logs", 443));
        for outside in [
            "https://prometheus.example.com",
            "http://a.b.c.svc",
            "http://10.0.0.1:9090",
            "x",
            "http://.svc",
        ] {
            assert_eq!(read(outside), None, "{outside}");
        }
    }

    #[test]
    fn what_the_proxy_reaches_is_named_as_rights_on_it_are() {
        let name = |url| inside(url, |service| service.in_path());
        assert_eq!(
            name("http://prometheus.monitoring.svc:9090").as_deref(),
            Some("prometheus:9090")
        );
        assert_eq!(name("https://loki.logs.svc").as_deref(), Some("https:loki:443"));
        let endpoints = ClusterEndpoints {
            prometheus_url: Some("http://prometheus.monitoring.svc:9090".to_owned()),
            tempo_url: Some("http://tempo.monitoring.svc".to_owned()),
            loki_url: Some("https://loki.example.com".to_owned()),
            ..ClusterEndpoints::default()
        };
        assert_eq!(proxied_namespaces(&endpoints), ["monitoring"]);
    }

    #[test]
    fn a_token_arrives_where_no_proxy_drops_it() {
        let endpoints = ClusterEndpoints {
            prometheus_url: Some("http://prometheus.monitoring.svc:9090".to_owned()),
            loki_url: Some("https://loki.example.com".to_owned()),
            ..ClusterEndpoints::default()
        };
        let plain = ways(&endpoints, &[]);
        assert_eq!(plain.len(), 2, "Tempo is not configured");
        assert_eq!(plain[0].reached_by, ReachedBy::ServiceProxy);
        assert_eq!(plain[1].reached_by, ReachedBy::OwnAddress);
        assert!(plain.iter().all(|way| way.token_arrives.is_none() && way.way_out.is_none()));
        let with = ways(&endpoints, &["prometheus", "loki"]);
        assert_eq!(with[0].token_arrives, Some(false));
        assert!(with[0].says.contains("drops the Authorization header"), "{}", with[0].says);
        assert_eq!(with[0].way_out.as_deref(), Some(OUTSIDE));
        assert_eq!((with[1].token_arrives, &with[1].way_out), (Some(true), &None));
    }
}

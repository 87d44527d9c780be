//! Renders kubeconfigs whose material is inline: certificates, keys and tokens, never a path or a plug-in.

use anyhow::{Context, Result};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::pki::Pair;

/// The name by which a cluster's own components ask for its API server; it has a certificate of its own for them.
pub const COMPONENTS: &str = "components.practice.test";

/// How a caller proves who it is.
pub enum Identity<'a> {
    Certificate(&'a Pair),
    Token(&'a str),
}

/// A kubeconfig with one cluster, one user and one context, all named after the cluster.
pub fn render(
    cluster: &str,
    server: &str,
    authority: &str,
    identity: &Identity<'_>,
) -> Result<String> {
    let user: Value = match identity {
        Identity::Certificate(pair) => json!({
            "client-certificate-data": BASE64_STANDARD.encode(&pair.certificate),
            "client-key-data": BASE64_STANDARD.encode(&pair.key),
        }),
        Identity::Token(token) => json!({ "token": token }),
    };
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": cluster,
            "cluster": { "server": server, "certificate-authority-data": BASE64_STANDARD.encode(authority) },
        }],
        "users": [{ "name": cluster, "user": user }],
        "contexts": [{ "name": cluster, "context": { "cluster": cluster, "user": cluster } }],
        "current-context": cluster,
    });
    // JSON is YAML; every reader of kubeconfigs takes it.
    Ok(serde_json::to_string_pretty(&config)?)
}

/// The same kubeconfig for the API server's own address, by the name for which it has the components' certificate.
pub fn within(kubeconfig: &str, server: &str) -> Result<String> {
    let mut config: Value = serde_json::from_str(kubeconfig)?;
    let cluster = &mut config["clusters"][0]["cluster"];
    cluster["server"] = server.into();
    cluster["tls-server-name"] = COMPONENTS.into();
    Ok(serde_json::to_string_pretty(&config)?)
}

/// A client for a kubeconfig that [`render`] wrote.
pub async fn client(kubeconfig: &str) -> Result<kube::Client> {
    let parsed: kube::config::Kubeconfig = serde_json::from_str(kubeconfig)?;
    let options = kube::config::KubeConfigOptions::default();
    let mut config = kube::Config::from_custom_kubeconfig(parsed, &options)
        .await
        .context("the kubeconfig is not usable")?;
    // A refusal is told at once: by default the client tries a 429, 503 or 504 again for minutes.
    config.default_retry = false;
    Ok(kube::Client::try_from(config)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_rendered_kubeconfig_makes_a_client() {
        crate::use_ring();
        let authority = crate::pki::Authority::new("test").expect("an authority");
        let admin = authority.client("admin", Some("system:masters")).expect("a certificate");
        for identity in [Identity::Certificate(&admin), Identity::Token("abc")] {
            let text = render("harbour", "https://127.0.0.1:1", &authority.certificate, &identity)
                .expect("renders");
            assert!(!text.contains("insecure") && !text.contains("/etc/"));
            client(&text).await.expect("a client");
        }
    }
}

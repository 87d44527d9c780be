//! The links between clients and API servers: one toxiproxy port per cluster, which scenes cut, slow and restore.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

/// A client of toxiproxy's API.
pub struct Links {
    http: Client,
    base: String,
}

impl Links {
    pub fn at(base: &str) -> Result<Self> {
        let http = Client::builder().timeout(Duration::from_secs(10)).no_proxy().build()?;
        Ok(Self { http, base: base.to_owned() })
    }

    pub async fn version(&self) -> Result<()> {
        self.call(Method::GET, "/version", None).await.map(drop)
    }

    /// Makes the link of a cluster, from `listen` to `upstream`.
    pub async fn add(&self, name: &str, listen: u16, upstream: u16) -> Result<()> {
        let body = json!({
            "name": name,
            "listen": format!("127.0.0.1:{listen}"),
            "upstream": format!("127.0.0.1:{upstream}"),
            "enabled": true,
        });
        self.call(Method::POST, "/proxies", Some(body)).await.map(drop)
    }

    /// Cuts the link: open connections end, new ones are refused.
    pub async fn cut(&self, name: &str) -> Result<()> {
        self.call(Method::POST, &format!("/proxies/{name}"), Some(json!({ "enabled": false })))
            .await
            .map(drop)
    }

    pub async fn mend(&self, name: &str) -> Result<()> {
        self.call(Method::POST, &format!("/proxies/{name}"), Some(json!({ "enabled": true })))
            .await
            .map(drop)
    }

    /// Delays what flows in one direction; the same toxic again replaces the one before.
    pub async fn delay(
        &self,
        name: &str,
        toxic: &str,
        direction: Direction,
        delay: Duration,
        jitter: Duration,
    ) -> Result<()> {
        self.remove(name, toxic).await?;
        let body = json!({
            "name": toxic,
            "type": "latency",
            "stream": direction.as_str(),
            "toxicity": 1.0,
            "attributes": { "latency": delay.as_millis(), "jitter": jitter.as_millis() },
        });
        self.call(Method::POST, &format!("/proxies/{name}/toxics"), Some(body)).await.map(drop)
    }

    /// Removes a toxic; one that is not there is no error, so that an undo may come twice.
    pub async fn remove(&self, name: &str, toxic: &str) -> Result<()> {
        self.call(Method::DELETE, &format!("/proxies/{name}/toxics/{toxic}"), None).await.map(drop)
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<()> {
        let is_removal = method == Method::DELETE;
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer =
            request.send().await.context("toxiproxy does not answer; does the fleet still run?")?;
        let status = answer.status();
        if status.is_success() || (is_removal && status == StatusCode::NOT_FOUND) {
            return Ok(());
        }
        bail!("toxiproxy refused {path}: {status} {}", answer.text().await.unwrap_or_default());
    }
}

#[derive(Clone, Copy)]
pub enum Direction {
    ToServer,
    ToClient,
}

impl Direction {
    fn as_str(self) -> &'static str {
        match self {
            Self::ToServer => "upstream",
            Self::ToClient => "downstream",
        }
    }
}

//! Tokens of an identity provider, fetched by the console: with a refresh token, or with the client's own credentials.
//!
//! Where the provider gives a new refresh token, the old one is worth nothing: the new one is sealed in its place.

use std::time::Duration;

use app::fleet::trouble::Trouble;
use async_trait::async_trait;
use http::{Request, header};
use serde::Deserialize;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::{
    credentials::{Key, Opens, Provider},
    store::credentials::SEALED,
    tokens::{Fresh, Source},
};
use crate::{
    egress::Client,
    store::{Db, Sql, StoreError},
    vault::Vault,
};

/// A token is renewed so long before it ends.
const EARLY: Duration = Duration::from_mins(1);
/// Of a provider that does not say how long its tokens live.
const UNSAID: Duration = Duration::from_mins(5);

/// Where the credential lies, so that a new refresh token can be put there.
pub struct Place {
    pub db: Db,
    pub vault: Vault,
    pub row: String,
    pub key: Key,
}

pub struct OfProvider {
    http: Client,
    provider: Mutex<Provider>,
    place: Option<Place>,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    token_endpoint: String,
}

#[derive(Deserialize)]
struct Answer {
    id_token: Option<String>,
    access_token: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<u64>,
}

impl OfProvider {
    pub fn new(provider: Provider, http: Client, place: Option<Place>) -> Self {
        Self { http, provider: Mutex::new(provider), place }
    }

    async fn endpoint(&self, issuer: &str) -> Result<String, Trouble> {
        let url = format!("{issuer}/.well-known/openid-configuration");
        let request = Request::get(url).body(Vec::new()).map_err(|_| Trouble::Oidc)?;
        let metadata: Metadata = self.ask(request).await?;
        // One that speaks for another issuer speaks for nobody; and a token goes out encrypted only.
        let same = metadata.issuer.trim_end_matches('/') == issuer;
        if !same || !metadata.token_endpoint.starts_with("https://") {
            return Err(Trouble::Oidc);
        }
        Ok(metadata.token_endpoint)
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        request: Request<Vec<u8>>,
    ) -> Result<T, Trouble> {
        let answer = self.http.send(request).await.map_err(|error| {
            tracing::warn!(%error, "an identity provider of a cluster does not answer");
            Trouble::Oidc
        })?;
        if !answer.status().is_success() {
            tracing::warn!(
                status = answer.status().as_u16(),
                "an identity provider of a cluster refused"
            );
            return Err(Trouble::Oidc);
        }
        serde_json::from_slice(answer.body()).map_err(|_| Trouble::Oidc)
    }

    /// Seals the new refresh token in the place of the old one. In memory it counts either way.
    async fn keep(&self, provider: &Provider) -> Result<(), StoreError> {
        let Some(Place { db, vault, row, key }) = &self.place else { return Ok(()) };
        if db.is_read_only() {
            return Ok(());
        }
        let key = Key {
            authority: key.authority.clone(),
            server_name: key.server_name.clone(),
            opens: Opens::Oidc(provider.clone()),
        };
        let sealed = vault.seal(SEALED.place(row), &key.bytes());
        let mut tx = db.begin().await?;
        let sql = Sql::new("UPDATE cluster_credentials SET sealed = ")
            .arg(sealed)
            .push(" WHERE id = ")
            .arg(row);
        tx.execute(sql).await?;
        tx.commit(Vec::new()).await
    }
}

#[async_trait]
impl Source for OfProvider {
    async fn fetch(&self) -> Result<Fresh, Trouble> {
        let mut provider = self.provider.lock().await;
        let endpoint = self.endpoint(&provider.issuer).await?;
        let form = form(&provider)?;
        let request = Request::post(endpoint)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(form.as_bytes().to_vec())
            .map_err(|_| Trouble::Oidc)?;
        let answer: Answer = self.ask(request).await?;
        if let Some(new) =
            answer.refresh_token.filter(|new| Some(new) != provider.refresh_token.as_ref())
        {
            provider.refresh_token = Some(new);
            if let Err(error) = self.keep(&provider).await {
                tracing::error!(%error, "a new refresh token could not be kept; after a restart this cluster needs a new credential");
            }
        }
        // API servers check ID tokens; a client's own credentials give none.
        let token = answer.id_token.or(answer.access_token).ok_or(Trouble::Oidc)?;
        let fresh = answer.expires_in.map_or(UNSAID, Duration::from_secs);
        Ok(Fresh { token: Zeroizing::new(token), fresh: fresh.saturating_sub(EARLY) })
    }
}

fn form(provider: &Provider) -> Result<Zeroizing<String>, Trouble> {
    let mut fields = vec![("client_id", provider.client_id.as_str())];
    match &provider.refresh_token {
        Some(token) => {
            fields.extend([("grant_type", "refresh_token"), ("refresh_token", token.as_str())]);
        }
        None => fields.push(("grant_type", "client_credentials")),
    }
    fields.push(("scope", "openid"));
    if let Some(secret) = &provider.client_secret {
        fields.push(("client_secret", secret.as_str()));
    }
    serde_html_form::to_string(fields).map(Zeroizing::new).map_err(|_| Trouble::Oidc)
}

//! Bearer tokens that change while a client lives: read again when they are old, and when the API server refuses one.

use std::{path::PathBuf, sync::Arc, time::Duration};

use app::fleet::{credentials::SecretRef, trouble::Trouble};
use async_trait::async_trait;
use http::HeaderValue;
use k8s_openapi::api::core::v1::Secret as KubeSecret;
use kube::Api;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::error::trouble_of;
use crate::clock::Clock;

/// How long what was read is good without looking again.
const FRESH: Duration = Duration::from_mins(1);

pub struct Fresh {
    pub token: Zeroizing<String>,
    /// How long it is good.
    pub fresh: Duration,
}

#[async_trait]
pub trait Source: Send + Sync {
    async fn fetch(&self) -> Result<Fresh, Trouble>;
}

/// What goes into `Authorization`.
#[derive(Clone)]
pub enum Tokens {
    /// A client certificate says who it is.
    None,
    Fixed(HeaderValue),
    Changing(Arc<Changing>),
}

pub struct Changing {
    source: Box<dyn Source>,
    clock: Clock,
    /// What was read, and until when it need not be read again.
    held: Mutex<Option<(HeaderValue, Duration)>>,
}

impl Tokens {
    pub fn fixed(token: &str) -> Result<Self, Trouble> {
        header(token).map(Self::Fixed)
    }

    pub fn changing(source: impl Source + 'static, clock: Clock) -> Self {
        let held = Mutex::new(None);
        Self::Changing(Arc::new(Changing { source: Box::new(source), clock, held }))
    }

    pub async fn current(&self) -> Result<Option<HeaderValue>, Trouble> {
        match self {
            Self::None => Ok(None),
            Self::Fixed(header) => Ok(Some(header.clone())),
            Self::Changing(changing) => changing.current().await.map(Some),
        }
    }

    /// The API server did not take it: whoever asks next reads it again.
    pub async fn refused(&self) {
        if let Self::Changing(changing) = self {
            *changing.held.lock().await = None;
        }
    }
}

impl Changing {
    async fn current(&self) -> Result<HeaderValue, Trouble> {
        // One reads, the others wait for what it reads.
        let mut held = self.held.lock().await;
        let now = self.clock.monotonic();
        if let Some((header, until)) = held.as_ref().filter(|(_, until)| now < *until) {
            let _ = until;
            return Ok(header.clone());
        }
        let Fresh { token, fresh } = self.source.fetch().await?;
        let header = header(&token)?;
        *held = Some((header.clone(), now + fresh));
        Ok(header)
    }
}

fn header(token: &str) -> Result<HeaderValue, Trouble> {
    let text = Zeroizing::new(format!("Bearer {}", token.trim()));
    let mut header = HeaderValue::from_str(&text).map_err(|_| Trouble::Credential)?;
    header.set_sensitive(true);
    Ok(header)
}

/// The token that the console's own pod was given; the kubelet writes it anew.
pub struct OfFile(pub PathBuf);

#[async_trait]
impl Source for OfFile {
    async fn fetch(&self) -> Result<Fresh, Trouble> {
        let read = tokio::fs::read_to_string(&self.0).await;
        let token = Zeroizing::new(read.map_err(|_| Trouble::NoCredential)?);
        Ok(Fresh { token, fresh: FRESH })
    }
}

/// The token that a secret of the console's own cluster holds.
pub struct OfSecret {
    pub client: kube::Client,
    pub reference: SecretRef,
}

#[async_trait]
impl Source for OfSecret {
    async fn fetch(&self) -> Result<Fresh, Trouble> {
        let secrets: Api<KubeSecret> =
            Api::namespaced(self.client.clone(), &self.reference.namespace);
        let read = secrets.get(&self.reference.name).await;
        let secret = read.map_err(|error| {
            let trouble = trouble_of(&error);
            tracing::warn!(
                trouble = trouble.as_str(),
                namespace = self.reference.namespace,
                secret = self.reference.name,
                "a secret that a cluster's credential names cannot be read"
            );
            Trouble::SecretRef
        })?;
        let value = secret.data.and_then(|mut data| data.remove(&self.reference.key));
        let value = value.and_then(|value| String::from_utf8(value.0).ok());
        let token = Zeroizing::new(value.ok_or(Trouble::SecretRef)?);
        Ok(Fresh { token, fresh: FRESH })
    }
}

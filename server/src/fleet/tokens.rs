//! Bearer tokens that change while a client lives: read again when they are old, and when the API server refuses one.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use app::fleet::{credentials::SecretRef, trouble::Trouble};
use async_trait::async_trait;
use http::HeaderValue;
use k8s_openapi::api::core::v1::Secret as KubeSecret;
use kube::Api;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use super::error::trouble_of;
use crate::clock::Clock;

/// How long what was read is good without looking again.
const FRESH: Duration = Duration::from_mins(1);
/// After a failure nobody asks again for so long: whoever waits behind the first gets the same answer.
const PAUSE: Duration = Duration::from_secs(3);

pub struct Fresh {
    pub token: Zeroizing<String>,
    /// After so long it is read again.
    pub read_after: Duration,
    /// So long it does, should there be no other.
    pub good_for: Duration,
}

#[async_trait]
pub trait Source: Send + Sync {
    async fn fetch(&self) -> Result<Fresh, Trouble>;

    /// One that is refused sooner than that after it was fetched is not fetched again at once.
    fn apart(&self) -> Duration {
        Duration::ZERO
    }
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
    /// One reads, the others wait for what it reads.
    reading: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
    /// What reads goes on when whoever asked has gone: what was begun with an identity provider must be ended.
    work: TaskTracker,
}

#[derive(Default)]
struct Known {
    held: Option<Held>,
    /// Why there is no other, and until when nobody asks again.
    failed: Option<(Trouble, Duration)>,
}

struct Held {
    header: HeaderValue,
    since: Duration,
    fresh_until: Duration,
    good_until: Duration,
}

impl Tokens {
    pub fn fixed(token: &str) -> Result<Self, Trouble> {
        header(token).map(Self::Fixed)
    }

    pub fn changing(source: impl Source + 'static, clock: Clock) -> Self {
        Self::Changing(Arc::new(Changing {
            source: Box::new(source),
            clock,
            reading: tokio::sync::Mutex::default(),
            known: Mutex::default(),
            work: TaskTracker::new(),
        }))
    }

    pub async fn current(&self) -> Result<Option<HeaderValue>, Trouble> {
        match self {
            Self::None => Ok(None),
            Self::Fixed(header) => Ok(Some(header.clone())),
            Self::Changing(changing) => changing.current().await.map(Some),
        }
    }

    /// The API server did not take it: whoever asks next reads it again, where it is not another one already.
    pub fn refused(&self, header: Option<&HeaderValue>) {
        if let (Self::Changing(changing), Some(header)) = (self, header) {
            changing.refused(header);
        }
    }
}

impl Changing {
    async fn current(self: &Arc<Self>) -> Result<HeaderValue, Trouble> {
        let now = self.clock.monotonic();
        if let Some(answer) = self.known().answer(now) {
            return answer;
        }
        let good = self.known().good(now);
        // Somebody renews it already, and what is there is good.
        if let (Some(good), Err(_)) = (&good, self.reading.try_lock()) {
            return Ok(good.clone());
        }
        let this = Arc::clone(self);
        let read = self.work.spawn(async move { this.read().await });
        match good {
            Some(good) => Ok(good),
            None => read.await.unwrap_or(Err(Trouble::Credential)),
        }
    }

    async fn read(&self) -> Result<HeaderValue, Trouble> {
        let _reading = self.reading.lock().await;
        if let Some(answer) = self.known().answer(self.clock.monotonic()) {
            return answer;
        }
        let fetched = self.source.fetch().await;
        let now = self.clock.monotonic();
        let fetched = fetched.and_then(|Fresh { token, read_after, good_for }| {
            Ok(Held {
                header: header(&token)?,
                since: now,
                fresh_until: now + read_after,
                good_until: now + good_for,
            })
        });
        let mut known = self.known();
        match fetched {
            Ok(held) => {
                let header = held.header.clone();
                *known = Known { held: Some(held), failed: None };
                Ok(header)
            }
            Err(trouble) => {
                known.failed = Some((trouble, now + PAUSE));
                known.good(now).ok_or(trouble)
            }
        }
    }

    fn refused(&self, header: &HeaderValue) {
        let now = self.clock.monotonic();
        let mut known = self.known();
        let is_it = |held: &Held| {
            held.header == header && now.saturating_sub(held.since) >= self.source.apart()
        };
        if known.held.as_ref().is_some_and(is_it) {
            known.held = None;
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change is one assignment: there is nothing that a panic could leave half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// None: somebody has to read.
    fn answer(&self, now: Duration) -> Option<Result<HeaderValue, Trouble>> {
        if let Some(held) = self.held.as_ref().filter(|held| now < held.fresh_until) {
            return Some(Ok(held.header.clone()));
        }
        let (trouble, _) = self.failed.filter(|(_, until)| now < *until)?;
        Some(self.good(now).ok_or(trouble))
    }

    fn good(&self, now: Duration) -> Option<HeaderValue> {
        let held = self.held.as_ref().filter(|held| now < held.good_until)?;
        Some(held.header.clone())
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
        Ok(Fresh { token, read_after: FRESH, good_for: FRESH })
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
        Ok(Fresh { token, read_after: FRESH, good_for: FRESH })
    }
}

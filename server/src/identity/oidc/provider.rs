//! What the provider says of itself: its addresses and its keys. Asked for when first needed, so that the console
//! starts while the provider is down; kept for an hour; and kept on while the provider cannot be asked.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use openidconnect::{
    EndSessionUrl, IssuerUrl, JsonWebKeySetUrl, ProviderMetadataWithLogout as Metadata, TokenUrl,
    UserInfoUrl,
    core::{CoreClientAuthMethod, CoreJsonWebKeySet},
};
use url::Url;

use super::{
    error::{Leg, OidcError},
    wire::Wire,
};
use crate::{clock::Clock, egress::Client};

/// Addresses change about never, keys when they are rotated.
const FRESH: Duration = Duration::from_hours(1);
/// A provider that is down is not asked for every visitor.
const PAUSE: Duration = Duration::from_secs(2);
/// Tokens with invented key ids must not make us ask without end.
const KEYS_PAUSE: Duration = Duration::from_secs(10);

pub struct Provider {
    issuer: IssuerUrl,
    http: Client,
    clock: Clock,
    known: tokio::sync::Mutex<Known>,
    standing: Mutex<Standing>,
    /// Worked out when the provider tells its addresses, never for a request.
    forms: Mutex<Arc<str>>,
}

#[derive(Default)]
struct Known {
    metadata: Option<(Arc<Metadata>, Duration)>,
    failed: Option<Duration>,
    keys_asked: Option<Duration>,
}

/// How the provider fared when it was last asked; the sign-in page shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    #[default]
    NotAsked,
    Answers,
    Fails(String),
}

impl Provider {
    pub fn new(issuer: IssuerUrl, http: Client, clock: Clock) -> Self {
        let known = tokio::sync::Mutex::default();
        let forms = Mutex::new(origins([issuer.url()]));
        Self { issuer, http, clock, known, standing: Mutex::default(), forms }
    }

    pub fn standing(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where a form of ours may lead on to, as the policy of a page names it: browsers hold the redirects of a form to
    /// that, and signing out here leads to signing out there. Until the provider was asked, where its issuer is.
    pub fn form_action(&self) -> Arc<str> {
        Arc::clone(&self.forms.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is known of it, however old; asked for only when nothing is. For who must not be kept waiting.
    pub async fn known(&self) -> Result<Arc<Metadata>, OidcError> {
        let held = self.known.lock().await.metadata.clone();
        match held {
            Some((metadata, _)) => Ok(metadata),
            None => self.metadata().await,
        }
    }

    /// An answer that is too old is better than none.
    pub async fn metadata(&self) -> Result<Arc<Metadata>, OidcError> {
        let mut known = self.known.lock().await;
        let now = self.clock.monotonic();
        let held = known.metadata.clone();
        if let Some((metadata, at)) = &held
            && now.saturating_sub(*at) < FRESH
        {
            return Ok(Arc::clone(metadata));
        }
        let paused = known.failed.is_some_and(|at| now.saturating_sub(at) < PAUSE);
        if !paused {
            match self.discover().await {
                Ok(metadata) => {
                    let metadata = Arc::new(metadata);
                    known.metadata = Some((Arc::clone(&metadata), now));
                    known.failed = None;
                    self.stands(Standing::Answers);
                    return Ok(metadata);
                }
                Err(error) => {
                    known.failed = Some(self.clock.monotonic());
                    self.stands(Standing::Fails(error.to_string()));
                    if held.is_none() {
                        return Err(error);
                    }
                    tracing::warn!(%error, "the identity provider's addresses are older than an hour");
                }
            }
        }
        let cause = || match self.standing() {
            Standing::Fails(why) => why,
            _ => "asked a moment ago".to_owned(),
        };
        held.map(|(metadata, _)| metadata)
            .ok_or_else(|| OidcError::Unreachable { leg: Leg::Discovery, cause: cause() })
    }

    /// After a token with a key that is not known: the provider may have rotated its keys. None when it was asked
    /// a moment ago.
    pub async fn newer_keys(&self) -> Result<Option<Arc<Metadata>>, OidcError> {
        let mut known = self.known.lock().await;
        let now = self.clock.monotonic();
        let recently = known.keys_asked.is_some_and(|at| now.saturating_sub(at) < KEYS_PAUSE);
        let Some((metadata, at)) = known.metadata.clone().filter(|_| !recently) else {
            return Ok(None);
        };
        known.keys_asked = Some(now);
        let keys = self.keys(metadata.jwks_uri()).await?;
        let metadata = Arc::new((*metadata).clone().set_jwks(keys));
        known.metadata = Some((Arc::clone(&metadata), at));
        Ok(Some(metadata))
    }

    async fn discover(&self) -> Result<Metadata, OidcError> {
        let http = Wire(&self.http);
        let found = Metadata::discover_async(self.issuer.clone(), &http).await;
        let metadata = found.map_err(|error| OidcError::discovery(Leg::Discovery, error))?;
        self.safe(&metadata)?;
        let out = metadata.additional_metadata().end_session_endpoint.as_ref();
        let forms = origins(out.map(EndSessionUrl::url));
        *self.forms.lock().unwrap_or_else(PoisonError::into_inner) = forms;
        Ok(metadata)
    }

    async fn keys(&self, url: &JsonWebKeySetUrl) -> Result<CoreJsonWebKeySet, OidcError> {
        let http = Wire(&self.http);
        let found = CoreJsonWebKeySet::fetch_async(url, &http).await;
        found.map_err(|error| OidcError::discovery(Leg::Keys, error))
    }

    /// A provider over https must not send secrets or people over anything less.
    fn safe(&self, metadata: &Metadata) -> Result<(), OidcError> {
        let optional: [Option<&Url>; 3] = [
            metadata.token_endpoint().map(TokenUrl::url),
            metadata.userinfo_endpoint().map(UserInfoUrl::url),
            metadata.additional_metadata().end_session_endpoint.as_ref().map(EndSessionUrl::url),
        ];
        let all = [metadata.authorization_endpoint().url(), metadata.jwks_uri().url()];
        let scheme = self.issuer.url().scheme();
        let all = all.into_iter().chain(optional.into_iter().flatten());
        if all.into_iter().any(|url| url.scheme() != "https" && url.scheme() != scheme) {
            return Err(OidcError::answer(Leg::Discovery, "it names an address that is not https"));
        }
        if metadata.token_endpoint().is_none() {
            return Err(OidcError::answer(Leg::Discovery, "it names no token endpoint"));
        }
        Ok(())
    }

    fn stands(&self, standing: Standing) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }
}

/// As they stand in a policy, each behind a space.
fn origins<'a>(urls: impl IntoIterator<Item = &'a Url>) -> Arc<str> {
    let origins = urls.into_iter().map(|url| format!(" {}", url.origin().ascii_serialization()));
    origins.collect::<String>().into()
}

/// Basic is what a provider must understand; some say that they want the secret in the body.
pub fn wants_secret_in_body(metadata: &Metadata) -> bool {
    metadata.token_endpoint_auth_methods_supported().is_some_and(|methods| {
        !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
            && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
    })
}

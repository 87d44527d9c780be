//! Who sent a request: the session that its cookie stands for, or the API key that a header names. Headers that claim
//! an identity by themselves (`X-User-…`, `Impersonate-…`) say nothing here.

use std::sync::Arc;

use app::{
    error::ApiError,
    identity::{Caller, CallerKind, Capability, Gate},
};
use async_trait::async_trait;
use http::{HeaderMap, HeaderName, header::AUTHORIZATION};

use super::{
    Callers,
    rights::{Holder, RightsBook, narrowed},
    sessions::Sessions,
    store::{KeyRow, SessionRow},
    token,
};
use crate::{
    clock::Clock,
    config::Config,
    web::{arrival::Arrival, cookies},
};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// No key is longer, imported ones included (DECIDED 7).
const KEY_MAX: usize = 256;

pub struct SignedInCallers {
    pub sessions: Arc<Sessions>,
    pub rights: Arc<RightsBook>,
    pub clock: Clock,
    pub gate: Arc<dyn Gate>,
    pub cookie: &'static str,
}

#[async_trait]
impl Callers for SignedInCallers {
    async fn find(
        &self,
        arrival: &Arrival,
        headers: &HeaderMap,
    ) -> Result<Option<Caller>, ApiError> {
        let found = match presented_key(headers) {
            Some(key) => self.by_key(key).await?,
            None => match cookies::find(headers, self.cookie) {
                Some(cookie) => self.by_session(cookie).await?,
                None => None,
            },
        };
        Ok(found.map(|caller| arrived(caller, arrival)))
    }

    async fn still(
        &self,
        arrival: &Arrival,
        headers: &HeaderMap,
    ) -> Result<Option<Caller>, ApiError> {
        let cookie = match presented_key(headers) {
            Some(_) => None,
            None => cookies::find(headers, self.cookie),
        };
        let Some(cookie) = cookie else { return self.find(arrival, headers).await };
        let session = self.sessions.peek(cookie, self.clock.now()).await?;
        let Some(session) = session else { return Ok(None) };
        let person = self.person(session, token::mark(&token::hash(cookie))).await?;
        Ok(person.map(|caller| arrived(caller, arrival)))
    }
}

fn arrived(mut caller: Caller, arrival: &Arrival) -> Caller {
    caller.request_id.clone_from(&arrival.request_id);
    caller.address = arrival.address;
    caller
}

impl SignedInCallers {
    async fn by_session(&self, cookie: &str) -> Result<Option<Caller>, ApiError> {
        let now = self.clock.now();
        match self.sessions.find(cookie, now).await? {
            Some(session) => self.person(session, token::mark(&token::hash(cookie))).await,
            None => Ok(None),
        }
    }

    /// With whatever is granted at this moment, be it nothing.
    async fn person(&self, session: SessionRow, mark: String) -> Result<Option<Caller>, ApiError> {
        let holder = Holder::Person(session.person_id.clone());
        let rights = self.rights.of(&holder, session.epoch).await?;
        let grants = rights.as_ref().clone();
        let gate = Arc::clone(&self.gate);
        let (id, name) = (session.person_id, session.name);
        let mut caller = Caller::new(CallerKind::User, id, name, grants, gate);
        caller.session = Some(mark);
        Ok(Some(caller))
    }

    async fn by_key(&self, key: &str) -> Result<Option<Caller>, ApiError> {
        match self.sessions.find_key(key, self.clock.now()).await? {
            Some(key) => self.key(key).await.map(Some),
            None => Ok(None),
        }
    }

    async fn key(&self, key: KeyRow) -> Result<Caller, ApiError> {
        let holder = match &key.owner_id {
            Some(owner) => Holder::Person(owner.clone()),
            None => Holder::Key(key.id.clone()),
        };
        let rights = self.rights.of(&holder, key.epoch).await?;
        let asked: Vec<Capability> =
            key.capabilities.split(' ').filter_map(|name| name.parse().ok()).collect();
        let grants = narrowed(&rights, &asked, key.workspace_id);
        let gate = Arc::clone(&self.gate);
        let mut caller = Caller::new(CallerKind::ApiKey, key.id, key.name, grants, gate);
        caller.on_behalf_of = key.owner_id;
        caller.service_identity = key.service_identity;
        Ok(caller)
    }
}

/// The name of the session's cookie. The prefix makes browsers refuse one that a neighbour host set.
pub fn session_cookie(config: &Config) -> &'static str {
    let https = config.public_url.as_ref().is_some_and(|url| url.https);
    if https { "__Host-qd_session" } else { "qd_session" }
}

/// The key that a request presents; one in two places must be the same.
fn presented_key(headers: &HeaderMap) -> Option<&str> {
    let mut keys = headers.get_all(API_KEY).iter();
    let key = match keys.next() {
        Some(key) => key.to_str().ok()?,
        None => bearer(headers)?,
    };
    let plausible = (16..=KEY_MAX).contains(&key.len()) && keys.next().is_none();
    plausible.then_some(key)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let value = given.next()?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && given.next().is_none()).then(|| key.trim())
}

//! Who sent a request: the session that its cookie stands for, or the API key that a header names. Headers that claim
//! an identity by themselves (`X-User-…`, `Impersonate-…`) say nothing here.

use std::sync::Arc;

use app::{
    error::ApiError,
    identity::{Caller, CallerKind, Capability, Gate},
};
use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

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
const BEARER: &[u8] = b"bearer";

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
        let found = match presented(headers) {
            Presented::Key(key) => self.by_key(key).await?,
            Presented::Unusable => None,
            Presented::None => match cookies::find(headers, self.cookie) {
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
        let cookie = match presented(headers) {
            Presented::Key(_) | Presented::Unusable => None,
            Presented::None => cookies::find(headers, self.cookie),
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

/// What a request says about a key. Whoever presents one is judged by it alone: one that is no good never falls back
/// to the rights of a session that happens to come along.
#[derive(Debug, PartialEq, Eq)]
enum Presented<'a> {
    None,
    Unusable,
    Key(&'a str),
}

/// One in two places must be the same.
fn presented(headers: &HeaderMap) -> Presented<'_> {
    let named = headers.get_all(API_KEY).iter().map(|value| value.to_str().ok());
    let borne = headers.get_all(AUTHORIZATION).iter().filter_map(bearer);
    let mut keys = named.chain(borne);
    let Some(first) = keys.next() else { return Presented::None };
    match first {
        Some(key) if (16..=KEY_MAX).contains(&key.len()) && keys.all(|other| other == first) => {
            Presented::Key(key)
        }
        _ => Presented::Unusable,
    }
}

/// None for another scheme than ours: a proxy in front may have its own.
fn bearer(value: &HeaderValue) -> Option<Option<&str>> {
    let bytes = value.as_bytes();
    let (scheme, key) = bytes.split_at_checked(BEARER.len())?;
    let parted = key.first().is_none_or(|byte| byte.is_ascii_whitespace());
    if !scheme.eq_ignore_ascii_case(BEARER) || !parted {
        return None;
    }
    Some(std::str::from_utf8(key).ok().map(str::trim))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: &str = "qd_0123456789abcdef";

    fn of(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_key_is_taken_from_either_header() {
        for headers in [
            of(&[("x-api-key", ONE)]),
            of(&[("authorization", &format!("Bearer {ONE}"))]),
            of(&[("authorization", &format!("bEARER   {ONE} "))]),
            of(&[("authorization", &format!("Bearer {ONE}")), ("x-api-key", ONE)]),
        ] {
            assert_eq!(presented(&headers), Presented::Key(ONE), "{headers:?}");
        }
        assert_eq!(presented(&of(&[])), Presented::None);
        assert_eq!(presented(&of(&[("authorization", "Basic YTpi")])), Presented::None);
    }

    #[test]
    fn a_key_that_is_no_good_is_not_the_same_as_none() {
        let long = "x".repeat(KEY_MAX + 1);
        for headers in [
            of(&[("x-api-key", "short")]),
            of(&[("x-api-key", "")]),
            of(&[("x-api-key", &long)]),
            of(&[("authorization", "Bearer")]),
            of(&[("authorization", "Bearer ")]),
            of(&[("authorization", &format!("Bearer {ONE}")), ("x-api-key", "another-key-of-16")]),
        ] {
            assert_eq!(presented(&headers), Presented::Unusable, "{headers:?}");
        }
        let mut two = of(&[("x-api-key", ONE)]);
        two.append("x-api-key", HeaderValue::from_static("another-key-of-16"));
        assert_eq!(presented(&two), Presented::Unusable);
    }

    proptest! {
        /// Whatever comes, nothing panics, and only what was sent is taken for a key.
        #[test]
        fn headers_of_any_bytes_are_survived(
            authorization in prop::collection::vec(any::<u8>(), 0..400),
            bearer in prop::collection::vec(any::<u8>(), 0..400),
            named in prop::collection::vec(any::<u8>(), 0..400),
            cookie in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let mut headers = HeaderMap::new();
            let bearer = [b"Bearer ".as_slice(), &bearer].concat();
            for (name, bytes) in [
                (AUTHORIZATION, &authorization), (AUTHORIZATION, &bearer), (API_KEY, &named),
                (http::header::COOKIE, &cookie),
            ] {
                if let Ok(value) = HeaderValue::from_bytes(bytes) {
                    headers.append(name, value);
                }
            }
            if let Presented::Key(key) = presented(&headers) {
                prop_assert!((16..=KEY_MAX).contains(&key.len()));
                let sent = [&authorization, &bearer, &named];
                let held = |bytes: &&Vec<u8>| bytes.windows(key.len()).any(|part| part == key.as_bytes());
                prop_assert!(sent.iter().any(held));
            }
            if let Some(found) = cookies::find(&headers, "qd_session") {
                let all = String::from_utf8_lossy(&cookie);
                prop_assert!(all.contains("qd_session") && all.contains(found));
            }
        }
    }
}

//! Sessions: from signing in to their end. The cookie is opaque; what it stands for is here.
//!
//! A request costs one query for its session. Being seen is written once a minute at most, in one transaction for
//! all that were seen, so that reading pages does not write.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use app::time::Micros;
use tokio_util::sync::CancellationToken;

use super::{
    store::{self, Begins, KeyRow, SessionRow},
    token::{self, Token},
};
use crate::{
    clock::Rng,
    store::{Db, StoreError, Tx},
};

/// How long a person may be away, and how long a session lasts at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub idle: Duration,
    pub lifetime: Duration,
}

/// Seen again within this time, nothing is written.
const SEEN_EVERY: Duration = Duration::from_mins(1);
/// How long what was seen may wait to be written.
const WRITTEN_AFTER: Duration = Duration::from_secs(5);
/// Longer device names tell nobody more.
const DEVICE_MAX: usize = 200;

/// How somebody proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Local,
    Oidc,
    Demo,
    Setup,
}

impl Method {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Oidc => "oidc",
            Self::Demo => "demo",
            Self::Setup => "setup",
        }
    }
}

/// Somebody has just proven who they are.
#[derive(Clone, Copy, Debug)]
pub struct SignedIn<'a> {
    pub person_id: &'a str,
    pub method: Method,
    pub address: Option<IpAddr>,
    /// The browser's own words for itself.
    pub device: Option<&'a str>,
}

/// A session that has begun: the one moment at which its token is known.
#[derive(Debug)]
pub struct Begun {
    pub id: String,
    pub token: Token,
    pub expires_at: Micros,
}

pub struct Sessions {
    db: Db,
    rng: Rng,
    limits: Limits,
    seen: Mutex<Seen>,
}

/// What was used and not written yet.
#[derive(Default)]
struct Seen {
    sessions: HashMap<String, Micros>,
    keys: HashMap<String, Micros>,
}

impl Sessions {
    pub fn new(db: Db, rng: Rng, limits: Limits) -> Self {
        Self { db, rng, limits, seen: Mutex::default() }
    }

    /// How long a person may be away.
    pub fn idle(&self) -> Duration {
        self.limits.idle
    }

    /// Begins a session in the transaction that proves who it is for. Always a new token: one that a browser had
    /// before signing in is worth nothing after it.
    pub async fn begin(&self, tx: &mut Tx, who: SignedIn<'_>) -> Result<Begun, StoreError> {
        let now = tx.now().await?;
        let (id, token) = (self.rng.uuid(), Token::new("", &self.rng));
        let expires_at = now.plus(micros(self.limits.lifetime));
        let device = who.device.map(|device| device.chars().take(DEVICE_MAX).collect());
        let begins = Begins {
            id: &id,
            token_hash: token.hash(),
            person_id: who.person_id,
            method: who.method.as_str(),
            address: who.address.map(|address| address.to_string()),
            device,
            now,
            expires_at,
        };
        store::insert_session(tx, begins).await?;
        Ok(Begun { id, token, expires_at })
    }

    /// The session that a cookie stands for, while it lasts.
    pub async fn find(&self, cookie: &str, now: Micros) -> Result<Option<SessionRow>, StoreError> {
        let Some(session) = store::find_session(&self.db, token::hash(cookie)).await? else {
            return Ok(None);
        };
        let lasts = self.lasts(&session, now);
        if lasts && now.since(self.seen_at(&session)) >= micros(SEEN_EVERY) {
            self.waiting().sessions.insert(session.id.clone(), now);
        }
        Ok(lasts.then_some(session))
    }

    /// The key that a header names, while it is good.
    pub async fn find_key(&self, key: &str, now: Micros) -> Result<Option<KeyRow>, StoreError> {
        let Some(key) = store::find_key(&self.db, token::hash(key)).await? else { return Ok(None) };
        let good =
            !key.revoked && !key.owner_disabled && key.expires_at.is_none_or(|end| now < end);
        if good {
            let mut waiting = self.waiting();
            let known = waiting.keys.get(&key.id).copied().max(key.used_at);
            if known.is_none_or(|known| now.since(known) >= micros(SEEN_EVERY)) {
                waiting.keys.insert(key.id.clone(), now);
            }
        }
        Ok(good.then_some(key))
    }

    /// The same without a sign of somebody at work: for streams that stay open.
    pub async fn peek(&self, cookie: &str, now: Micros) -> Result<Option<SessionRow>, StoreError> {
        let session = store::find_session(&self.db, token::hash(cookie)).await?;
        Ok(session.filter(|session| self.lasts(session, now)))
    }

    /// Whether its time is not over.
    pub fn is_open(&self, seen_at: Micros, expires_at: Micros, now: Micros) -> bool {
        now < expires_at && now.since(seen_at) < micros(self.limits.idle)
    }

    /// When a session was last of use, what waits to be written included.
    pub fn seen_lately(&self, id: &str, written: Micros) -> Micros {
        self.waiting().sessions.get(id).copied().map_or(written, |waiting| waiting.max(written))
    }

    fn lasts(&self, session: &SessionRow, now: Micros) -> bool {
        !session.ended
            && !session.disabled
            && self.is_open(self.seen_at(session), session.expires_at, now)
    }

    /// The later of what is written and what waits to be.
    fn seen_at(&self, session: &SessionRow) -> Micros {
        self.seen_lately(&session.id, session.seen_at)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down who was seen, until `stop` and once more then.
    pub async fn write_seen(&self, stop: CancellationToken) -> Result<(), StoreError> {
        loop {
            let stopping = tokio::select! {
                () = stop.cancelled() => true,
                () = self.db.clock().sleep(WRITTEN_AFTER) => false,
            };
            self.write_seen_now().await?;
            crate::tasks::beat();
            if stopping {
                return Ok(());
            }
        }
    }

    pub async fn write_seen_now(&self) -> Result<(), StoreError> {
        // In one order everywhere, or two replicas could wait for each other.
        let sorted = |seen: &HashMap<String, Micros>| -> BTreeMap<String, Micros> {
            seen.iter().map(|(id, at)| (id.clone(), *at)).collect()
        };
        let (sessions, keys) = {
            let waiting = self.waiting();
            (sorted(&waiting.sessions), sorted(&waiting.keys))
        };
        if sessions.is_empty() && keys.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        for (id, at) in &sessions {
            store::touch_session(&mut tx, id, *at).await?;
        }
        for (id, at) in &keys {
            store::touch_key(&mut tx, id, *at).await?;
        }
        tx.commit(Vec::new()).await?;
        // Forgotten only now: until it is written, and when that fails, whoever is at work must not pass for idle.
        let mut waiting = self.waiting();
        waiting.sessions.retain(|id, at| sessions.get(id) != Some(at));
        waiting.keys.retain(|id, at| keys.get(id) != Some(at));
        Ok(())
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

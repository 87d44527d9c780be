//! Tokens of an identity provider, fetched by the console: with a refresh token, or with the client's own credentials.
//!
//! ```text
//!  fetch ─► its turn (one console at a time) ─► what the last one left ─► exchange ─► the next token sealed, turn over
//! ```
//!
//! Where the provider gives a new refresh token, the old one is worth nothing, and whoever shows it again is taken for
//! a thief: the whole sign-in is withdrawn. So one console spends it at a time, and none that could not keep the next.

mod exchange;

use std::time::Duration;

use app::fleet::trouble::Trouble;
use async_trait::async_trait;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use self::exchange::{Exchange, Given};
use super::{
    credentials::{Key, Opens, Provider, read_token},
    store::{
        credentials::SEALED,
        exchange::{self as turns, Taken, Turn},
    },
    tokens::{Fresh, Source},
};
use crate::{
    clock::Clock,
    egress::Client,
    store::{Db, StoreError},
    vault::Vault,
};

/// A token is renewed so long before it ends, or after three quarters of its life.
const EARLY: Duration = Duration::from_mins(1);
/// Of a provider that does not say how long its tokens live.
const UNSAID: Duration = Duration::from_mins(5);
/// Two that are refused at once are no reason to ask for a third at once.
const APART: Duration = Duration::from_secs(30);
/// How long another console's turn is waited for.
const TURN_WITHIN: Duration = Duration::from_secs(25);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// The next token is worth several attempts to keep it.
const KEEP_AGAIN: [u64; 5] = [100, 300, 1_000, 2_000, 4_000];

/// Where the credential lies, so that a new refresh token can be put there.
pub struct Place {
    pub db: Db,
    pub vault: Vault,
    pub row: String,
    pub key: Key,
}

pub struct OfProvider {
    exchange: Exchange,
    clock: Clock,
    held: Mutex<Held>,
    place: Option<Place>,
}

struct Held {
    provider: Provider,
    /// What the store has is older than this.
    unkept: bool,
}

impl OfProvider {
    pub fn new(provider: Provider, http: &Client, clock: Clock, place: Option<Place>) -> Self {
        let held = Mutex::new(Held { provider, unkept: false });
        Self { exchange: Exchange::new(http), clock, held, place }
    }

    /// With what is in the store: another console may have spent what we had.
    async fn in_turn(&self, place: &Place, held: &mut Held) -> Result<Given, Trouble> {
        if place.db.is_read_only() {
            return Err(Trouble::OidcUnkept);
        }
        let turn = self.turn(place).await?;
        let stored = turn.sealed.as_deref().and_then(|sealed| place.provider(sealed));
        if let Some(stored) = stored.filter(|_| !held.unkept) {
            held.provider = stored;
        }
        let given = self.exchange.tokens(&held.provider).await;
        let renewed = given.as_ref().ok().and_then(|given| given.refresh.clone());
        if let (Some(next), Some(token)) = (renewed, &held.provider.refresh_token) {
            token.renew(next.to_string());
            held.unkept = true;
        }
        if held.unkept {
            held.unkept = !self.keep(place, &turn, &held.provider).await;
        } else if let Err(error) = turns::give_back(&place.db, &turn).await {
            tracing::warn!(%error, "a turn at an identity provider could not be given back; it lapses");
        }
        given
    }

    async fn turn(&self, place: &Place) -> Result<Turn, Trouble> {
        let since = self.clock.monotonic();
        loop {
            match turns::take(&place.db, &place.row).await {
                Ok(Taken::Ours(turn)) => return Ok(turn),
                Ok(Taken::Gone) => return Err(Trouble::NoCredential),
                Ok(Taken::Busy) => {}
                Err(error) => {
                    tracing::warn!(%error, "a refresh token is not used: its place cannot be had");
                    return Err(Trouble::OidcUnkept);
                }
            }
            if self.clock.monotonic().saturating_sub(since) > TURN_WITHIN {
                return Err(Trouble::OidcUnreachable);
            }
            self.clock.sleep(LOOK_AGAIN).await;
        }
    }

    /// Whether it lies in the store now. In memory it counts either way.
    async fn keep(&self, place: &Place, turn: &Turn, provider: &Provider) -> bool {
        for wait in KEEP_AGAIN {
            match turns::keep(&place.db, turn, place.seal(provider)).await {
                Ok(()) => return true,
                Err(error) => self.not_kept(&error, wait).await,
            }
        }
        tracing::error!(
            "a new refresh token could not be kept; after a restart this cluster needs a new credential"
        );
        false
    }

    async fn not_kept(&self, error: &StoreError, wait: u64) {
        tracing::warn!(%error, "a new refresh token could not be kept yet");
        self.clock.sleep(Duration::from_millis(wait)).await;
    }
}

impl Place {
    fn provider(&self, sealed: &[u8]) -> Option<Provider> {
        let opened = self.vault.open_sealed(SEALED.place(&self.row), sealed).ok()?;
        match &Key::read(&opened).ok()?.opens {
            Opens::Oidc(provider) => Some(provider.clone()),
            _ => None,
        }
    }

    fn seal(&self, provider: &Provider) -> Vec<u8> {
        let key = Key {
            authority: self.key.authority.clone(),
            server_name: self.key.server_name.clone(),
            opens: Opens::Oidc(provider.clone()),
        };
        self.vault.seal(SEALED.place(&self.row), &key.bytes())
    }
}

#[async_trait]
impl Source for OfProvider {
    async fn fetch(&self) -> Result<Fresh, Trouble> {
        let mut held = self.held.lock().await;
        let given = match (&self.place, &held.provider.refresh_token) {
            (Some(place), Some(_)) => self.in_turn(place, &mut held).await?,
            (_, token) => {
                let given = self.exchange.tokens(&held.provider).await?;
                if let (Some(token), Some(next)) = (token, &given.refresh) {
                    token.renew(next.to_string());
                }
                given
            }
        };
        Ok(fresh(given.token, given.expires_in))
    }

    fn apart(&self) -> Duration {
        APART
    }
}

/// How long a token is good: as it says itself, for what the provider says is the access token's life.
fn fresh(token: Zeroizing<String>, said: Option<Duration>) -> Fresh {
    let good = read_token(&token).lives.or(said).unwrap_or(UNSAID);
    let early = EARLY.min(good / 4);
    Fresh { token, read_after: good.saturating_sub(early), good_for: good }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    fn of(claims: &str, said: Option<u64>) -> (u64, u64) {
        let token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims));
        let fresh = fresh(Zeroizing::new(token), said.map(Duration::from_secs));
        (fresh.read_after.as_secs(), fresh.good_for.as_secs())
    }

    #[test]
    fn a_token_is_renewed_before_it_ends_and_not_at_each_request() {
        assert_eq!(of(r#"{"iat":1000,"exp":4600}"#, Some(60)), (3_540, 3_600), "its own word");
        assert_eq!(of("{}", Some(3_600)), (3_540, 3_600));
        assert_eq!(of("{}", Some(20)), (15, 20), "one that lives shortly");
        assert_eq!(of("opaque", None), (240, 300));
        assert_eq!(of(r#"{"iat":1000,"exp":900}"#, None), (0, 0));
    }
}

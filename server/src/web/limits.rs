//! How much one request and one caller may take: body, time, and searches in a second.

use std::{num::NonZeroU32, time::Duration};

use app::{error::ApiError, identity::Caller};
use axum::{
    body::Body,
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{
    Quota, RateLimiter, clock::Clock as GovernorClock, middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};
use http::header::CONTENT_LENGTH;
use http_body_util::Limited;

use super::{
    arrival::Arrival,
    errors::Failed,
    query,
    waits::{self, Waits},
};
use crate::{clock::Clock, config::Config, console::Console};

/// Beyond so many callers, those who have been quiet are forgotten.
const CALLERS_KEPT: usize = 4096;

/// The process's own clock, as the limiter wants it.
#[derive(Clone)]
struct Monotonic(Clock);

impl GovernorClock for Monotonic {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

type PerCaller =
    RateLimiter<String, HashMapStateStore<String>, Monotonic, NoOpMiddleware<Duration>>;

/// What each caller may do in a second.
pub struct Limits {
    clock: Monotonic,
    searches: PerCaller,
    departures: PerCaller,
    exports: PerCaller,
    /// Requests that wait.
    pub waits: Waits,
}

/// Sign-ins that one address may begin in a second, and how many at once: an office behind one address in the morning.
const DEPARTURES: NonZeroU32 = NonZeroU32::new(2).expect("two");
const DEPARTURES_AT_ONCE: NonZeroU32 = NonZeroU32::new(60).expect("sixty");

impl Limits {
    pub fn new(config: &Config, clock: &Clock) -> Self {
        let clock = Monotonic(clock.clone());
        let rate = NonZeroU32::new(config.search_rate).unwrap_or(NonZeroU32::MIN);
        let searches =
            RateLimiter::new(Quota::per_second(rate), HashMapStateStore::default(), clock.clone());
        let departures = Quota::per_second(DEPARTURES).allow_burst(DEPARTURES_AT_ONCE);
        let departures = RateLimiter::new(departures, HashMapStateStore::default(), clock.clone());
        let exports = Quota::per_second(NonZeroU32::MIN);
        let exports = RateLimiter::new(exports, HashMapStateStore::default(), clock.clone());
        Self { clock, searches, departures, exports, waits: Waits::default() }
    }

    /// Refuses an address that begins sign-ins too often: each is remembered until it comes back or is too old, and
    /// nobody is known yet.
    pub fn depart(&self, arrival: &Arrival) -> Result<(), ApiError> {
        let who = arrival.address.map(|address| address.to_string()).unwrap_or_default();
        self.take(&self.departures, &who)
    }

    /// Refuses a caller that searches too often. A search is whatever has a text to look for.
    pub fn check(&self, arrival: &Arrival, caller: Option<&Caller>) -> Result<(), ApiError> {
        let Some(query) = arrival.query.as_deref().filter(|query| query.contains("q=")) else {
            return Ok(());
        };
        // A query that cannot be read is refused further in, with its reason.
        let pairs = query::pairs(query).unwrap_or_default();
        if !pairs.iter().any(|(key, value)| key == "q" && !value.is_empty()) {
            return Ok(());
        }
        let who = match (caller, arrival.address) {
            (Some(caller), _) => format!("{caller:?}"),
            (None, Some(address)) => address.to_string(),
            (None, None) => String::new(),
        };
        self.take(&self.searches, &who)
    }

    /// Refuses a caller that exports more than once in a second.
    pub fn export(&self, caller: &Caller) -> Result<(), ApiError> {
        self.take(&self.exports, &format!("{caller:?}"))
    }

    fn take(&self, limiter: &PerCaller, who: &String) -> Result<(), ApiError> {
        if limiter.len() > CALLERS_KEPT {
            limiter.retain_recent();
        }
        limiter.check_key(who).map_err(|refused| {
            let wait = refused.wait_time_from(self.clock.now());
            let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
            ApiError::RateLimited { retry_after_s: seconds }
        })
    }
}

/// Runs a handler within the limits of body and time. The time of a live stream is not counted: its handler
/// is done when the stream begins. One that waits by design has that time on top.
pub async fn within(
    console: &'static Console,
    waits: bool,
    request: Request,
    next: Next,
) -> Response {
    let patience = if waits { waits::LONGEST } else { Duration::ZERO };
    let max = console.config.max_body_bytes;
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    if announced.and_then(|v| v.parse::<u64>().ok()).is_some_and(|len| len > max as u64) {
        return Failed(ApiError::TooLarge).into_response();
    }
    let request = request.map(|body| Body::new(Limited::new(body, max)));
    tokio::select! {
        response = next.run(request) => response,
        () = console.clock.sleep(console.config.request_timeout + patience) => {
            Failed(ApiError::Timeout).into_response()
        }
    }
}

//! `GET /events/stream`: server-sent events, one stream per visible tab.
//!
//! Each notice has its number as `id`, so that the browser says in `Last-Event-ID` where to go on; the first
//! connection of a page says it in `?after=`. A comment every 15 s keeps proxies from closing the line, and
//! carries the place too: whoever hears nothing of what passes still goes on from there.
//!
//! `?watch=cluster:ID:pods`, several times, says what of a cluster the page shows: this process watches it for as long
//! as the line is open, whichever process drew the page.

use std::{convert::Infallible, time::Duration};

use app::{
    error::{ApiError, Dependency, Expected, Rule},
    fleet::watched::{Kind, of_topic},
    identity::Caller,
};
use axum::{
    Extension,
    extract::{RawQuery, State},
    response::{IntoResponse, Response, Sse, sse},
};
use futures::{Stream, future::BoxFuture, stream};
use http::{
    HeaderMap, HeaderValue,
    header::{HOST, ORIGIN},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Feed, StreamItem, Subscription, feed::StreamSlot};
use crate::{
    clock::{Clock, Rng},
    console::Console,
    web::arrival::Arrival,
};

const KEEP_ALIVE: Duration = Duration::from_secs(15);
const LOOKED_AT_EVERY: Duration = Duration::from_mins(1);
/// Browsers come back after 1 to 5 s: a restart must not bring all of them at once.
const RETRY: Duration = Duration::from_secs(3);
const RETRY_SPREAD: f64 = 2.0 / 3.0;
/// A page shows of one cluster what it shows, and there are as many kinds.
const WATCH_MAX: usize = 2 * Kind::ALL.len();
/// Too many streams: one must be closed first, so there is no use in hurrying.
const RETRY_AFTER_S: u32 = 10;

/// What the handler needs of the console; `console.rs` supplies it by `FromRef`.
#[derive(Clone)]
pub struct StreamState {
    pub feed: Feed,
    pub clock: Clock,
    pub rng: Rng,
    /// Ends every stream when the server stops.
    pub shutdown: CancellationToken,
    /// The published origin (`https://console.example`), when one is configured; else the request's own host.
    pub origin: Option<String>,
    /// Changes when rights may have: who listens is then looked at again.
    pub epoch: watch::Receiver<i64>,
}

/// The handler. A refusal travels in the response's extensions, for `web` to spell it out.
pub async fn stream(
    State(mut state): State<StreamState>,
    State(console): State<&'static Console>,
    Extension(caller): Extension<Caller>,
    arrival: Arrival,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    // Rights may have moved between who asked and who listens: looked at once more as soon as it is open.
    state.epoch.mark_changed();
    let came = headers.clone();
    let again: Again = Box::new(move || {
        let (arrival, headers) = (arrival.clone(), came.clone());
        Box::pin(async move { console.callers.still(&arrival, &headers).await })
    });
    let keep: Keep = Box::new(move |caller, topics| {
        Box::pin(async move { console.watched.keep(&caller, &topics).await })
    });
    answer(state, &caller, query.as_deref(), &headers, again, keep).await
}

/// Who listens, by the rights of now; none when they are nobody any more.
pub type Again =
    Box<dyn Fn() -> BoxFuture<'static, Result<Option<Caller>, ApiError>> + Send + Sync>;

/// Has these topics of clusters watched for a while, as far as the caller may see them.
pub type Keep = Box<dyn Fn(Caller, Vec<String>) -> BoxFuture<'static, ()> + Send + Sync>;

/// The stream itself, for a listener who can be looked at again.
pub async fn answer(
    state: StreamState,
    caller: &Caller,
    query: Option<&str>,
    headers: &HeaderMap,
    again: Again,
    keep: Keep,
) -> Response {
    match open(state, caller, query, headers, again, keep).await {
        Ok(events) => events.into_response(),
        Err(error) => refused(error),
    }
}

fn refused(error: ApiError) -> Response {
    let mut response = Response::default();
    *response.status_mut() = http::StatusCode::from_u16(error.status())
        .unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response.extensions_mut().insert(error);
    response
}

async fn open(
    state: StreamState,
    caller: &Caller,
    query: Option<&str>,
    headers: &HeaderMap,
    again: Again,
    keep: Keep,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>> + use<>>, ApiError> {
    check_origin(headers, state.origin.as_deref())?;
    let asked = asked(query)?;
    let after = went_on(headers)?.or(asked.after);
    if state.shutdown.is_cancelled() {
        return Err(ApiError::Unavailable(Dependency::Shutdown));
    }
    let slot = state.feed.take_slot(caller);
    let slot = slot.ok_or(ApiError::RateLimited { retry_after_s: RETRY_AFTER_S })?;
    let subscription = state.feed.subscribe(after, caller).await.map_err(|error| {
        tracing::warn!(%error, "a stream could not be opened");
        ApiError::from(error)
    })?;
    let retry = state.rng.jitter(RETRY, RETRY_SPREAD);
    let looked_at = state.clock.monotonic();
    let watches = Watches { keep, topics: asked.watch };
    watches.keep(caller).await;
    let greeting = Some(retry);
    let line = Line { subscription, state, again, watches, looked_at, greeting, _slot: slot };
    Ok(Sse::new(stream::unfold(line, Line::next)))
}

/// Browsers send no Origin with a same-origin EventSource; one that is sent must be ours, to the letter.
fn check_origin(headers: &HeaderMap, published: Option<&str>) -> Result<(), ApiError> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let ours = match (published, headers.get(HOST).and_then(text)) {
        (Some(published), _) => origin == published,
        (None, Some(host)) => text(origin)
            .is_some_and(|o| o == format!("http://{host}") || o == format!("https://{host}")),
        (None, None) => false,
    };
    if ours { Ok(()) } else { Err(ApiError::CrossSite) }
}

/// Where the browser says that it was; the later word, since it adds it when it comes back.
fn went_on(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(id) = headers.get("last-event-id").filter(|id| !id.is_empty()) else {
        return Ok(None);
    };
    number("Last-Event-ID", id.to_str().unwrap_or_default()).map(Some)
}

/// What the address asks for.
#[derive(Default)]
struct Asked {
    after: Option<i64>,
    watch: Vec<String>,
}

fn asked(query: Option<&str>) -> Result<Asked, ApiError> {
    let mut asked = Asked::default();
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    for (key, value) in pairs {
        match (key.as_ref(), value.as_ref()) {
            ("after", "") => {}
            ("after", value) => asked.after = Some(number("after", value)?),
            ("watch", topic) if of_topic(topic).is_some() && asked.watch.len() < WATCH_MAX => {
                asked.watch.push(topic.to_owned());
            }
            ("watch", _) => {
                let expected = Rule::Malformed { expected: Expected::Text };
                return Err(ApiError::invalid("watch", expected));
            }
            (other, _) => return Err(ApiError::invalid(other, Rule::UnknownField)),
        }
    }
    Ok(asked)
}

fn number(field: &str, text: &str) -> Result<i64, ApiError> {
    let number = text.parse().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| ApiError::invalid(field, Rule::Malformed { expected: Expected::Integer }))
}

/// What the page shows of a cluster.
struct Watches {
    keep: Keep,
    topics: Vec<String>,
}

impl Watches {
    async fn keep(&self, caller: &Caller) {
        if !self.topics.is_empty() {
            (self.keep)(caller.clone(), self.topics.clone()).await;
        }
    }
}

/// One open stream.
struct Line {
    subscription: Subscription,
    state: StreamState,
    again: Again,
    watches: Watches,
    looked_at: Duration,
    greeting: Option<Duration>,
    _slot: StreamSlot,
}

impl Line {
    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Self)> {
        if let Some(retry) = self.greeting.take() {
            return Some((Ok(self.mark().retry(retry)), self));
        }
        loop {
            let Self { subscription, state, looked_at, .. } = &mut self;
            let since = state.clock.monotonic().saturating_sub(*looked_at);
            let due = LOOKED_AT_EVERY.saturating_sub(since);
            let event = tokio::select! {
                biased;
                () = state.shutdown.cancelled() => return None,
                // When rights may have changed, and each minute besides: sessions end by themselves, too.
                () = moved(&mut state.epoch, &state.clock, due) => {
                    if self.look_again().await { continue }
                    return None;
                }
                item = subscription.next() => match item {
                    Ok(item) => spell(&item),
                    Err(error) => {
                        // The browser comes back and goes on from where it was.
                        tracing::warn!(%error, "a stream ended: the store did not answer");
                        return None;
                    }
                },
                () = state.clock.sleep(KEEP_ALIVE) => self.mark(),
            };
            return Some((Ok(event), self));
        }
    }

    /// Goes on with the rights of now. False when the listener is nobody any more, or cannot be looked at: the browser
    /// comes back, and is told then.
    async fn look_again(&mut self) -> bool {
        self.looked_at = self.state.clock.monotonic();
        match (self.again)().await {
            Ok(Some(caller)) => {
                self.watches.keep(&caller).await;
                self.subscription.goes_on_as(caller);
                true
            }
            Ok(None) => false,
            Err(error) => {
                tracing::warn!(%error, "a stream ended: its caller could not be looked at");
                false
            }
        }
    }

    /// Without data no event is raised, but the browser remembers the id.
    fn mark(&self) -> sse::Event {
        sse::Event::default().comment("").id(self.subscription.place().to_string())
    }
}

async fn moved(epoch: &mut watch::Receiver<i64>, clock: &Clock, due: Duration) {
    tokio::select! {
        changed = epoch.changed() => if changed.is_err() {
            std::future::pending::<()>().await;
        },
        () = clock.sleep(due) => {}
    }
}

fn spell(item: &StreamItem) -> sse::Event {
    match item {
        StreamItem::Notice(notice) => {
            let data = serde_json::to_string(notice).unwrap_or_default();
            sse::Event::default().id(notice.seq.to_string()).event("notice").data(data)
        }
        StreamItem::Reset { seq } => sse::Event::default()
            .id(seq.to_string())
            .event("reset")
            .data(format!("{{\"seq\":{seq}}}")),
    }
}

//! Whether the process lives, and whether it can be sent work. Domains register what they stand on.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use futures::future::{BoxFuture, join_all};
use http::StatusCode;

use super::{json::Json, query::Query};
use crate::{clock::Clock, console::Console, version};

/// What stands on something answers within this time, or counts as not there.
const PATIENCE: Duration = Duration::from_secs(2);
/// Anyone may ask for readiness, so asking often must not cost more than asking rarely.
const FRESH: Duration = Duration::from_secs(1);

type Check = Box<dyn Fn() -> BoxFuture<'static, Result<String, String>> + Send + Sync>;

/// The things that must be there for the console to be of use.
pub struct Readiness {
    clock: Clock,
    checks: Mutex<Vec<(String, Arc<Check>)>>,
    last: tokio::sync::Mutex<Option<(Duration, bool)>>,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub name: String,
    /// What was found, or why it is not there.
    pub found: Result<String, String>,
    pub took: Duration,
}

impl Readiness {
    pub fn new(clock: Clock) -> Self {
        Self { clock, checks: Mutex::default(), last: tokio::sync::Mutex::default() }
    }

    /// Adds something to stand on; the check answers with what it saw.
    pub fn register<F, Fut>(&self, name: impl Into<String>, check: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, String>> + Send + 'static,
    {
        let check: Check = Box::new(move || Box::pin(check()));
        self.checks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((name.into(), Arc::new(check)));
    }

    /// Asks everything, all at once.
    pub async fn ask(&self) -> Vec<Finding> {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        join_all(checks.into_iter().map(|(name, check)| self.one(name, check))).await
    }

    async fn one(&self, name: String, check: Arc<Check>) -> Finding {
        let began = self.clock.monotonic();
        let found = tokio::select! {
            found = check() => found,
            () = self.clock.sleep(PATIENCE) => Err(format!("no answer in {} s", PATIENCE.as_secs())),
        };
        Finding { name, found, took: self.clock.monotonic().saturating_sub(began) }
    }

    /// Whether everything is there, as of a moment ago.
    pub async fn is_ready(&self) -> bool {
        let mut last = self.last.lock().await;
        let now = self.clock.monotonic();
        if let Some((at, ready)) = *last
            && now.saturating_sub(at) < FRESH
        {
            return ready;
        }
        let ready = self.ask().await.iter().all(|finding| finding.found.is_ok());
        *last = Some((now, ready));
        ready
    }
}

/// The process answers; nothing else is said.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// One word for those who send traffic here. Reasons are on the other listener.
pub async fn readyz(State(console): State<&'static Console>) -> Response {
    if console.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    if console.readiness.is_ready().await {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

/// On the second listener: with `?verbose` each thing by name, in the notation of Kubernetes.
pub async fn readyz_verbose(State(console): State<&'static Console>, query: Query) -> Response {
    if !query.0.iter().any(|(key, _)| key == "verbose") {
        return readyz(State(console)).await;
    }
    let stopping = console.shutdown.is_cancelled();
    let findings = console.readiness.ask().await;
    let ready = !stopping && findings.iter().all(|finding| finding.found.is_ok());
    let mut text = String::new();
    for Finding { name, found, took } in &findings {
        let (mark, words) = match found {
            Ok(words) => ('+', format!("ok: {words}")),
            Err(why) => ('-', format!("failed: {why}")),
        };
        let _ = writeln!(text, "[{mark}] {name} {words} ({} ms)", took.as_millis());
    }
    let last = match (stopping, ready) {
        (true, _) => "stopping",
        (false, true) => "ready",
        (false, false) => "not ready",
    };
    text.push_str(last);
    text.push('\n');
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, text).into_response()
}

/// Which build runs here.
pub async fn version() -> Json<version::Version> {
    Json(version::Version::current())
}

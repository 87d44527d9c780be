//! Requests over the guarded connection, with an end to every wait and to every body.
//!
//! Follows no redirect, keeps no cookie, reads no proxy variable, unpacks no compression.

use std::time::Duration;

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response,
    header::{COOKIE, FORWARDED, HOST, PROXY_AUTHORIZATION, USER_AGENT},
};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};

use super::{Cause, Connector, EgressError, Limits, Phase, connect::target};
use crate::clock::Clock;

/// An address is checked when it is dialled; an idle connection does not outlive that check for long.
const IDLE: Duration = Duration::from_secs(30);
const IDLE_PER_HOST: usize = 4;
/// Of an answer's head.
const HEAD_MAX: usize = 64 << 10;

/// Sends requests. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: legacy::Client<Connector, Full<Bytes>>,
    limits: Limits,
    clock: Clock,
}

impl Client {
    #[expect(clippy::disallowed_methods, reason = "its connections are the guarded ones")]
    pub(super) fn new(connector: Connector, limits: Limits, clock: Clock) -> Self {
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .http1_max_buf_size(HEAD_MAX)
            .build(connector);
        Self { http, limits, clock }
    }

    /// The same client with other limits. The connection's stays what it was, as far as the others leave time.
    #[must_use]
    pub fn within(self, limits: impl FnOnce(Limits) -> Limits) -> Self {
        Self { limits: limits(self.limits), ..self }
    }

    /// The answer, whatever its status; a redirect is one too.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, EgressError> {
        let uri = request.uri().clone();
        let Limits { headers, total, body, .. } = self.limits;
        let exchange = async {
            let answered = self.within_phase(Phase::Headers, headers, self.head(request)).await?;
            let (head, incoming) = answered?.into_parts();
            Ok(Response::from_parts(head, read(incoming, body).await?))
        };
        let answered = self.within_phase(Phase::Total, total, exchange).await;
        answered.and_then(|answered| answered).map_err(|cause: Cause| cause.at(&uri))
    }

    async fn head(&self, request: Request<Vec<u8>>) -> Result<Response<Incoming>, Cause> {
        let (mut head, body) = request.into_parts();
        // The pool would say less about what is wrong, and an idle connection asks no connector.
        target(&head.uri)?;
        anonymous(&mut head.headers);
        let request = Request::from_parts(head, Full::from(body));
        self.http.request(request).await.map_err(|error| Cause::of_exchange(&error))
    }

    async fn within_phase<T>(
        &self,
        phase: Phase,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, Cause> {
        tokio::select! {
            done = work => Ok(done),
            () = self.clock.sleep(limit) => Err(Cause::TimedOut { phase, limit }),
        }
    }
}

/// Reads up to `limit` bytes; what announces more is not begun.
async fn read(mut incoming: Incoming, limit: usize) -> Result<Vec<u8>, Cause> {
    let too_large = Cause::TooLarge { limit };
    if incoming.size_hint().lower() > limit as u64 {
        return Err(too_large);
    }
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| Cause::of_exchange(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > limit - body.len() {
            return Err(too_large);
        }
        body.extend_from_slice(&data);
    }
    Ok(body)
}

/// Proxies that sign people in for a service say in these who it is; whoever asks us must not be able to say it.
const IDENTITY: [&str; 5] =
    ["x-user", "x-remote-", "x-forwarded-", "x-auth-request-", "impersonate-"];
const NAMED: [HeaderName; 4] = [COOKIE, FORWARDED, PROXY_AUTHORIZATION, HOST];

/// Takes away who somebody is, and the `Host`: that is the one that was dialled.
fn anonymous(headers: &mut HeaderMap) {
    let is_told = |name: &HeaderName| {
        let text = name.as_str();
        NAMED.contains(name)
            || matches!(text, "cookie2" | "x-real-ip" | "remote-user")
            || IDENTITY.iter().any(|prefix| text.starts_with(prefix))
    };
    let told: Vec<HeaderName> = headers.keys().filter(|name| is_told(name)).cloned().collect();
    for name in told {
        headers.remove(name);
    }
    let agent = HeaderValue::from_static(concat!("quarterdeck/", env!("CARGO_PKG_VERSION")));
    headers.entry(USER_AGENT).or_insert(agent);
}

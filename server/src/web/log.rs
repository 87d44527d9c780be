//! One line per request, written when its last byte has left: what was asked by template, never by value.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::StatusCode;
use http_body::{Frame, SizeHint};
use tracing::{Instrument as _, Span};

use super::{arrival::Arrival, metrics};
use crate::console::Console;

/// What no route matched has no template, and its path is the client's own words.
const UNMATCHED: &str = "(none)";

pub async fn layer(
    State(console): State<&'static Console>,
    arrival: Arrival,
    request: Request,
    next: Next,
) -> Response {
    let span = tracing::info_span!(
        "request",
        request_id = %arrival.request_id,
        trace_id = %arrival.trace.trace_id,
        span_id = %arrival.trace.span_id,
    );
    console.metrics.begin();
    let mut entry = Entry {
        console,
        arrival,
        span: span.clone(),
        began: console.clock.monotonic(),
        status: None,
        bytes: 0,
    };
    let response = next.run(request).instrument(span).await;
    entry.status = Some(response.status());
    response.map(|body| Body::new(Counted { body, entry }))
}

/// A line to be; written when dropped, so that a client that went away is in the log too.
struct Entry {
    console: &'static Console,
    arrival: Arrival,
    span: Span,
    began: Duration,
    /// None when the client went away before there was an answer.
    status: Option<StatusCode>,
    bytes: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let took = self.console.clock.monotonic().saturating_sub(self.began);
        let route = self.arrival.route.as_deref().unwrap_or(UNMATCHED);
        let method = metrics::word(&self.arrival.method);
        // The status that proxies have made customary for this.
        let gone = StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST);
        let status = self.status.unwrap_or(gone);
        self.console.metrics.end(&self.arrival.method, route, status, took);
        let caller = self.arrival.caller.get().map(|caller| format!("{caller:?}"));
        let caller = caller.as_deref().unwrap_or("anonymous");
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (status, bytes) = (status.as_u16(), self.bytes);
        let _in_span = self.span.enter();
        let message = format!("{method} {route} {status}");
        if status >= 500 {
            tracing::warn!(method, route, status, duration_ms, bytes, caller, "{message}");
        } else if matches!(route, "/healthz" | "/readyz" | "/assets/{file}") {
            tracing::debug!(method, route, status, duration_ms, bytes, caller, "{message}");
        } else {
            tracing::info!(method, route, status, duration_ms, bytes, caller, "{message}");
        }
    }
}

/// A body that knows how much of it has left.
struct Counted {
    body: Body,
    entry: Entry,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.entry.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

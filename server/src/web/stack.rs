//! The layers around the routes, in their order.

use std::net::SocketAddr;

use app::error::{ApiError, Thing};
use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Uri, uri::PathAndQuery};
use tower::ServiceExt as _;
use tower_http::{
    CompressionLevel,
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, Predicate as _, predicate::SizeAbove},
};

use super::{Failed, Routes, arrival, errors, headers, log, pages, routes::Mismatch, same_site};
use crate::{console::Console, identity};

/// Below this a packed answer saves nothing that is worth the time.
const WORTH_PACKING: u64 = 1024;

/// A request outside the sub-path under which the console is published.
#[derive(Clone, Copy)]
struct Outside;

/// Everything between a connection and a handler.
#[derive(Clone)]
pub struct Stack {
    console: &'static Console,
    router: Router,
}

impl Stack {
    /// Refuses a table that does not fit the application.
    pub fn new(console: &'static Console, table: Routes) -> Result<Self, Mismatch> {
        table.check(pages::paths_of_application())?;
        let router = table
            .into_router(console)
            .layer(DefaultBodyLimit::disable())
            .layer(middleware::from_fn_with_state(console, identity::layer))
            .layer(middleware::from_fn_with_state(console, same_site::layer))
            .layer(middleware::from_fn(refuse_outside))
            .layer(CatchPanicLayer::custom(move |_| {
                console.metrics.panicked();
                Failed(ApiError::Internal(String::new())).into_response()
            }))
            .layer(middleware::from_fn_with_state(console, errors::layer))
            .layer(compression())
            .layer(middleware::from_fn_with_state(console, headers::layer))
            .layer(middleware::from_fn_with_state(console, log::layer))
            .layer(middleware::from_fn_with_state(console, arrival::layer));
        Ok(Self { console, router: router.with_state(console) })
    }

    /// Answers one request, as every listener and every test does.
    pub async fn answer(&self, peer: Option<SocketAddr>, mut request: Request) -> Response {
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        strip(self.console.config.base(), &mut request);
        match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

fn compression() -> CompressionLayer<impl tower_http::compression::Predicate> {
    let texts = |_, _, headers: &http::HeaderMap, _: &http::Extensions| {
        let kind = headers.get(http::header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        // A live stream must never be held back, and assets are packed when they are built.
        kind.is_some_and(|kind| {
            kind.starts_with(b"text/html") || kind.starts_with(b"application/json")
        })
    };
    CompressionLayer::new()
        .quality(CompressionLevel::Precise(4))
        .compress_when(SizeAbove::new(WORTH_PACKING).and(texts))
}

/// Takes the sub-path away, so that routes need not know it. Probes come without it.
fn strip(base: &str, request: &mut Request<Body>) {
    if base.is_empty() || matches!(request.uri().path(), "/healthz" | "/readyz" | "/version") {
        return;
    }
    let rest = request.uri().path_and_query().and_then(|whole| {
        let rest = whole.as_str().strip_prefix(base)?;
        match rest.chars().next() {
            None => Some("/".to_owned()),
            Some('?') => Some(format!("/{rest}")),
            Some('/') => Some(rest.to_owned()),
            Some(_) => None,
        }
    });
    let stripped = rest.and_then(|rest| rest.parse::<PathAndQuery>().ok());
    match stripped {
        Some(path) => {
            let mut parts = request.uri().clone().into_parts();
            parts.path_and_query = Some(path);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
        None => {
            request.extensions_mut().insert(Outside);
        }
    }
}

async fn refuse_outside(request: Request, next: Next) -> Response {
    if request.extensions().get::<Outside>().is_some() {
        return Failed(ApiError::NotFound(Thing::Page)).into_response();
    }
    next.run(request).await
}

/// The few addresses of the second listener: for machines of the installation, never for browsers.
pub fn of_metrics(console: &'static Console) -> Router {
    let fallback = || async { (http::StatusCode::NOT_FOUND, "not found\n") };
    #[expect(clippy::disallowed_methods, reason = "the second listener has no callers to check")]
    Router::new()
        .route("/metrics", axum::routing::get(metrics))
        .route("/readyz", axum::routing::get(super::health::readyz_verbose))
        .route("/healthz", axum::routing::get(super::health::healthz))
        .fallback(fallback)
        .with_state(console)
}

async fn metrics(State(console): State<&'static Console>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match console.metrics.encode(&console.tasks, &console.clock).await {
        Ok(text) => ([(http::header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(base: &str, uri: &str) -> Option<String> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri.parse().expect("an address");
        strip(base, &mut request);
        let outside = request.extensions().get::<Outside>().is_some();
        (!outside).then(|| request.uri().to_string())
    }

    #[test]
    fn the_sub_path_is_taken_away_where_it_stands_alone() {
        assert_eq!(stripped("", "/a?b=1").as_deref(), Some("/a?b=1"));
        assert_eq!(stripped("/console", "/console").as_deref(), Some("/"));
        assert_eq!(stripped("/console", "/console?x=1").as_deref(), Some("/?x=1"));
        assert_eq!(
            stripped("/console", "/console/a?b=/console/").as_deref(),
            Some("/a?b=/console/")
        );
        assert_eq!(stripped("/console", "/consoles"), None);
        assert_eq!(stripped("/console", "/a"), None);
        assert_eq!(stripped("/console", "/readyz").as_deref(), Some("/readyz"));
    }
}

//! A whole console for one test: real layers, a real store, a caller of the test's choice, no socket.

#![expect(dead_code, reason = "each test binary uses its own part")]

pub mod people;

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use app::{
    error::ApiError,
    identity::{Caller, CallerKind, Capability, Gate, Reach},
};
use async_trait::async_trait;
use axum::{body::Body, extract::Request, response::Response};
use http::{HeaderMap, StatusCode};
use server::{
    clock::{Clock, Rng},
    config::Config,
    console::{Console, Parts},
    identity::{AuditedGate, Callers},
    routes,
    store::{Dialect, testing::Engine},
    vault::Vault,
    web::{Routes, arrival::Arrival, stack::Stack},
};

/// Every request comes from the same caller, or from nobody.
struct Always(Option<Caller>);

#[async_trait]
impl Callers for Always {
    async fn find(&self, _: &Arrival, _: &HeaderMap) -> Result<Option<Caller>, ApiError> {
        Ok(self.0.clone())
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Admin,
    Nobody,
    Holding(&'static [Capability]),
    /// Whoever the request proves to come from: by the session or the key that it carries.
    Real,
}

pub struct Kit {
    pub console: &'static Console,
    pub stack: Stack,
    _engine: Engine,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Kit {
    pub async fn new(who: Who) -> Self {
        Self::with(who, Clock::system(), |_| {}, |routes| routes).await
    }

    pub async fn with(
        who: Who,
        clock: Clock,
        configure: impl FnOnce(&mut Config),
        add: impl FnOnce(Routes) -> Routes,
    ) -> Self {
        Self::on(Dialect::Sqlite, who, clock, configure, add).await
    }

    /// On an engine of the test's choice.
    pub async fn on(
        dialect: Dialect,
        who: Who,
        clock: Clock,
        configure: impl FnOnce(&mut Config),
        add: impl FnOnce(Routes) -> Routes,
    ) -> Self {
        let engine = Engine::fresh(dialect, clock.clone()).await;
        let mut config = Config::defaults();
        configure(&mut config);
        let gate: Arc<dyn Gate> = Arc::new(AuditedGate::new(engine.db.clone()));
        let caller = |capabilities: &[Capability]| {
            let grants = capabilities.iter().map(|c| (*c, Reach::Everything)).collect();
            Caller::new(CallerKind::User, "u-1", "Test", grants, Arc::clone(&gate))
        };
        let callers: Option<Arc<dyn Callers>> = match who {
            Who::Admin => Some(Arc::new(Always(Some(caller(Capability::ALL))))),
            Who::Nobody => Some(Arc::new(Always(None))),
            Who::Holding(capabilities) => Some(Arc::new(Always(Some(caller(capabilities))))),
            Who::Real => None,
        };
        let db = engine.db.clone();
        let parts =
            Parts { config, clock, rng: Rng::seeded(7), db, vault: Vault::for_tests(), callers };
        let console = Console::open(parts).await.expect("a fresh database opens");
        let stack = Stack::new(console, add(routes::all())).expect("the table fits");
        Self { console, stack, _engine: engine }
    }

    pub async fn send(&self, request: http::request::Builder, body: impl Into<Body>) -> Answer {
        self.send_from("127.0.0.1", request, body).await
    }

    /// The same from another machine.
    pub async fn send_from(
        &self,
        peer: &str,
        request: http::request::Builder,
        body: impl Into<Body>,
    ) -> Answer {
        let response = self.open(peer, request, body).await;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("the body ends");
        Answer { status: parts.status, headers: parts.headers, bytes: bytes.to_vec() }
    }

    /// The answer as soon as it begins: for streams, which do not end by themselves.
    pub async fn open(
        &self,
        peer: &str,
        request: http::request::Builder,
        body: impl Into<Body>,
    ) -> Response {
        let has_host = request.headers_ref().is_some_and(|h| h.contains_key("host"));
        let request = if has_host { request } else { request.header("host", "localhost:7080") };
        let request: Request = request.body(body.into()).expect("a request of the test");
        let peer = SocketAddr::new(peer.parse().expect("an address"), 50000);
        self.stack.answer(Some(peer), request).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path), Body::empty()).await
    }

    pub async fn post_json(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(Request::post(path).header("content-type", "application/json"), body).await
    }
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).expect("text")
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(&self.bytes)))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    pub fn code(&self) -> String {
        self.json()["error_code"].as_str().unwrap_or_default().to_owned()
    }

    /// What the session's cookie is set to; empty when it is cleared, none when nothing is said of it.
    pub fn session(&self) -> Option<String> {
        let lines = self.headers.get_all("set-cookie").iter().filter_map(|v| v.to_str().ok());
        let pairs = lines.filter_map(|line| line.split(';').next()?.split_once('='));
        let mut found = pairs.filter(|(name, _)| name.ends_with("qd_session"));
        found.next().map(|(_, value)| value.to_owned())
    }

    /// Field to rule of every violation.
    pub fn violations(&self) -> HashMap<String, String> {
        let json = self.json();
        let violations = json["details"]["violations"].as_array().cloned().unwrap_or_default();
        let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        violations.iter().map(|v| (word(&v["field"]), word(&v["rule"]))).collect()
    }
}

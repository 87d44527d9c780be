//! The table of addresses: each with who may use it, written where the address is added.
//!
//! The only place that may add a route to a router. Access is enforced by a layer around each handler, so
//! before anything of the request is decoded, and start-up refuses a page or a server function that the
//! table does not know, or that only the table knows.

use std::collections::BTreeSet;

use app::{
    error::{ApiError, Conflict, Thing},
    identity::{Caller, Capability},
};
use axum::{
    Router,
    extract::Request,
    handler::Handler,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use http::Method;

use super::{arrival::Arrival, errors::Failed, limits, pages};
use crate::console::Console;

/// Who may use an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone; for what must answer before it is known who asks.
    Public,
    /// Any caller, for what is their own or concerns nobody.
    SignedIn,
    /// Callers with all of these.
    Needs(&'static [Capability]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// HTML, drawn by the application.
    Page,
    /// A call of an island.
    ServerFn,
    Handler,
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
    pub kind: Kind,
    /// Whether it changes anything; `--read-only` refuses it then.
    pub changes: bool,
    /// Whether it can be asked to wait for something; its time is then limited by that, too.
    pub waits: bool,
}

/// Addresses with their handlers, until a router is made of them.
#[derive(Default)]
pub struct Routes {
    rows: Vec<(Row, MethodRouter<&'static Console>)>,
}

/// Why the table does not fit the application.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    #[error("the application has {0}, but the route table does not")]
    Undeclared(String),
    #[error("the route table has {0}, but the application does not")]
    Unknown(String),
    #[error("the route table has {0} twice")]
    Twice(String),
}

impl Routes {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn get<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, &'static Console>,
        T: 'static,
    {
        self.add(Method::GET, path, access, Kind::Handler, false, on(MethodFilter::GET, handler))
    }

    /// One that can be asked to wait: `?wait=30s`.
    #[must_use]
    pub fn get_that_waits<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, &'static Console>,
        T: 'static,
    {
        let mut routes = self.get(path, access, handler);
        if let Some((row, _)) = routes.rows.last_mut() {
            row.waits = true;
        }
        routes
    }

    #[must_use]
    pub fn post<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, &'static Console>,
        T: 'static,
    {
        self.add(Method::POST, path, access, Kind::Handler, true, on(MethodFilter::POST, handler))
    }

    #[must_use]
    pub fn put<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, &'static Console>,
        T: 'static,
    {
        self.add(Method::PUT, path, access, Kind::Handler, true, on(MethodFilter::PUT, handler))
    }

    #[must_use]
    pub fn patch<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, &'static Console>,
        T: 'static,
    {
        let handler = on(MethodFilter::PATCH, handler);
        self.add(Method::PATCH, path, access, Kind::Handler, true, handler)
    }

    #[must_use]
    pub fn delete<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, &'static Console>,
        T: 'static,
    {
        let handler = on(MethodFilter::DELETE, handler);
        self.add(Method::DELETE, path, access, Kind::Handler, true, handler)
    }

    /// A page of the application.
    #[must_use]
    pub fn page(self, path: &'static str, access: Access) -> Self {
        let handler = on(MethodFilter::GET, pages::render);
        self.add(Method::GET, path, access, Kind::Page, false, handler)
    }

    /// A server function that changes nothing, under the method that its encoding gives it.
    #[must_use]
    pub fn server_fn(self, path: &'static str, access: Access) -> Self {
        self.add_server_fn(path, access, false)
    }

    /// A server function that changes something. Never one with `GetUrl` encoding: a link could call it.
    #[must_use]
    pub fn server_fn_that_changes(self, path: &'static str, access: Access) -> Self {
        self.add_server_fn(path, access, true)
    }

    fn add_server_fn(self, path: &'static str, access: Access, changes: bool) -> Self {
        let method = leptos::server_fn::axum::server_fn_paths()
            .find_map(|(known, method)| (known == path).then_some(method))
            // The check at start refuses a function that does not exist.
            .unwrap_or(Method::POST);
        let filter = if method == Method::GET { MethodFilter::GET } else { MethodFilter::POST };
        self.add(method, path, access, Kind::ServerFn, changes, on(filter, pages::server_fn))
    }

    fn add(
        mut self,
        method: Method,
        path: &'static str,
        access: Access,
        kind: Kind,
        changes: bool,
        handler: MethodRouter<&'static Console>,
    ) -> Self {
        let waits = false;
        self.rows.push((Row { method, path, access, kind, changes, waits }, handler));
        self
    }

    /// The table, for those who check it.
    pub fn table(&self) -> Vec<Row> {
        self.rows.iter().map(|(row, _)| row.clone()).collect()
    }

    /// Whether table and application agree.
    pub fn check(&self, pages: &[String]) -> Result<(), Mismatch> {
        let mut seen = BTreeSet::new();
        for (row, _) in &self.rows {
            if !seen.insert((row.method.as_str(), row.path)) {
                return Err(Mismatch::Twice(format!("{} {}", row.method, row.path)));
            }
        }
        let of_kind = |kind: Kind, word: &str| -> BTreeSet<String> {
            let rows = self.rows.iter().filter(|(row, _)| row.kind == kind);
            rows.map(|(row, _)| format!("{word} {} {}", row.method, row.path)).collect()
        };
        let pages = pages.iter().map(|path| format!("the page GET {path}")).collect();
        agree(&of_kind(Kind::Page, "the page"), &pages)?;
        let functions = leptos::server_fn::axum::server_fn_paths()
            .map(|(path, method)| format!("the server function {method} {path}"))
            .collect();
        agree(&of_kind(Kind::ServerFn, "the server function"), &functions)
    }

    /// The router, each handler behind its access.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that the ban leads to")]
    pub fn into_router(self, console: &'static Console) -> Router<&'static Console> {
        let mut router = Router::new();
        for (row, handler) in self.rows {
            let path = row.path;
            let enforced = handler.layer(middleware::from_fn(move |request, next| {
                enforce(console, Rule::of(&row), request, next)
            }));
            router = router.route(path, enforced);
        }
        router
            .fallback(|| async { Failed(ApiError::NotFound(Thing::Page)) })
            .method_not_allowed_fallback(|| async { Failed(ApiError::MethodNotAllowed) })
    }
}

fn agree(table: &BTreeSet<String>, application: &BTreeSet<String>) -> Result<(), Mismatch> {
    if let Some(missing) = application.difference(table).next() {
        return Err(Mismatch::Undeclared(missing.clone()));
    }
    match table.difference(application).next() {
        Some(extra) => Err(Mismatch::Unknown(extra.clone())),
        None => Ok(()),
    }
}

/// What a row asks of a request.
#[derive(Clone, Copy)]
struct Rule {
    path: &'static str,
    access: Access,
    changes: bool,
    waits: bool,
}

impl Rule {
    fn of(row: &Row) -> Self {
        Self { path: row.path, access: row.access, changes: row.changes, waits: row.waits }
    }
}

async fn enforce(
    console: &'static Console,
    Rule { path, access, changes, waits }: Rule,
    request: Request,
    next: Next,
) -> Response {
    let caller = request.extensions().get::<Caller>();
    if let Err(error) = allowed(caller, access).await {
        if error == ApiError::SignIn {
            note_stranger(console, &request, path);
        }
        return Failed(error).into_response();
    }
    if changes && console.config.read_only {
        return Failed(ApiError::Conflict(Conflict::ReadOnly)).into_response();
    }
    if let Some(arrival) = request.extensions().get::<Arrival>()
        && let Err(error) = console.limits.check(arrival, caller)
    {
        return Failed(error).into_response();
    }
    limits::within(console, waits, request, next).await
}

/// A read-only console writes nothing down.
fn note_stranger(console: &Console, request: &Request, path: &'static str) {
    if !console.config.read_only {
        let address = request.extensions().get::<Arrival>().and_then(|arrival| arrival.address);
        console.strangers.refused(console.clock.now(), address, path);
    }
}

async fn allowed(caller: Option<&Caller>, access: Access) -> Result<(), ApiError> {
    match (access, caller) {
        (Access::Public, _) | (Access::SignedIn, Some(_)) => Ok(()),
        (_, None) => Err(ApiError::SignIn),
        (Access::Needs(capabilities), Some(caller)) => {
            for capability in capabilities {
                app::identity::require(caller, *capability).await?;
            }
            Ok(())
        }
    }
}

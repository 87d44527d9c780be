//! Pages: the application's shell, drawn with what it may know about the request.
//!
//! A page is drawn to its end before its first byte leaves. That costs the time until the slowest of its
//! resources is there, and buys three things: its status is true, a fault while drawing is a proper error
//! page instead of half a document, and it can be compressed as one piece.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
};

use app::{
    error::ApiError,
    identity::model::ShownOnce,
    request::{Banner, Flash, PageRequest, Posted, RefusedForm, Zone},
    shell::shell,
};
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use futures::FutureExt as _;
use http::{
    HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, SET_COOKIE, VARY},
};
use jiff::tz::TimeZone;
use leptos::prelude::provide_context;

use super::{
    arrival::Arrival,
    cookies,
    errors::{Failed, status},
    query,
};
use crate::{chart, console::Console};

/// The answer when not even the error page can be drawn.
const LAST_RESORT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
<title>Quarterdeck</title><h1>Something went wrong on our side</h1>\
<p>The page could not be drawn. Go back and try again; the header x-request-id names this request in the log.";

/// Draws the page that the address names.
pub async fn render(
    State(console): State<&'static Console>,
    arrival: Arrival,
) -> Result<Response, Failed> {
    let mut request = page_request(console, &arrival);
    request.pairs = query::pairs(arrival.query.as_deref().unwrap_or_default())?;
    let told = arrival.flash_cookie.is_some();
    let mut response = draw(console, &arrival, request).await?;
    if told {
        response.headers_mut().append(SET_COOKIE, cookies::clear_flash(&console.config));
    }
    Ok(response)
}

/// Draws the page of a form again, with what was typed and why it was refused.
pub async fn render_refused(
    console: &'static Console,
    arrival: &Arrival,
    refused: RefusedForm,
) -> Result<Response, Failed> {
    render_refused_at(console, arrival, &arrival.path, refused).await
}

/// The same for a form that has an address of its own: draws the page that it stands on.
pub async fn render_refused_at(
    console: &'static Console,
    arrival: &Arrival,
    page: &str,
    refused: RefusedForm,
) -> Result<Response, Failed> {
    let refusal = status(&refused.error);
    let wait = match &refused.error {
        ApiError::RateLimited { retry_after_s } => Some(*retry_after_s),
        _ => None,
    };
    let mut request = page_request(console, arrival);
    request.pairs = query::pairs(arrival.query.as_deref().unwrap_or_default())?;
    page.clone_into(&mut request.path);
    request.refused = Some(refused);
    let mut response = draw(console, arrival, request).await?;
    if response.status().is_success() {
        *response.status_mut() = refusal;
    }
    if let Some(seconds) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(response)
}

/// Draws the page of a form again with what was typed, for a look at it: nothing was done.
pub async fn render_posted(
    console: &'static Console,
    arrival: &Arrival,
    posted: Posted,
) -> Result<Response, Failed> {
    let mut request = page_request(console, arrival);
    request.pairs = query::pairs(arrival.query.as_deref().unwrap_or_default())?;
    request.posted = Some(posted);
    draw(console, arrival, request).await
}

/// Draws the page of a form with what is shown on this one answer and never again: a link, a key. It is kept nowhere,
/// so not even a reload of the page finds it.
pub async fn render_once(
    console: &'static Console,
    arrival: &Arrival,
    shown: ShownOnce,
) -> Result<Response, Failed> {
    let mut request = page_request(console, arrival);
    request.pairs = query::pairs(arrival.query.as_deref().unwrap_or_default())?;
    request.shown = Some(shown);
    draw(console, arrival, request).await
}

/// Goes to another page with a GET.
pub fn lead_to(to: &str) -> Response {
    let mut response = http::StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    // Our own addresses are ASCII.
    if let Ok(to) = HeaderValue::from_str(to) {
        headers.insert(http::header::LOCATION, to);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Goes to another page after a form did its work, and tells there what it did.
pub fn go(console: &Console, to: &str, flash: Flash) -> Response {
    let mut response = lead_to(to);
    let headers = response.headers_mut();
    headers.append(SET_COOKIE, cookies::set_flash(&console.config, flash));
    response
}

/// Draws the page that says what went wrong, in the shell where that is possible.
pub(super) async fn failed(
    console: &'static Console,
    arrival: &Arrival,
    error: &ApiError,
) -> Response {
    let mut request = page_request(console, arrival);
    request.flash = None;
    request.failed = Some(error.clone());
    let drawn = AssertUnwindSafe(draw(console, arrival, request)).catch_unwind().await;
    if let Ok(Ok(response)) = drawn {
        return response;
    }
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    ([(CONTENT_TYPE, html)], LAST_RESORT).into_response()
}

/// Runs a server function, with the same context as a page.
pub async fn server_fn(
    State(console): State<&'static Console>,
    arrival: Arrival,
    request: Request,
) -> Result<Response, Failed> {
    let page = page_request(console, &arrival);
    // Read here, so that one that is too large is called so, not "malformed arguments".
    let (parts, body) = request.into_parts();
    let bytes = super::json::body(Request::new(body), &()).await?;
    let request = Request::from_parts(parts, Body::from(bytes));
    let context = move || provide(console, page.clone());
    let response = leptos_axum::handle_server_fns_with_context(context, request).await;
    let mut response = response.into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The addresses that the application's router knows, as ours spells them.
///
/// Listed once: while that goes on, no page of the process has its resources.
pub fn paths_of_application() -> &'static [String] {
    static PATHS: OnceLock<Vec<String>> = OnceLock::new();
    PATHS.get_or_init(|| {
        let listed = leptos_axum::generate_route_list(shell);
        listed.iter().map(|route| route.path().to_owned()).collect()
    })
}

fn page_request(console: &Console, arrival: &Arrival) -> PageRequest {
    PageRequest {
        path: arrival.path.clone(),
        query: arrival.query.clone().unwrap_or_default(),
        pairs: Vec::new(),
        now: console.clock.now(),
        zone: zone(arrival.zone_cookie.as_deref()),
        request_id: arrival.request_id.clone(),
        caller: arrival.caller.get().cloned(),
        assets: console.assets.page(),
        banner: console.config.demo_users.is_some().then_some(Banner::Demo),
        environment: console.config.environment.clone(),
        flash: arrival.flash_cookie.as_deref().and_then(Flash::from_cookie),
        refused: None,
        posted: None,
        shown: None,
        failed: None,
    }
}

/// The viewer's zone, when the cookie names one that exists.
pub(crate) fn zone(cookie: Option<&str>) -> Zone {
    let told = cookie.filter(|name| name.len() <= 64).and_then(|name| {
        let name = name.replace("%2F", "/");
        let tz = TimeZone::get(&name).ok()?;
        Some(Zone { name: tz.iana_name()?.to_owned(), tz, told: true })
    });
    told.unwrap_or_else(|| Zone { tz: TimeZone::UTC, name: "UTC".to_owned(), told: false })
}

async fn draw(
    console: &'static Console,
    arrival: &Arrival,
    page: PageRequest,
) -> Result<Response, Failed> {
    let nonce = arrival.nonce.clone();
    let path = page.path.clone();
    let context = move || {
        provide_context(nonce.clone());
        provide(console, page.clone());
    };
    // The application sees the address alone: no header of the request, so no cookie and no token.
    let mut bare = Request::new(Body::empty());
    *bare.uri_mut() = address(&path, arrival);
    let drawn = leptos_axum::render_app_async_with_context(context, shell)(bare).await;
    let (mut parts, body) = drawn.into_parts();
    let html = to_bytes(body, usize::MAX).await.map_err(Failed::internal)?;
    parts.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    parts.headers.insert(VARY, HeaderValue::from_static("cookie"));
    Ok(Response::from_parts(parts, Body::from(html)))
}

fn address(path: &str, arrival: &Arrival) -> http::Uri {
    let query = arrival.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{path}{query}").parse().unwrap_or_default()
}

/// What pages and server functions take from context.
fn provide(console: &'static Console, page: PageRequest) {
    provide_context(page);
    provide_context(Arc::clone(&console.task_list));
    provide_context(console.ways_in());
    let accounts: Arc<dyn app::identity::Accounts> = Arc::clone(&console.accounts) as _;
    provide_context(accounts);
    let operations: Arc<dyn app::operations::Operations> = Arc::clone(&console.operations) as _;
    provide_context(operations);
    let lists: Arc<dyn app::operations::Lists> = Arc::clone(&console.operations) as _;
    provide_context(lists);
    let views: Arc<dyn app::operations::SavedViews> = Arc::clone(&console.operations) as _;
    provide_context(views);
    let workers: Arc<dyn app::operations::workers::Workers> = Arc::clone(&console.operations) as _;
    provide_context(workers);
    let follow: Arc<dyn app::operations::Follow> = Arc::clone(&console.operations) as _;
    provide_context(follow);
    let home: Arc<dyn app::home::Home> = Arc::clone(&console.home) as _;
    provide_context(home);
    let runbooks: Arc<dyn app::operations::runbooks::Runbooks> =
        Arc::clone(&console.operations) as _;
    provide_context(runbooks);
    let audit: Arc<dyn app::audit::Audit> = Arc::clone(&console.audit) as _;
    provide_context(audit);
    let people: Arc<dyn app::identity::People> = Arc::clone(&console.admin) as _;
    provide_context(people);
    let grants: Arc<dyn app::identity::Grants> = Arc::clone(&console.admin) as _;
    provide_context(grants);
    let keys: Arc<dyn app::identity::Keys> = Arc::clone(&console.admin) as _;
    provide_context(keys);
    let workspaces: Arc<dyn app::workspaces::Workspaces> = Arc::clone(&console.workspaces) as _;
    provide_context(workspaces);
    let clusters: Arc<dyn app::fleet::Clusters> = Arc::clone(&console.fleet) as _;
    provide_context(clusters);
    let registrations: Arc<dyn app::fleet::Registrations> = Arc::clone(&console.fleet) as _;
    provide_context(registrations);
    let watched: Arc<dyn app::fleet::watched::Watched> = Arc::clone(&console.watched) as _;
    provide_context(watched);
    let charts: Arc<dyn app::ui::chart::Charts> = Arc::new(chart::Plotters);
    provide_context(charts);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_taken_only_when_it_exists() {
        assert_eq!(zone(Some("Europe/Lisbon")).name, "Europe/Lisbon");
        assert_eq!(zone(Some("Europe%2FLisbon")).name, "Europe/Lisbon");
        for made_up in ["Mars/Olympus", "../../etc/passwd", "", "/etc/localtime", "<script>"] {
            let zone = zone(Some(made_up));
            assert_eq!((zone.name.as_str(), zone.told), ("UTC", false), "{made_up}");
        }
    }
}

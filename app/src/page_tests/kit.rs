//! The request and the drawing, over a world that a test makes.

mod samples;
mod world;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use jiff::tz::TimeZone;
use leptos::prelude::provide_context;

pub use samples::{detail, entry, page, run, step, world};
pub use world::World;

use crate::{
    audit::Audit,
    home::Home,
    identity::{Caller, CallerKind, Capability, Gate, Reach},
    operations::{Follow, Lists, Operations, SavedViews, runbooks::Runbooks, workers::Workers},
    request::{Assets, Banner, PageRequest, Zone},
    settings::Tasks,
    shell::shell,
    time::Micros,
};

pub const NOW: Micros = Micros(1_795_256_191_000_000);

struct Deaf;

#[async_trait]
impl Gate for Deaf {
    async fn refused(&self, _: &Caller, _: Capability) {}
}

pub fn gate() -> Arc<dyn Gate> {
    Arc::new(Deaf)
}

pub fn caller(capabilities: &[Capability]) -> Caller {
    let grants = capabilities.iter().map(|c| (*c, Reach::Everything)).collect();
    Caller::new(CallerKind::User, "u", "Local admin", grants, Arc::new(Deaf))
}

pub fn request(address: &str) -> PageRequest {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    PageRequest {
        path: path.to_owned(),
        query: query.to_owned(),
        pairs: serde_html_form::from_str(query).expect("a test's own query"),
        now: NOW,
        zone: Zone { tz: TimeZone::UTC, name: "UTC".to_owned(), told: false },
        request_id: "0b7e91c4".to_owned(),
        caller: Some(caller(Capability::ALL)),
        assets: Assets {
            css: "/assets/quarterdeck.1.css".to_owned(),
            js: "/assets/quarterdeck.1.js".to_owned(),
            wasm: "/assets/quarterdeck.1.wasm".to_owned(),
            favicon: "/assets/favicon.1.svg".to_owned(),
        },
        banner: Some(Banner::Demo),
        environment: None,
        flash: None,
        refused: None,
        posted: None,
        shown: None,
        failed: None,
    }
}

pub struct Drawn {
    pub status: u16,
    pub location: Option<String>,
    pub html: String,
}

impl Drawn {
    /// The page itself, without what stands around every page.
    pub fn main(&self) -> &str {
        self.html.split_once("<main").map_or("", |(_, main)| main)
    }
}

/// The addresses that the router knows. Asking for them starts what drawing needs, once per process.
pub fn routes() -> &'static [String] {
    static ROUTES: OnceLock<Vec<String>> = OnceLock::new();
    ROUTES.get_or_init(|| {
        let routes = leptos_axum::generate_route_list(shell);
        routes.iter().map(|route| route.path().to_owned()).collect()
    })
}

pub async fn draw(world: &World, request: PageRequest) -> Drawn {
    let (operations, tasks, audit) = (world.clone(), world.clone(), world.clone());
    let lists = Arc::new(world.clone());
    let workers = world.clone();
    let follow = world.clone();
    let (runbooks, home) = (world.clone(), world.clone());
    let services = move || {
        provide_context::<Arc<dyn Follow>>(Arc::new(follow.clone()));
        provide_context::<Arc<dyn Operations>>(Arc::new(operations.clone()));
        provide_context::<Arc<dyn Lists>>(lists.clone());
        provide_context::<Arc<dyn SavedViews>>(lists.clone());
        provide_context::<Arc<dyn Runbooks>>(Arc::new(runbooks.clone()));
        provide_context::<Arc<dyn Home>>(Arc::new(home.clone()));
        provide_context::<Arc<dyn Audit>>(Arc::new(audit.clone()));
        provide_context::<Arc<dyn Tasks>>(Arc::new(tasks.clone()));
        provide_context::<Arc<dyn Workers>>(Arc::new(workers.clone()));
    };
    Box::pin(draw_over(services, request)).await
}

/// Over the services that `services` puts into context.
pub async fn draw_over(
    services: impl Fn() + Clone + Send + Sync + 'static,
    request: PageRequest,
) -> Drawn {
    routes();
    let address = if request.query.is_empty() {
        request.path.clone()
    } else {
        format!("{}?{}", request.path, request.query)
    };
    let context = move || {
        provide_context(request.clone());
        services();
    };
    let bare = http::Request::builder().uri(address).body(axum::body::Body::empty());
    let bare = bare.expect("a test's own address");
    let answer = leptos_axum::render_app_async_with_context(context, shell)(bare).await;
    let status = answer.status().as_u16();
    let location = answer.headers().get("location").and_then(|l| l.to_str().ok());
    let location = location.map(str::to_owned);
    let body = answer.into_body().collect().await.expect("the page ends").to_bytes();
    let html = String::from_utf8(body.to_vec()).expect("a page is UTF-8");
    Drawn { status, location, html }
}

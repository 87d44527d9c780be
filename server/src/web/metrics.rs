//! What Prometheus may know: how requests and tasks do. Labels are route templates and our own words, never
//! anything that a client sent.

use std::{fmt, sync::atomic::AtomicU64, time::Duration};

use http::{Method, StatusCode};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

use super::gauges::{Gauge as Asked, Gauges, Sample};
use crate::{clock::Clock, store::StoreError, tasks::Tasks, version};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TaskLabels {
    task: String,
}

pub struct Metrics {
    registry: Registry,
    durations: Family<RequestLabels, Histogram>,
    in_flight: Gauge,
    panics: Counter,
    tasks_up: Family<TaskLabels, Gauge>,
    task_restarts: Family<TaskLabels, Gauge<u64, AtomicU64>>,
    /// Held while a scrape reads and writes them out, so that none sees them half read.
    gauges: tokio::sync::Mutex<Gauges>,
}

/// From a millisecond, which a page from memory takes, to the time limit of a request.
const BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("quarterdeck");
        let durations =
            Family::<RequestLabels, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        registry.register_with_unit(
            "http_request_duration",
            "From the request's head to the last byte of the answer",
            Unit::Seconds,
            durations.clone(),
        );
        let in_flight = Gauge::default();
        let help = "Requests being answered, live streams among them";
        registry.register("http_requests_in_flight", help, in_flight.clone());
        let panics = Counter::default();
        registry.register("panics", "Requests that ended in a panic of ours", panics.clone());
        let tasks_up = Family::default();
        let help = "Whether a background task runs (1) or waits after a failure (0)";
        registry.register("task_up", help, tasks_up.clone());
        let task_restarts = Family::default();
        let help = "How often a background task was started again after a failure";
        registry.register("task_restarts", help, task_restarts.clone());
        let build = [("version", version::VERSION), ("commit", version::COMMIT)];
        registry.register("build", "What runs here", Info::new(build));
        let gauges = tokio::sync::Mutex::default();
        Self { registry, durations, in_flight, panics, tasks_up, task_restarts, gauges }
    }

    /// Adds what a domain counts by itself.
    #[must_use]
    pub fn counting(mut self, register: impl FnOnce(&mut Registry)) -> Self {
        register(&mut self.registry);
        self
    }

    /// Adds what a domain can tell when it is asked.
    #[must_use]
    pub fn asking<F, Fut>(mut self, name: &'static str, gauges: &[Asked], read: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Sample>, StoreError>> + Send + 'static,
    {
        self.gauges.get_mut().register(&mut self.registry, name, gauges, read);
        self
    }

    pub fn begin(&self) {
        self.in_flight.inc();
    }

    pub fn end(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        self.in_flight.dec();
        let labels = RequestLabels {
            method: word(method),
            route: route.to_owned(),
            status: status.as_u16(),
        };
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
    }

    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// In the text format of OpenMetrics.
    pub async fn encode(&self, tasks: &Tasks, clock: &Clock) -> Result<String, fmt::Error> {
        let mut gauges = self.gauges.lock().await;
        gauges.refresh(clock).await;
        for state in tasks.states() {
            let labels = TaskLabels { task: state.name.clone() };
            self.tasks_up.get_or_create(&labels).set(i64::from(state.is_up()));
            self.task_restarts.get_or_create(&labels).set(state.restarts);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// A method as a label: a client may send any word as its method.
pub fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

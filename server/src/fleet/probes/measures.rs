//! What the probes of this process count: how late a look begins, and how looks end. Labels are our own words.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::state::ApiReading;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: &'static str,
}

/// From the tick to an interval of the slowest.
const LAGS: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 120.0];

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Measures {
    lag: Histogram,
    under_way: Gauge,
    looks: Family<Labels, Counter>,
}

impl Default for Measures {
    fn default() -> Self {
        Self { lag: Histogram::new(LAGS), under_way: Gauge::default(), looks: Family::default() }
    }
}

impl Measures {
    pub fn register(&self, registry: &mut Registry) {
        let help = "From the time that a look at a cluster was due to its beginning here";
        registry.register_with_unit("fleet_probe_lag", help, Unit::Seconds, self.lag.clone());
        let help =
            "Looks at clusters that are under way here, what they found being written included";
        registry.register("fleet_probes_in_flight", help, self.under_way.clone());
        let help = "Looks at clusters that ended here, by how their API servers answered";
        registry.register("fleet_probes", help, self.looks.clone());
    }

    pub(super) fn began(&self, late_micros: i64) {
        let late = Duration::from_micros(u64::try_from(late_micros).unwrap_or(0));
        self.lag.observe(late.as_secs_f64());
        self.under_way.inc();
    }

    pub(super) fn written(&self) {
        self.under_way.dec();
    }

    pub fn under_way(&self) -> i64 {
        self.under_way.get()
    }

    /// None: nothing could be said of it.
    pub(super) fn ended(&self, api: Option<ApiReading>) {
        let outcome = match api {
            Some(ApiReading::Up) => "up",
            Some(ApiReading::Refused(_)) => "refused",
            Some(ApiReading::Down(_)) => "down",
            None => "not_looked",
        };
        self.looks.get_or_create(&Labels { outcome }).inc();
    }

    /// How many looks ended with this word.
    pub fn looks(&self, outcome: &'static str) -> u64 {
        self.looks.get_or_create(&Labels { outcome }).get()
    }
}

//! Gauges of what stands in the database: read when somebody asks for metrics, kept for a moment, and left out when
//! they could not be read. A zero here was counted.
//!
//! Knows no domain: domains register what they can tell.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use futures::future::{BoxFuture, join_all};
use prometheus_client::{
    metrics::{family::Family, gauge::Gauge as Value},
    registry::{Registry, Unit},
};

use crate::{clock::Clock, store::StoreError};

/// Scrapes come by the quarter minute; several scrapers must not cost several times as much.
const FRESH: Duration = Duration::from_secs(5);
/// A scrape gives up after 10 s, and what else it brings is worth having.
const PATIENCE: Duration = Duration::from_secs(2);

/// One gauge: its name without prefix and unit.
#[derive(Clone, Debug)]
pub struct Gauge {
    pub name: &'static str,
    pub help: &'static str,
    pub unit: Option<fn() -> Unit>,
}

/// One value of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    name: &'static str,
    labels: Labels,
    value: f64,
}

type Labels = Vec<(&'static str, String)>;
type Values = Family<Labels, Value<f64, AtomicU64>>;
type Read = Arc<dyn Fn() -> BoxFuture<'static, Result<Vec<Sample>, StoreError>> + Send + Sync>;

impl Sample {
    pub fn new(gauge: &Gauge, labels: Vec<(&'static str, String)>, value: i64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let value = value as f64;
        Self { name: gauge.name, labels, value }
    }

    /// A time, which the database keeps in microseconds.
    pub fn seconds(gauge: &Gauge, micros: i64) -> Self {
        let Self { name, labels, value } = Self::new(gauge, Vec::new(), micros);
        Self { name, labels, value: value / 1e6 }
    }
}

/// What one domain tells, and where its values stand.
struct Source {
    name: &'static str,
    read: Read,
    values: BTreeMap<&'static str, Values>,
}

#[derive(Default)]
pub struct Gauges {
    sources: Vec<Source>,
    read_at: Option<Duration>,
}

impl Gauges {
    /// `name` is the domain's, for the log.
    pub fn register<F, Fut>(
        &mut self,
        registry: &mut Registry,
        name: &'static str,
        gauges: &[Gauge],
        read: F,
    ) where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Sample>, StoreError>> + Send + 'static,
    {
        let mut values = BTreeMap::new();
        for gauge in gauges {
            let family = Values::default();
            match gauge.unit {
                Some(unit) => {
                    registry.register_with_unit(gauge.name, gauge.help, unit(), family.clone());
                }
                None => registry.register(gauge.name, gauge.help, family.clone()),
            }
            values.insert(gauge.name, family);
        }
        self.sources.push(Source { name, read: Arc::new(move || Box::pin(read())), values });
    }

    /// Asks every domain, unless that was done a moment ago.
    pub async fn refresh(&mut self, clock: &Clock) {
        let now = clock.monotonic();
        if self.read_at.is_some_and(|at| now.saturating_sub(at) < FRESH) {
            return;
        }
        join_all(self.sources.iter().map(|source| source.refresh(clock))).await;
        self.read_at = Some(now);
    }
}

impl Source {
    async fn refresh(&self, clock: &Clock) {
        let read = tokio::select! {
            read = (self.read)() => read.map_err(|error| error.to_string()),
            () = clock.sleep(PATIENCE) => Err(format!("no answer in {} s", PATIENCE.as_secs())),
        };
        for values in self.values.values() {
            values.clear();
        }
        match read {
            Ok(samples) => {
                for Sample { name, labels, value } in samples {
                    if let Some(values) = self.values.get(name) {
                        values.get_or_create(&labels).set(value);
                    }
                }
            }
            Err(why) => {
                tracing::warn!(
                    source = self.name,
                    why,
                    "Gauges could not be read and are left out."
                );
            }
        }
    }
}

//! How long statements wait for a connection: the writer on SQLite, the pools on Postgres. Counted for metrics; a wait
//! that ended without a connection counts too, for it was a wait.

use std::{sync::Arc, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::Dialect;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabels {
    pool: &'static str,
}

/// From a connection that lies ready to the time limit of waiting for one.
const BUCKETS: [f64; 10] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 2.0, 10.0];

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Waits {
    dialect: Dialect,
    writer: Arc<Histogram>,
    pools: Family<PoolLabels, Histogram>,
}

impl Waits {
    pub(super) fn new(dialect: Dialect) -> Self {
        let pools =
            Family::<PoolLabels, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        Self { dialect, writer: Arc::new(Histogram::new(BUCKETS)), pools }
    }

    /// Only what this engine has.
    pub fn register(&self, registry: &mut Registry) {
        match self.dialect {
            Dialect::Sqlite => {
                let help =
                    "From asking for SQLite's one writing connection to a transaction begun on it";
                let writer = (*self.writer).clone();
                registry.register_with_unit("store_writer_wait", help, Unit::Seconds, writer);
            }
            Dialect::Postgres => {
                let help = "From asking a pool for a connection to Postgres to having it; for writers with its BEGIN";
                let pools = self.pools.clone();
                registry.register_with_unit("store_pool_wait", help, Unit::Seconds, pools);
            }
        }
    }

    pub(super) fn waited_to_write(&self, took: Duration) {
        match self.dialect {
            Dialect::Sqlite => self.writer.observe(took.as_secs_f64()),
            Dialect::Postgres => self.pool("writers", took),
        }
    }

    pub(super) fn waited_to_read(&self, took: Duration) {
        if self.dialect == Dialect::Postgres {
            self.pool("readers", took);
        }
    }

    fn pool(&self, pool: &'static str, took: Duration) {
        self.pools.get_or_create(&PoolLabels { pool }).observe(took.as_secs_f64());
    }
}

//! How much of the chain no signed head covers yet: what somebody could cut off unseen. For metrics.

use crate::{
    store::{Db, StoreError},
    web::gauges::{Gauge, Sample},
};

use super::store;

const ROWS: Gauge = Gauge {
    name: "audit_head_lag_rows",
    help: "Rows of the audit chain that were written after the last signed head",
    unit: None,
};
const SECONDS: Gauge = Gauge {
    name: "audit_head_lag",
    help: "Age of the oldest row of the audit chain that no signed head covers; 0 when all are covered",
    unit: Some(|| prometheus_client::registry::Unit::Seconds),
};

/// What [`samples`] answers.
pub const GAUGES: &[Gauge] = &[ROWS, SECONDS];

pub async fn samples(db: &Db) -> Result<Vec<Sample>, StoreError> {
    let lag = store::head_lag(db).await?;
    let age = match lag.since {
        Some(since) => db.now().await?.since(since).max(0),
        None => 0,
    };
    Ok(vec![Sample::new(&ROWS, Vec::new(), lag.rows), Sample::seconds(&SECONDS, age)])
}

//! What is true of the queue right now, asked when metrics are read. The same from every process of a database.

use crate::{
    store::StoreError,
    web::gauges::{Gauge, Sample},
};

use super::{OperationsService, store::gauges};

const QUEUED: Gauge = Gauge {
    name: "operations_queued_runs",
    help: "Runs in a queue of the database, due now or waiting for their time; counted up to 100000 in all",
    unit: None,
};
const ACTIVE: Gauge = Gauge {
    name: "operations_active_runs",
    help: "Runs of the database that a worker holds, by queue",
    unit: None,
};

/// What [`OperationsService::samples`] answers.
pub const GAUGES: &[Gauge] = &[QUEUED, ACTIVE];

impl OperationsService {
    /// Queues of the catalog are named even when nothing is in them: they were counted, and there was none.
    pub async fn samples(&self) -> Result<Vec<Sample>, StoreError> {
        let db = &self.base.db;
        let queued = gauges::queued(db, db.now().await?).await?;
        let active = gauges::active(db).await?;
        let mut samples = Vec::new();
        let mut queues: Vec<String> = self.queues().into_iter().map(str::to_owned).collect();
        queues.extend(queued.iter().map(|queued| queued.queue.clone()));
        queues.extend(active.iter().map(|(queue, _)| queue.clone()));
        queues.sort_unstable();
        queues.dedup();
        for queue in queues {
            for (state, is_due) in [("due", true), ("waiting", false)] {
                let counted = queued.iter().find(|q| q.queue == queue && q.is_due == is_due);
                let labels = vec![("queue", queue.clone()), ("state", state.to_owned())];
                samples.push(Sample::new(&QUEUED, labels, counted.map_or(0, |queued| queued.runs)));
            }
            let held = active.iter().find(|(name, _)| *name == queue).map_or(0, |(_, runs)| *runs);
            samples.push(Sample::new(&ACTIVE, vec![("queue", queue)], held));
        }
        Ok(samples)
    }
}

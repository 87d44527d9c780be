//! What the console keeps of the past, and what it tells of itself: retention and metrics, wired over the domains.

use std::{sync::Arc, time::Duration};

use app::identity::Gate;

use crate::{
    audit::{self, Retention},
    config::Config,
    events::{self, Feed},
    fleet::{
        FleetService,
        operations::discover::Starter,
        probes::{Looker, Probes},
    },
    identity,
    operations::{self, OperationsService, operations::prune},
    store::Db,
    web::metrics::Metrics,
};

/// What `system.prune` removes, and when.
pub(super) fn pruned(config: &Config, db: &Db, feed: &Feed, gate: &Arc<dyn Gate>) -> prune::Deps {
    let kept = config.retention;
    let audit = db.chain().cloned().map(|chain| {
        let system = identity::system(Arc::clone(gate));
        Retention::new(db.clone(), chain, system, config.audit_retention_days)
    });
    let kept = prune::Kept {
        run_days: kept.run_days,
        failed_run_days: kept.failed_run_days,
        run_log_days: kept.run_log_days,
        open_work_days: kept.open_work_days,
        events_for: Duration::from_hours(kept.event_hours.into()),
        events: kept.event_count.into(),
        health_days: kept.health_days,
        removed_cluster_days: kept.removed_cluster_days,
    };
    prune::Deps { db: db.clone(), feed: feed.clone(), audit, kept }
}

/// What looks after the clusters, with their own credentials.
pub(super) fn probes(
    fleet: &FleetService,
    operations: &Arc<OperationsService>,
    gate: &Arc<dyn Gate>,
) -> Probes {
    let FleetService { db, rng, clients, .. } = fleet;
    let look = Looker::new(clients.clone(), db.clock().clone());
    let operations = Arc::clone(operations);
    let starter = Starter { operations, system: identity::system(Arc::clone(gate)) };
    Probes::new(db.clone(), rng.clone(), Arc::new(look), Arc::new(starter))
}

/// What each part counts by itself, and what it can tell when it is asked.
pub(super) fn metrics(
    db: &Db,
    feed: &Feed,
    operations: &OperationsService,
    probes: &Probes,
) -> Metrics {
    let metrics = Metrics::new()
        .counting(|registry| db.waits().register(registry))
        .counting(|registry| operations.measures().register(registry))
        .counting(|registry| probes.measures().register(registry));
    let (service, news) = (operations.clone(), feed.clone());
    let metrics = metrics
        .asking("operations", operations::gauges::GAUGES, move || {
            let service = service.clone();
            async move { service.samples().await }
        })
        .asking("events", events::GAUGES, move || {
            let news = news.clone();
            async move { news.samples().await }
        });
    if db.chain().is_none() {
        return metrics;
    }
    let db = db.clone();
    metrics.asking("audit", audit::lag::GAUGES, move || {
        let db = db.clone();
        async move { audit::lag::samples(&db).await }
    })
}

//! All SQL behind the fleet's figures. Hundreds of clusters, so they are counted when somebody asks.

use std::collections::{BTreeMap, BTreeSet};

use app::{
    fleet::{
        model::{ClusterCapabilities, ClusterState},
        overview::{ClusterHealth, FleetCapabilities, FleetHealth, FleetSummary},
    },
    identity::Reach,
};

use super::json;
use crate::store::{Db, Sql, StoreError};

fn living(select: &'static str, reach: &Reach) -> Sql {
    let sql = Sql::new(select).push(" FROM clusters c WHERE c.removed_at IS NULL");
    super::within(sql, reach)
}

async fn counted(
    db: &Db,
    reach: &Reach,
    select: &'static str,
    group: &'static str,
) -> Result<BTreeMap<String, i64>, StoreError> {
    let rows = db.fetch_all(living(select, reach).push(group)).await?;
    rows.iter().map(|row| Ok((row.text("word")?, row.i64("n")?))).collect()
}

pub async fn summary(db: &Db, reach: &Reach) -> Result<FleetSummary, StoreError> {
    let select = "SELECT COUNT(*) AS n, CAST(COALESCE(SUM(c.gpu_count), 0) AS BIGINT) AS gpus, \
         CAST(COALESCE(SUM(c.has_cnf_workloads), 0) AS BIGINT) AS cnf, \
         CAST(AVG(c.health_score) AS DOUBLE PRECISION) AS score, \
         CAST(COALESCE(SUM(CASE WHEN c.discovered_at IS NULL THEN 1 ELSE 0 END), 0) AS BIGINT) AS undiscovered";
    let row = db.fetch_one(living(select, reach)).await?;
    let by_state =
        counted(db, reach, "SELECT c.state AS word, COUNT(*) AS n", " GROUP BY c.state").await?;
    let by_type = counted(
        db,
        reach,
        "SELECT c.cluster_type AS word, COUNT(*) AS n",
        " GROUP BY c.cluster_type",
    )
    .await?;
    let by_environment = counted(
        db,
        reach,
        "SELECT c.environment AS word, COUNT(*) AS n",
        " GROUP BY c.environment",
    )
    .await?;
    Ok(FleetSummary {
        total_clusters: row.i64("n")?,
        by_state,
        by_type,
        by_environment,
        total_gpu_count: row.i64("gpus")?,
        clusters_with_cnf: row.i64("cnf")?,
        avg_health_score: row.opt_f64("score")?.map(|score| (score * 10.0).round() / 10.0),
        undiscovered: row.i64("undiscovered")?,
    })
}

pub async fn health(db: &Db, reach: &Reach) -> Result<FleetHealth, StoreError> {
    let select = "SELECT c.id, c.name, c.state, c.health_score, c.checked_at";
    let rows = db.fetch_all(living(select, reach).push(" ORDER BY c.name")).await?;
    let clusters: Result<Vec<_>, StoreError> = rows
        .iter()
        .map(|row| {
            Ok(ClusterHealth {
                cluster_id: row.text("id")?,
                cluster_name: row.text("name")?,
                state: row.word("state")?,
                health_score: row.opt_i64("health_score")?,
                last_check_at: row.opt_micros("checked_at")?,
            })
        })
        .collect();
    let clusters = clusters?;
    let count = |states: &[ClusterState]| {
        let found = clusters.iter().filter(|cluster| states.contains(&cluster.state)).count();
        i64::try_from(found).unwrap_or(i64::MAX)
    };
    Ok(FleetHealth {
        total_clusters: i64::try_from(clusters.len()).unwrap_or(i64::MAX),
        healthy: count(&[ClusterState::Online]),
        degraded: count(&[ClusterState::Degraded]),
        offline: count(&[ClusterState::Offline]),
        unknown: count(&[ClusterState::Unknown, ClusterState::Provisioning]),
        clusters,
    })
}

pub async fn capabilities(db: &Db, reach: &Reach) -> Result<FleetCapabilities, StoreError> {
    let rows = db.fetch_all(living("SELECT c.capabilities", reach)).await?;
    let mut all = FleetCapabilities::default();
    let (mut gpu_types, mut cnf_types) = (BTreeSet::new(), BTreeSet::new());
    for row in rows {
        let Some(text) = row.opt_text("capabilities")? else {
            all.undiscovered += 1;
            continue;
        };
        let found: ClusterCapabilities = json(&text, "capabilities")?;
        let one = |has: Option<bool>| i64::from(has == Some(true));
        all.gpu.total_gpu_count += found.gpu_count.unwrap_or(0);
        all.gpu.clusters_with_gpu += one(found.has_gpu_nodes);
        all.cnf.clusters_with_cnf += one(found.has_cnf_workloads);
        all.observability.clusters_with_prometheus += one(found.has_prometheus);
        all.observability.clusters_with_tempo += one(found.has_tempo);
        all.observability.clusters_with_loki += one(found.has_loki);
        gpu_types.extend(found.gpu_types);
        cnf_types.extend(found.cnf_types);
    }
    all.gpu.gpu_types = gpu_types.into_iter().collect();
    all.cnf.cnf_types = cnf_types.into_iter().collect();
    Ok(all)
}

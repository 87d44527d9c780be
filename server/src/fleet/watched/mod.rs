//! A cluster's lists and its overview, out of the watches' tables: the rows that a page shows, never a whole type.

mod config_maps;
mod pages;
mod rows;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use app::{
    error::{ApiError, Thing},
    fleet::{
        View,
        watched::{
            ClusterName, EventRow, Finding, Kind, Listed, NodeRow, Overview, PodRow, Severity,
            Watched, WorkloadRow, WorkloadState, of_topic,
        },
    },
    identity::{Caller, Capability, Permit},
    list::ListQuery,
    time::Micros,
};
use async_trait::async_trait;
use uuid::Uuid;

use self::config_maps::ConfigMaps;
use super::{
    checks::{self, Facts},
    watch::{ClusterView, Until, Watches},
};
use crate::{clock::Clock, store::Db};

/// So long a reader waits for what is not known yet; then the page says what is missing.
const BUDGET: Duration = Duration::from_secs(3);
/// What was found counts for so long when nothing has changed: some rules look at the time.
const FOUND: i64 = 30 * Micros::SECOND;
/// On a busy cluster the rules run no oftener than this.
const FOUND_AT_LEAST: i64 = 2 * Micros::SECOND;
/// On the cluster's own page.
const SHOWN_FINDINGS: usize = 12;
const SHOWN_WARNINGS: usize = 8;

const WORKLOADS: &[Kind] =
    &[Kind::Deployments, Kind::StatefulSets, Kind::DaemonSets, Kind::Jobs, Kind::CronJobs];

pub struct WatchedService {
    db: Db,
    clock: Clock,
    watches: Watches,
    found: Mutex<HashMap<Uuid, Found>>,
    config_maps: ConfigMaps,
}

/// What the checks found, and of which moment.
struct Found {
    changes: u64,
    at: Micros,
    findings: Arc<Vec<Finding>>,
}

/// A cluster that the caller may see, and its watches.
struct Seen {
    name: ClusterName,
    id: Uuid,
    view: ClusterView,
}

impl WatchedService {
    pub fn new(db: Db, clock: Clock, watches: Watches) -> Self {
        let config_maps = ConfigMaps::new(clock.clone());
        Self { db, clock, watches, found: Mutex::default(), config_maps }
    }

    /// What an open page shows goes on being watched by the process that has its line to the news, whichever process
    /// drew it. Of clusters that the caller may not see, nothing.
    pub async fn keep(&self, caller: &Caller, topics: &[String]) {
        let Some(reach) = caller.reach(Capability::FleetView) else { return };
        let mut wanted: BTreeMap<&str, Vec<Kind>> = BTreeMap::new();
        for (cluster, kind) in topics.iter().filter_map(|topic| of_topic(topic)) {
            wanted.entry(cluster).or_default().push(kind);
        }
        for (id, kinds) in wanted {
            let Ok(uuid) = Uuid::parse_str(id) else { continue };
            match super::store::find(&self.db, &reach, &uuid.to_string()).await {
                Ok(Some(cluster)) => {
                    let view = self.watches.of(uuid, cluster.workspace_id);
                    view.ask(&kinds, Until::FirstRows, Duration::ZERO).await;
                }
                Ok(None) => {}
                // The page itself tells when the store does not answer.
                Err(error) => tracing::debug!(%error, "what a page shows could not be looked up"),
            }
        }
    }

    /// Not there, and not yours, are one answer.
    async fn see(&self, permit: &Permit<View>, id: &str) -> Result<Seen, ApiError> {
        let missing = || ApiError::NotFound(Thing::Cluster);
        let uuid = Uuid::parse_str(id).map_err(|_| missing())?;
        let found = super::store::find(&self.db, permit.reach(), &uuid.to_string()).await;
        let cluster = found.map_err(super::store::refused)?.ok_or_else(missing)?;
        Ok(Seen {
            view: self.watches.of(uuid, cluster.workspace_id),
            name: ClusterName { id: cluster.id, name: cluster.name },
            id: uuid,
        })
    }

    async fn asked(
        &self,
        permit: &Permit<View>,
        id: &str,
        kinds: &[Kind],
        until: Until,
    ) -> Result<Seen, ApiError> {
        let seen = self.see(permit, id).await?;
        seen.view.ask(kinds, until, BUDGET).await;
        Ok(seen)
    }

    /// Once per change for all readers, and no oftener than every other second.
    fn findings_of(&self, seen: &Seen) -> Arc<Vec<Finding>> {
        let (now, changes) = (self.clock.now(), seen.view.changes());
        let held = |found: &Found| {
            let age = now.since(found.at);
            (found.changes == changes && age < FOUND) || (0..FOUND_AT_LEAST).contains(&age)
        };
        let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = all.get(&seen.id).filter(|found| held(found)) {
            return Arc::clone(&found.findings);
        }
        drop(all);
        // Not under the lock: other clusters' readers do not wait for this one's rules.
        let findings = Arc::new(checks::all(&Facts::of(&seen.view, now)));
        all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, found| now.since(found.at) < 10 * FOUND);
        all.insert(seen.id, Found { changes, at: now, findings: Arc::clone(&findings) });
        findings
    }

    /// With what is there now of that which a kubelet missed some time ago.
    async fn findings_now(&self, seen: &Seen) -> Arc<Vec<Finding>> {
        let findings = self.findings_of(seen);
        self.config_maps.look_again(seen.id, &seen.view, findings).await
    }

    fn listed<T>(
        seen: Seen,
        kinds: &[Kind],
        query: &ListQuery,
        rows: Vec<T>,
        namespaces: Vec<String>,
    ) -> Listed<T> {
        Listed {
            page: pages::page(rows, query),
            watches: kinds.iter().map(|kind| seen.view.status(*kind)).collect(),
            cluster: seen.name,
            namespaces,
        }
    }
}

/// The first rows of an unfiltered list are the first of the API; a filter needs all.
fn until(query: &ListQuery) -> Until {
    let from_start = !query.is_filtered() && query.page() == 1 && query.cursor.is_none();
    if from_start { Until::FirstRows } else { Until::Whole }
}

#[async_trait]
impl Watched for WatchedService {
    async fn nodes(
        &self,
        permit: &Permit<View>,
        cluster: &str,
        query: &ListQuery,
    ) -> Result<Listed<NodeRow>, ApiError> {
        // How many pods each has is worth no wait.
        let seen = self.asked(permit, cluster, &[Kind::Nodes], Until::Whole).await?;
        seen.view.ask(&[Kind::Pods], Until::FirstRows, Duration::ZERO).await;
        let rows = rows::nodes(&seen.view, query);
        Ok(Self::listed(seen, &[Kind::Nodes, Kind::Pods], query, rows, Vec::new()))
    }

    async fn pods(
        &self,
        permit: &Permit<View>,
        cluster: &str,
        query: &ListQuery,
    ) -> Result<Listed<PodRow>, ApiError> {
        let kinds = &[Kind::Pods];
        let seen = self.asked(permit, cluster, kinds, until(query)).await?;
        let namespaces = rows::namespaces(&seen.view.cluster().pods);
        let chosen = rows::pods(&seen.view, query);
        let page = pages::page(chosen, query).map(|pod| rows::pod(&pod));
        Ok(Listed {
            page,
            watches: vec![seen.view.status(Kind::Pods)],
            cluster: seen.name,
            namespaces,
        })
    }

    async fn workloads(
        &self,
        permit: &Permit<View>,
        cluster: &str,
        query: &ListQuery,
    ) -> Result<Listed<WorkloadRow>, ApiError> {
        let seen = self.asked(permit, cluster, WORKLOADS, Until::Whole).await?;
        seen.view.ask(checks::KINDS, Until::Whole, BUDGET).await;
        let findings = self.findings_now(&seen).await;
        let all = rows::workloads(&seen.view, &findings);
        let namespaces = rows::distinct(all.iter().map(|row| row.namespace.as_str()));
        let rows = all.into_iter().filter(|row| rows::workload_fits(row, query)).collect();
        Ok(Self::listed(seen, WORKLOADS, query, rows, namespaces))
    }

    async fn events(
        &self,
        permit: &Permit<View>,
        cluster: &str,
        query: &ListQuery,
    ) -> Result<Listed<EventRow>, ApiError> {
        let kinds = &[Kind::Events];
        let seen = self.asked(permit, cluster, kinds, Until::Whole).await?;
        let namespaces = rows::namespaces(&seen.view.cluster().events);
        let chosen = rows::events(&seen.view, query);
        let page = pages::page(chosen, query).map(|event| rows::event(&event));
        Ok(Listed {
            page,
            watches: vec![seen.view.status(Kind::Events)],
            cluster: seen.name,
            namespaces,
        })
    }

    async fn findings(
        &self,
        permit: &Permit<View>,
        cluster: &str,
        query: &ListQuery,
    ) -> Result<Listed<Finding>, ApiError> {
        let seen = self.asked(permit, cluster, checks::KINDS, Until::Whole).await?;
        let findings = self.findings_now(&seen).await.to_vec();
        Ok(Self::listed(seen, checks::KINDS, query, findings, Vec::new()))
    }

    async fn overview(&self, permit: &Permit<View>, cluster: &str) -> Result<Overview, ApiError> {
        let seen = self.asked(permit, cluster, checks::KINDS, Until::Whole).await?;
        seen.view.ask(&[Kind::CronJobs], Until::FirstRows, Duration::ZERO).await;
        let findings = self.findings_now(&seen).await;
        let workloads = rows::workloads(&seen.view, &findings);
        let unhealthy =
            workloads.iter().filter(|row| row.state == WorkloadState::Unhealthy).count();
        let worth = findings.iter().filter(|finding| finding.severity != Severity::Notice);
        let worth: Vec<Finding> = worth.cloned().collect();
        Ok(Overview {
            nodes: rows::summary(&seen.view),
            workloads: rows::count(workloads.len()),
            workloads_unhealthy: rows::count(unhealthy),
            pods: seen.view.status(Kind::Pods).objects,
            findings_total: rows::count(worth.len()),
            findings: worth.into_iter().take(SHOWN_FINDINGS).collect(),
            warnings: rows::warnings(&seen.view, SHOWN_WARNINGS),
            watches: seen.view.statuses(),
        })
    }
}

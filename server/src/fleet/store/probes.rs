//! All SQL of the probes: who looks at which cluster until when, what a look found, and the history of seven days.
//!
//! A lease is a token on the cluster's row: what a look found is written only while its token stands there, so that a
//! probe whose cluster was given away, removed or begun anew writes nothing.

use std::time::Duration;

use app::{
    fleet::{
        health::HealthPoint,
        model::{ClusterState, ClusterType, Transport},
    },
    time::Micros,
};

use super::json;
use crate::{
    fleet::probes::state::{Past, Upstream, Verdict},
    store::{Db, Row, Sql, StoreError, Tx},
};

/// Rows of one batch of pruning.
const ROWS: i64 = 1_000;

/// A cluster that is to be looked at, by whoever holds its token.
#[derive(Clone, Debug)]
pub struct Target {
    pub id: String,
    pub name: String,
    pub token: String,
    pub workspace_id: i64,
    pub kind: ClusterType,
    pub transport: Transport,
    /// As in [`Upstream::ALL`].
    pub upstreams: [Option<String>; 3],
    pub past: Past,
    /// What stands in the status now.
    pub shown: Option<Verdict>,
    pub certificate_expires_at: Option<Micros>,
    pub credential_expires_at: Option<Micros>,
    pub checked_at: Option<Micros>,
    /// Of the newest point of its history.
    pub noted_at: Option<Micros>,
    pub discover_at: Micros,
    /// When it was due.
    pub due_at: Micros,
}

/// The lanes are apart, so that those which do not answer take no room from those which do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    Answering,
    Silent,
}

/// Those that can be looked at; a cluster without what opens it is not.
fn due(lane: Lane, now: Micros) -> Sql {
    Sql::new(
        " FROM cluster_probes p JOIN clusters c ON c.id = p.cluster_id \
         LEFT JOIN cluster_credentials k ON k.cluster_id = c.id AND k.part = 'api' \
         WHERE c.removed_at IS NULL AND (c.transport = 'in_cluster' OR (c.transport = 'direct' AND k.id IS NOT NULL)) \
         AND p.next_at <= ",
    )
    .arg(now)
    .push(" AND (p.until IS NULL OR p.until <= ")
    .arg(now)
    .push(match lane {
        Lane::Answering => ") AND p.failures = 0",
        Lane::Silent => ") AND p.failures > 0",
    })
}

/// Asked on a reader, so that an idle console writes nothing.
pub async fn has_due(db: &Db, lane: Lane) -> Result<bool, StoreError> {
    let now = db.now().await?;
    let sql = Sql::new("SELECT p.cluster_id").append(due(lane, now)).push(" LIMIT 1");
    Ok(db.fetch_optional(sql).await?.is_some())
}

const COLUMNS: &str = "SELECT c.id, c.name, c.workspace_id, c.cluster_type, c.transport, c.prometheus_url, c.tempo_url, \
     c.loki_url, c.state, c.connectivity, c.health_score, c.api_server_healthy, c.prometheus_healthy, \
     c.tempo_healthy, c.loki_healthy, c.last_error_code, c.deductions, c.checked_at, c.certificate_expires_at, \
     k.expires_at AS credential_expires_at, p.failures, p.successes, p.flips, p.next_at, p.discover_at, \
     (SELECT MAX(h.at) FROM cluster_health h WHERE h.cluster_id = c.id) AS noted_at";

/// How long a cluster is somebody's, and when it is due again.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    pub lease: Duration,
    pub again: Duration,
}

/// Takes those that are due, the longest overdue first. The next look is set now: one that is never heard of again
/// costs one look.
pub async fn take(
    tx: &mut Tx,
    lane: Lane,
    limit: usize,
    owner: impl Fn() -> String,
    rhythm: impl Fn(ClusterType) -> Rhythm,
) -> Result<Vec<Target>, StoreError> {
    let now = tx.now().await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // The rows of the leases alone are locked: the joined ones cannot be.
    let ids = Sql::new(
        "SELECT q.cluster_id FROM cluster_probes q WHERE q.cluster_id IN (SELECT p.cluster_id",
    )
    .append(due(lane, now))
    .push(" ORDER BY p.next_at LIMIT ")
    .arg(limit)
    .push(") AND q.next_at <= ")
    .arg(now)
    .push(" AND (q.until IS NULL OR q.until <= ")
    .arg(now)
    .push(")")
    .push(tx.dialect().claim_lock());
    let found = tx.fetch_all(ids).await?;
    let ids: Result<Vec<String>, StoreError> =
        found.iter().map(|row| row.text("cluster_id")).collect();
    let ids = ids?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = Sql::new(COLUMNS)
        .push(
            " FROM cluster_probes p JOIN clusters c ON c.id = p.cluster_id \
             LEFT JOIN cluster_credentials k ON k.cluster_id = c.id AND k.part = 'api' WHERE p.cluster_id IN ",
        )
        .list(ids.iter().map(String::as_str));
    let rows = tx.fetch_all(sql).await?;
    let mut taken = Vec::new();
    for row in &rows {
        let target = target(row, owner())?;
        let rhythm = rhythm(target.kind);
        let sql = Sql::new("UPDATE cluster_probes SET owner = ")
            .arg(target.token.as_str())
            .push(", until = ")
            .arg(now.plus(micros(rhythm.lease)))
            .push(", next_at = ")
            .arg(now.plus(micros(rhythm.again)))
            .push(" WHERE cluster_id = ")
            .arg(target.id.as_str());
        tx.execute(sql).await?;
        taken.push(target);
    }
    Ok(taken)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn target(row: &Row, token: String) -> Result<Target, StoreError> {
    let past = Past {
        state: row.word("state")?,
        connectivity: row.word("connectivity")?,
        failures: row.i64("failures")?,
        successes: row.i64("successes")?,
        flips: json::<Vec<Micros>>(&row.text("flips")?, "flips")?,
    };
    Ok(Target {
        token,
        workspace_id: row.i64("workspace_id")?,
        kind: row.word("cluster_type")?,
        transport: row.word("transport")?,
        upstreams: [
            row.opt_text("prometheus_url")?,
            row.opt_text("tempo_url")?,
            row.opt_text("loki_url")?,
        ],
        shown: shown(row, &past)?,
        past,
        certificate_expires_at: row.opt_micros("certificate_expires_at")?,
        credential_expires_at: row.opt_micros("credential_expires_at")?,
        checked_at: row.opt_micros("checked_at")?,
        noted_at: row.opt_micros("noted_at")?,
        discover_at: row.micros("discover_at")?,
        due_at: row.micros("next_at")?,
        name: row.text("name")?,
        id: row.text("id")?,
    })
}

/// None while there is no score: it was never looked at.
fn shown(row: &Row, past: &Past) -> Result<Option<Verdict>, StoreError> {
    let Some(score) = row.opt_i64("health_score")? else { return Ok(None) };
    let flag = |column| Ok::<_, StoreError>(row.opt_i64(column)?.map(|value| value != 0));
    Ok(Some(Verdict {
        state: past.state,
        connectivity: past.connectivity,
        score,
        api: flag("api_server_healthy")?,
        upstreams: [flag("prometheus_healthy")?, flag("tempo_healthy")?, flag("loki_healthy")?],
        trouble: row.opt_text("last_error_code")?.and_then(|word| word.parse().ok()),
        deductions: json(&row.text("deductions")?, "deductions")?,
    }))
}

/// Lets go of clusters that were looked at and found as they were.
pub async fn release(tx: &mut Tx, tokens: &[String]) -> Result<(), StoreError> {
    if tokens.is_empty() {
        return Ok(());
    }
    let sql = Sql::new("UPDATE cluster_probes SET owner = NULL, until = NULL WHERE owner IN ")
        .list(tokens.iter().map(String::as_str));
    tx.execute(sql).await.map(|_| ())
}

/// What the next look goes on from. False when the cluster is not this token's any more: then nothing may be written.
pub async fn finish(tx: &mut Tx, target: &Target, past: &Past) -> Result<bool, StoreError> {
    let flips = serde_json::to_string(&past.flips).unwrap_or_else(|_| "[]".to_owned());
    let sql = Sql::new("UPDATE cluster_probes SET owner = NULL, until = NULL, failures = ")
        .arg(past.failures)
        .push(", successes = ")
        .arg(past.successes)
        .push(", flips = ")
        .arg(flips)
        .push(" WHERE cluster_id = ")
        .arg(target.id.as_str())
        .push(" AND owner = ")
        .arg(target.token.as_str());
    Ok(tx.execute(sql).await? > 0)
}

/// What a look found beside the verdict.
#[derive(Clone, Copy, Debug, Default)]
pub struct Noted<'a> {
    pub sentence: Option<&'a str>,
    pub certificate_expires_at: Option<Micros>,
    /// It answered.
    pub seen: bool,
}

/// The status as the verdict has it.
pub async fn show(
    tx: &mut Tx,
    target: &Target,
    verdict: &Verdict,
    noted: Noted<'_>,
) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let deductions = serde_json::to_string(&verdict.deductions).unwrap_or_else(|_| "[]".to_owned());
    let mut sql = Sql::new("UPDATE clusters SET state = ")
        .arg(verdict.state.as_str())
        .push(", connectivity = ")
        .arg(verdict.connectivity.as_str())
        .push(", health_score = ")
        .arg(verdict.score)
        .push(", api_server_healthy = ")
        .arg(verdict.api)
        .push(", prometheus_healthy = ")
        .arg(verdict.upstreams[0])
        .push(", tempo_healthy = ")
        .arg(verdict.upstreams[1])
        .push(", loki_healthy = ")
        .arg(verdict.upstreams[2])
        .push(", last_error_code = ")
        .arg(verdict.trouble.map(app::fleet::trouble::Trouble::as_str))
        .push(", last_error = ")
        .arg(noted.sentence)
        .push(", deductions = ")
        .arg(deductions)
        .push(", checked_at = ")
        .arg(now)
        .push(", certificate_expires_at = COALESCE(")
        .arg(noted.certificate_expires_at)
        .push(", certificate_expires_at)");
    if verdict.state != target.past.state {
        sql = sql.push(", state_since = ").arg(now);
    }
    if noted.seen {
        sql = sql.push(", last_seen_at = ").arg(now);
    }
    tx.execute(sql.push(" WHERE id = ").arg(target.id.as_str())).await.map(|_| ())
}

/// A point of the history.
pub async fn note(
    tx: &mut Tx,
    cluster_id: &str,
    verdict: &Verdict,
    latency: Option<Duration>,
) -> Result<(), StoreError> {
    let now = tx.now().await?;
    let deductions = serde_json::to_string(&verdict.deductions).unwrap_or_else(|_| "[]".to_owned());
    let sql = Sql::new(
        "INSERT INTO cluster_health (cluster_id, at, state, health_score, latency_us, deductions) VALUES (",
    )
    .arg(cluster_id)
    .push(", ")
    .arg(now)
    .push(", ")
    .arg(verdict.state.as_str())
    .push(", ")
    .arg(verdict.score)
    .push(", ")
    .arg(latency.map(micros))
    .push(", ")
    .arg(deductions)
    .push(") ON CONFLICT DO NOTHING");
    tx.execute(sql).await.map(|_| ())
}

/// Discovery was asked for as of `seen`; somebody who asked again since is asked for again.
pub async fn discovery_queued(
    tx: &mut Tx,
    cluster_id: &str,
    seen: Micros,
    next: Micros,
) -> Result<(), StoreError> {
    let sql = Sql::new("UPDATE cluster_probes SET discover_at = ")
        .arg(next)
        .push(" WHERE cluster_id = ")
        .arg(cluster_id)
        .push(" AND discover_at = ")
        .arg(seen);
    tx.execute(sql).await.map(|_| ())
}

/// The history from `since` on, oldest first, and the newest point before it.
pub async fn history(
    db: &Db,
    cluster_id: &str,
    since: Micros,
) -> Result<Vec<HealthPoint>, StoreError> {
    let sql = Sql::new(
        "SELECT at, state, health_score, latency_us FROM cluster_health WHERE cluster_id = ",
    )
    .arg(cluster_id)
    .push(" AND at >= ")
    .arg(since)
    .push(" ORDER BY at");
    let rows = db.fetch_all(sql).await?;
    rows.iter()
        .map(|row| {
            Ok(HealthPoint {
                at: row.micros("at")?,
                state: row.word::<ClusterState>("state")?,
                health_score: row.opt_i64("health_score")?,
                latency_us: row.opt_i64("latency_us")?,
            })
        })
        .collect()
}

pub async fn count_old(db: &Db, before: Micros, limit: i64) -> Result<i64, StoreError> {
    let sql = Sql::new("SELECT COUNT(*) AS n FROM (SELECT at FROM cluster_health WHERE at < ")
        .arg(before)
        .push(" LIMIT ")
        .arg(limit)
        .push(") AS gone");
    db.fetch_one(sql).await?.i64("n")
}

/// One batch; how many points went.
pub async fn prune(db: &Db, before: Micros) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let sql = Sql::new(
        "DELETE FROM cluster_health WHERE (cluster_id, at) IN \
         (SELECT cluster_id, at FROM cluster_health WHERE at < ",
    )
    .arg(before)
    .push(" LIMIT ")
    .arg(ROWS)
    .push(")");
    let gone = tx.execute(sql).await?;
    tx.commit(Vec::new()).await?;
    Ok(gone)
}

impl Target {
    /// Where one upstream answers, if one is configured.
    pub fn url(&self, upstream: Upstream) -> Option<&str> {
        self.upstreams[upstream as usize].as_deref()
    }
}

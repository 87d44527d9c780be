//! Runs for benchmarks and for measuring plans: many, like real ones, and quickly. Not part of the product.
//!
//! The rows come from arithmetic on their number, so that two databases of one size hold the same, and the
//! database writes them by itself: a million take a minute, not ten.

use crate::store::{Db, Sql, StoreError};

/// Workspaces, the built-in one among them.
pub const WORKSPACES: i64 = 20;
/// Tenants of each of them.
const TENANTS: i64 = 3;
/// Rows of one statement; a writer waits no longer than that.
const BATCH: i64 = 10_000;
/// Between two runs: 90 days hold a million.
const GAP_MICROS: i64 = 7_776_000;

/// A word that stands in one run of all.
pub const NEEDLE: &str = "needle-in-the-hay";

/// Adds `count` runs that ended by now, the newest of them queued for types that no worker knows.
pub async fn runs(db: &Db, count: i64) -> Result<(), StoreError> {
    places(db).await?;
    let row =
        db.fetch_one(Sql::new("SELECT COALESCE(MAX(id), 0) AS last FROM operation_runs")).await?;
    let first = row.i64("last")? + 1;
    let end = first + count;
    let now = db.now().await?.0;
    let mut from = first;
    while from < end {
        let to = (from + BATCH).min(end);
        let mut tx = db.begin().await?;
        tx.execute(batch(from, to, end, now)).await?;
        tx.commit(Vec::new()).await?;
        from = to;
    }
    let mut tx = db.begin().await?;
    tx.execute(
        Sql::new("UPDATE operation_runs SET target_label = ")
            .arg(NEEDLE)
            .push(", search_text = search_text || ")
            .arg(format!("\n{NEEDLE}"))
            .push(" WHERE id = ")
            .arg(first + count / 3),
    )
    .await?;
    tx.execute(Sql::new(CAUSES)).await?;
    tx.commit(Vec::new()).await?;
    db.optimize().await
}

/// What the ends of the failed ones would have counted.
const CAUSES: &str = "INSERT INTO operation_failure_groups (workspace_id, fingerprint, type, code, \
    summary, failures, first_seen, last_seen, last_run_id) SELECT workspace_id, error_fingerprint, \
    MIN(type), 'seeded', MAX(error_summary), COUNT(*), MIN(completed_at), MAX(completed_at), MAX(id) \
    FROM operation_runs WHERE error_fingerprint IS NOT NULL AND outcome = 'failed' \
    GROUP BY workspace_id, error_fingerprint ON CONFLICT DO NOTHING";

async fn places(db: &Db) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    for workspace in 2..=WORKSPACES {
        let sql = Sql::new("INSERT INTO workspaces (id, name, created_at) VALUES (")
            .arg(workspace)
            .push(", ")
            .arg(format!("team-{workspace}"))
            .push(", 0) ON CONFLICT DO NOTHING");
        tx.execute(sql).await?;
    }
    for tenant in 1..=WORKSPACES * TENANTS {
        let sql = Sql::new("INSERT INTO tenants (id, workspace_id, name, created_at) VALUES (")
            .arg(tenant)
            .push(", ")
            .arg((tenant - 1) / TENANTS + 1)
            .push(", ")
            .arg(format!("tenant-{tenant}"))
            .push(", 0) ON CONFLICT DO NOTHING");
        tx.execute(sql).await?;
    }
    tx.commit(Vec::new()).await
}

/// The runs `from..to`. Numbers are spread by multiplying with a prime and taking the upper digits, so that one
/// column says nothing of another.
fn batch(from: i64, to: i64, end: i64, now: i64) -> Sql {
    Sql::new("WITH RECURSIVE n (i) AS (SELECT CAST(")
        .arg(from)
        .push(" AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < ")
        .arg(to - 1)
        .push("), d AS (SELECT i, (i * 2654435761 / 1000) % 1000 AS a, (i * 40503001 / 100) % 1000 AS b, \
               (i * 97654321 / 1000) % 1000 AS c, (i * 31415927 / 100) % 1000 AS e, CAST(")
        .arg(now - end * GAP_MICROS)
        .push(" AS BIGINT) + i * ")
        .arg(GAP_MICROS)
        .push(" AS at, CASE WHEN i >= ")
        .arg(end - 20)
        .push(SELECTED)
}

/// Twelve types, 20 workspaces of 3 tenants, 50 people and the schedules, 8 % failed with 40 causes.
const SELECTED: &str = " THEN 1 ELSE 0 END AS waits FROM n), \
    r AS (SELECT i, a, b, c, e, at, waits, b % 20 + 1 AS workspace, \
        CASE WHEN waits = 0 AND e < 80 THEN 1 ELSE 0 END AS failed, \
        CASE a % 12 WHEN 0 THEN 'system.self_check' WHEN 1 THEN 'fleet.refresh' WHEN 2 THEN 'fleet.discover' \
            WHEN 3 THEN 'agents.token_refresh' WHEN 4 THEN 'agents.prompt' WHEN 5 THEN 'reports.generate' \
            WHEN 6 THEN 'credentials.rotate' WHEN 7 THEN 'system.prune' WHEN 8 THEN 'audit.verify' \
            WHEN 9 THEN 'debug.collect' WHEN 10 THEN 'gpu.inventory' ELSE 'observe.sync' END AS type, \
        CASE WHEN c < 400 THEN 'Schedule' ELSE 'user-' || CAST(c % 50 AS TEXT) END AS initiator FROM d), \
    s AS (SELECT r.*, 'cluster:edge-' || CAST((c * 7 + b) % 300 AS TEXT) AS target, \
        CASE WHEN failed = 1 THEN 'step ' || CAST(b % 5 AS TEXT) || ': pod web-' || CAST(i % 9973 AS TEXT) \
            || CASE c % 8 WHEN 0 THEN ' was not ready in time' WHEN 1 THEN ' refused the connection' \
                WHEN 2 THEN ' answered 401 Unauthorized' WHEN 3 THEN ' was evicted: node out of memory' \
                WHEN 4 THEN ' has no image to pull' WHEN 5 THEN ' lost its volume' \
                WHEN 6 THEN ' exceeded its deadline' ELSE ' is gone' END END AS error FROM r) \
    INSERT INTO operation_runs (workspace_id, tenant_id, type, status, outcome, initiator_kind, initiator_id, \
        initiator_name, target, target_label, queue, priority, input, context, scheduled_at, attempt, \
        error_fingerprint, error_summary, search_text, created_at, started_at, completed_at) \
    SELECT workspace, CASE WHEN a % 2 = 0 THEN (workspace - 1) * 3 + c % 3 + 1 END, type, \
        CASE waits WHEN 1 THEN 'queued' ELSE 'completed' END, \
        CASE WHEN waits = 1 THEN 'pending' WHEN failed = 1 THEN 'failed' ELSE 'succeeded' END, \
        CASE WHEN c < 400 THEN 'schedule' ELSE 'user' END, initiator, initiator, target, \
        'Edge ' || CAST((c * 7 + b) % 300 AS TEXT), 'seeded', 0, '{\"scope\":\"full\",\"dry_run\":false}', '{}', at, 1, \
        CASE WHEN failed = 1 THEN 'cause-' || CAST(b % 5 AS TEXT) || '-' || CAST(c % 8 AS TEXT) END, error, \
        LOWER(target || '\n' || initiator || COALESCE('\n' || error, '')), at, \
        CASE waits WHEN 0 THEN at + 40000 END, CASE waits WHEN 0 THEN at + 40000 + a * 9000 END FROM s";

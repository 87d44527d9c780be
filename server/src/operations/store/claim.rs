//! Taking a run from the queue: the candidate, its slots, its lease, and what an earlier attempt left.

use std::time::Duration;

use app::time::Micros;
use serde_json::Value;

use super::{
    super::{
        measures::waited,
        run::{Facts, Initiator},
        spec::{Catalog, Spec},
        timing,
    },
    publish, read_json,
    work::{Lease, StepRow},
};
use crate::store::{self, Db, Dialect, Row, Sql, StoreError, Tx};

/// A run, taken.
pub struct Claimed {
    pub lease: Lease,
    /// When it was asked for, by this process's monotonic clock.
    pub asked_at: Duration,
    pub facts: Facts,
    pub input: Value,
    pub input_version: i64,
    pub queue: String,
    /// Microseconds from the time that it was due, or went back into the queue.
    pub waited: i64,
    /// What an earlier attempt did.
    pub steps: Vec<StepRow>,
    pub lines: i64,
}

/// What one look at the queue gave.
pub enum Claim {
    Taken(Box<Claimed>),
    /// One of the run's limits is taken; look past it.
    Blocked(Full),
    Empty,
}

/// What has no room at the moment.
#[derive(Clone, Debug)]
pub enum Full {
    Type(String),
    Target { kind: String, target: String },
}

/// Who claims, and what it leaves aside.
pub struct Claimant<'a> {
    pub owner: &'a str,
    pub token: String,
    pub queues: &'a [String],
    pub catalog: &'a Catalog,
    pub full: &'a [Full],
}

/// Whether a claim could find anything: asked on a reader, so that an idle console writes nothing.
pub async fn has_due(db: &Db, queues: &[String], now: Micros) -> Result<bool, StoreError> {
    let sql = due(Sql::new("SELECT id FROM operation_runs"), queues, now).push(" LIMIT 1");
    Ok(db.fetch_optional(sql).await?.is_some())
}

/// A run that nobody scheduled is due whatever the clock says: it may have been set back since.
fn due(select: Sql, queues: &[String], now: Micros) -> Sql {
    select
        .push(" WHERE status = 'queued' AND (scheduled_at <= ")
        .arg(now)
        .push(" OR scheduled_at = created_at) AND queue IN ")
        .list(queues)
}

/// Takes the most urgent run that is due, with its slots, its lease and its step book; one candidate per
/// transaction, so that slots are always locked in the same order: type, then target.
pub async fn claim(db: &Db, who: Claimant<'_>) -> Result<Claim, StoreError> {
    let asked_at = db.clock().monotonic();
    let mut tx = db.begin().await?;
    let now = tx.now().await?;
    let Some(row) = tx.fetch_optional(candidate(db.dialect(), &who, now)).await? else {
        return Ok(Claim::Empty);
    };
    let facts = facts(&row)?;
    let Some(entry) = who.catalog.find(&facts.kind) else { return Ok(Claim::Empty) };
    if let Some(full) = take_slots(&mut tx, &entry.spec, &facts).await? {
        return Ok(Claim::Blocked(full));
    }
    tx.execute(
        Sql::new("UPDATE operation_runs SET status = 'running', attempt = ")
            .arg(facts.attempt)
            .push(", started_at = COALESCE(started_at, ")
            .arg(now)
            .push(") WHERE id = ")
            .arg(facts.id),
    )
    .await?;
    tx.execute(
        Sql::new(
            "INSERT INTO operation_leases (run_id, owner, token, acquired_at, expires_at) VALUES ",
        )
        .list([
            store::Value::from(facts.id),
            who.owner.into(),
            who.token.as_str().into(),
            now.into(),
            now.plus(timing::micros(timing::LEASE)).into(),
        ]),
    )
    .await?;
    let lease = Lease { run_id: facts.id, workspace_id: facts.workspace_id, token: who.token };
    let (steps, lines) = if facts.attempt == 1 {
        (Vec::new(), 0)
    } else {
        (steps(&mut tx, facts.id).await?, lines(&mut tx, facts.id).await?)
    };
    let claimed = Claimed {
        asked_at,
        input: read_json(&row, "input")?,
        input_version: row.i64("input_version")?,
        queue: row.text("queue")?,
        waited: waited(now, row.micros("scheduled_at")?, row.opt_micros("queued_at")?),
        steps,
        lines,
        lease,
        facts,
    };
    publish(&mut tx, claimed.lease.run_id, claimed.lease.workspace_id).await?;
    tx.commit(Vec::new()).await?;
    Ok(Claim::Taken(Box::new(claimed)))
}

fn candidate(dialect: Dialect, who: &Claimant<'_>, now: Micros) -> Sql {
    let is_full = |kind: &str| who.full.iter().any(|f| matches!(f, Full::Type(t) if t == kind));
    let select = Sql::new(
        "SELECT id, workspace_id, tenant_id, type, target, attempt, initiator_kind, \
         initiator_id, initiator_name, input, input_version, queue, scheduled_at, queued_at FROM operation_runs",
    );
    let mut sql = due(select, who.queues, now)
        .push(" AND type IN ")
        .list(who.catalog.kinds().filter(|kind| !is_full(kind)));
    for full in who.full {
        if let Full::Target { kind, target } = full {
            sql = sql
                .push(" AND (target IS NULL OR target <> ")
                .arg(target)
                .push(" OR type <> ")
                .arg(kind)
                .push(")");
        }
    }
    sql.push(" ORDER BY priority DESC, scheduled_at, id LIMIT 1").push(dialect.claim_lock())
}

fn facts(row: &Row) -> Result<Facts, StoreError> {
    Ok(Facts {
        id: row.i64("id")?,
        workspace_id: row.i64("workspace_id")?,
        tenant_id: row.opt_i64("tenant_id")?,
        kind: row.text("type")?,
        target: row.opt_text("target")?,
        attempt: row.i64("attempt")? + 1,
        initiator: Initiator {
            kind: row.text("initiator_kind")?,
            id: row.opt_text("initiator_id")?,
            name: row.opt_text("initiator_name")?,
        },
    })
}

/// Takes one slot of each limit, or says which is full.
async fn take_slots(tx: &mut Tx, spec: &Spec, facts: &Facts) -> Result<Option<Full>, StoreError> {
    if let Some(limit) = spec.limits.per_type {
        let key = format!("type:{}", facts.kind);
        if !take_slot(tx, &key, limit, facts.id).await? {
            return Ok(Some(Full::Type(facts.kind.clone())));
        }
    }
    if let (Some(limit), Some(target)) = (spec.limits.per_target, &facts.target) {
        let key = format!("target:{}:{target}", facts.kind);
        if !take_slot(tx, &key, limit, facts.id).await? {
            let (kind, target) = (facts.kind.clone(), target.clone());
            return Ok(Some(Full::Target { kind, target }));
        }
    }
    Ok(None)
}

async fn take_slot(tx: &mut Tx, key: &str, limit: u32, run_id: i64) -> Result<bool, StoreError> {
    let taken = tx
        .fetch_all(Sql::new("SELECT slot FROM operation_slots WHERE limit_key = ").arg(key))
        .await?;
    let taken: Vec<i64> = taken.iter().map(|row| row.i64("slot")).collect::<Result<_, _>>()?;
    for slot in (0..i64::from(limit)).filter(|slot| !taken.contains(slot)) {
        let sql = Sql::new("INSERT INTO operation_slots (limit_key, slot, run_id) VALUES ")
            .list([store::Value::from(key), slot.into(), run_id.into()])
            .push(" ON CONFLICT (limit_key, slot) DO NOTHING");
        if tx.execute(sql).await? == 1 {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn steps(tx: &mut Tx, run_id: i64) -> Result<Vec<StepRow>, StoreError> {
    let sql = Sql::new(
        "SELECT position, name, status, detail, result FROM operation_steps WHERE run_id = ",
    )
    .arg(run_id);
    let rows = tx.fetch_all(sql).await?;
    let read = |row: &Row| {
        Ok(StepRow {
            position: row.i64("position")?,
            name: row.text("name")?,
            status: row.word("status")?,
            detail: row.opt_text("detail")?,
            result: row.opt_text("result")?,
        })
    };
    rows.iter().map(read).collect()
}

async fn lines(tx: &mut Tx, run_id: i64) -> Result<i64, StoreError> {
    let sql = Sql::new("SELECT COALESCE(MAX(seq), 0) AS lines FROM operation_logs WHERE run_id = ")
        .arg(run_id);
    tx.fetch_one(sql).await?.i64("lines")
}

//! All SQL of this domain: here what people read and start, below it what workers do.
//!
//! Lists find their ids in [`crate::store::list`]; what a page shows is then read for those ids alone, with the
//! names of workspace and tenant joined, so that a page is three statements however long it is.

pub mod active;
pub mod choices;
pub mod claim;
pub mod ending;
pub mod follow;
pub mod gauges;
pub mod groups;
mod insert;
pub mod lapse;
pub mod lineage;
pub mod open_work;
pub mod presence;
pub mod processes;
pub mod prune;
pub mod runbooks;
pub mod saved_views;
pub mod schedules;
pub mod since;
pub mod triage;
pub mod work;

pub use self::insert::{Key, NewRun, Parent, find_by_key, insert};

use app::{
    error::ApiError,
    events::{OPERATION_LOGS, OPERATIONS},
    identity::{Capability, Reach},
    operations::model::{FILTERS, LastRun, Named, OperationRun, Step},
    time::Micros,
};
use serde_json::{Value, json};

use super::spec::Catalog;
use crate::{
    journal::events::{News, publish as publish_news},
    store::{
        Db, Row, Searchable, Sql, StoreError, Tx,
        list::{Implied, Table},
    },
};

/// What the generic list needs to know of our table.
pub const RUNS: Table = Table {
    from: "operation_runs r",
    id: "r.id",
    filters: FILTERS,
    workspace: "r.workspace_id",
    created: "r.created_at",
    facets: "operation_runs_facets",
    search: Some(Searchable {
        table: "operation_runs r",
        column: "r.search_text",
        id: "r.id",
        index: "operation_search",
    }),
    implied: &[ended("succeeded"), ended("failed")],
};

/// Only what has ended has such an outcome.
const fn ended(outcome: &'static str) -> Implied {
    Implied { column: "outcome", value: outcome, implied: ("status", "completed") }
}

const COLUMNS: &str = "SELECT r.id, r.workspace_id, w.name AS workspace_name, r.tenant_id, \
    t.name AS tenant_name, r.type, r.status, r.outcome, r.initiator_kind, r.initiator_id, \
    r.initiator_name, r.target, r.target_label, r.queue, r.priority, r.attempt, r.error_summary, \
    r.error_fingerprint, r.input, r.context, r.retry_of_run_id, r.cancel_requested_at, \
    r.cancel_requested_by, r.investigated_at, r.investigated_by, r.investigated_reason, \
    r.scheduled_at, r.queued_at, r.created_at, r.started_at, r.completed_at, r.open_work, \
    r.superseded_by_run_id, l.run_id AS lease_run_id, l.owner AS lease_owner, \
    l.acquired_at AS lease_acquired_at, l.heartbeat_at AS lease_heartbeat_at, \
    l.expires_at AS lease_expires_at, l.progress AS lease_progress FROM operation_runs r \
    JOIN workspaces w ON w.id = r.workspace_id LEFT JOIN tenants t ON t.id = r.tenant_id \
    LEFT JOIN operation_leases l ON l.run_id = r.id WHERE ";

/// A run as it stands in the store, with what tells whether it moves.
pub struct Standing {
    pub run: OperationRun,
    /// When it was due, or went back into the queue if that was later.
    pub waits_since: Micros,
    pub cancel_requested_at: Option<Micros>,
    pub lease: Option<HeldLease>,
}

/// Who works on a run, for those who read.
#[derive(Clone, Debug)]
pub struct HeldLease {
    pub owner: String,
    pub acquired_at: Micros,
    pub heartbeat_at: Option<Micros>,
    pub expires_at: Micros,
}

/// The runs with these ids, newest first.
pub async fn read(db: &Db, catalog: &Catalog, ids: &[i64]) -> Result<Vec<Standing>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql =
        Sql::new(COLUMNS).push("r.id IN ").list(ids.iter().copied()).push(" ORDER BY r.id DESC");
    db.fetch_all(sql).await?.iter().map(|row| standing(catalog, row)).collect()
}

/// One run, if it is within reach.
pub async fn find(
    db: &Db,
    catalog: &Catalog,
    reach: &Reach,
    id: i64,
) -> Result<Option<Standing>, StoreError> {
    let sql = within(Sql::new(COLUMNS).push("r.id = ").arg(id), reach);
    db.fetch_optional(sql).await?.map(|row| standing(catalog, &row)).transpose()
}

fn within(sql: Sql, reach: &Reach) -> Sql {
    match reach {
        Reach::Everything => sql,
        Reach::Workspaces(ids) => sql.push(" AND r.workspace_id IN ").list(ids.iter().copied()),
    }
}

pub async fn steps(db: &Db, run_id: i64) -> Result<Vec<Step>, StoreError> {
    let sql = Sql::new(
        "SELECT position, name, label, status, detail, started_at, completed_at \
         FROM operation_steps WHERE run_id = ",
    )
    .arg(run_id)
    .push(" ORDER BY position");
    let read = |row: &Row| {
        Ok(Step {
            position: row.i64("position")?,
            name: row.text("name")?,
            label: row.text("label")?,
            status: row.word("status")?,
            detail: row.opt_text("detail")?,
            started_at: row.opt_micros("started_at")?,
            completed_at: row.opt_micros("completed_at")?,
        })
    };
    db.fetch_all(sql).await?.iter().map(read).collect()
}

fn standing(catalog: &Catalog, row: &Row) -> Result<Standing, StoreError> {
    let run = run(catalog, row)?;
    let waits_since = run.scheduled_at.max(row.opt_micros("queued_at")?.unwrap_or(Micros(0)));
    let lease = match row.opt_i64("lease_run_id")? {
        None => None,
        Some(_) => Some(HeldLease {
            owner: row.text("lease_owner")?,
            acquired_at: row.micros("lease_acquired_at")?,
            heartbeat_at: row.opt_micros("lease_heartbeat_at")?,
            expires_at: row.micros("lease_expires_at")?,
        }),
    };
    let cancel_requested_at = row.opt_micros("cancel_requested_at")?;
    Ok(Standing { run, waits_since, cancel_requested_at, lease })
}

fn run(catalog: &Catalog, row: &Row) -> Result<OperationRun, StoreError> {
    let kind = row.text("type")?;
    let (workspace_id, tenant_id) = (row.i64("workspace_id")?, row.opt_i64("tenant_id")?);
    let tenant = tenant_id.zip(row.opt_text("tenant_name")?);
    Ok(OperationRun {
        id: row.i64("id")?,
        workspace_id,
        tenant_id,
        workspace: Named { id: workspace_id, name: row.text("workspace_name")? },
        tenant: tenant.map(|(id, name)| Named { id, name }),
        type_label: catalog.label(&kind).to_owned(),
        input: shown_input(catalog, &kind, read_json(row, "input")?),
        kind,
        status: row.word("status")?,
        outcome: row.word("outcome")?,
        initiator_kind: row.text("initiator_kind")?,
        initiator_id: row.opt_text("initiator_id")?,
        initiator_name: row.opt_text("initiator_name")?,
        target: row.opt_text("target")?,
        target_label: row.opt_text("target_label")?,
        queue: row.text("queue")?,
        priority: row.i64("priority")?,
        attempt: row.i64("attempt")?,
        error_summary: row.opt_text("error_summary")?,
        error_fingerprint: row.opt_text("error_fingerprint")?,
        // Decided by `stuck`, which knows budgets and workers.
        stuck_class: None,
        progress: row.opt_text("lease_progress")?.and_then(|progress| progress.parse().ok()),
        retry_of_run_id: row.opt_i64("retry_of_run_id")?,
        superseded_by_run_id: row.opt_i64("superseded_by_run_id")?,
        cancelled: row.opt_micros("cancel_requested_at")?.is_some(),
        open_work: row.i64("open_work")? == 1,
        context: context(row)?,
        scheduled_at: row.micros("scheduled_at")?,
        created_at: row.micros("created_at")?,
        started_at: row.opt_micros("started_at")?,
        completed_at: row.opt_micros("completed_at")?,
    })
}

/// The input without the values that its type calls secret.
fn shown_input(catalog: &Catalog, kind: &str, mut input: Value) -> Value {
    let secrets = catalog.find(kind).map_or(&[][..], |entry| entry.spec.secrets);
    for field in secrets {
        if let Some(value) = input.get_mut(field) {
            *value = Value::from("‹hidden›");
        }
    }
    input
}

/// The type's own facts, and triage in the shape of seed 003.
fn context(row: &Row) -> Result<Value, StoreError> {
    let mut context = read_json(row, "context")?;
    let mut triage = serde_json::Map::new();
    if let Some(parent) = row.opt_i64("retry_of_run_id")? {
        triage.insert("retry_of_run_id".to_owned(), json!(parent));
    }
    if let Some(at) = row.opt_micros("cancel_requested_at")? {
        let by = row.opt_text("cancel_requested_by")?;
        triage.insert("cancelled".to_owned(), json!({"by": by, "at": at}));
    }
    if let Some(at) = row.opt_micros("investigated_at")? {
        let (by, reason) = (row.opt_text("investigated_by")?, row.opt_text("investigated_reason")?);
        triage.insert("investigated".to_owned(), json!({"reason": reason, "by": by, "at": at}));
    }
    if let (false, Some(context)) = (triage.is_empty(), context.as_object_mut()) {
        context.insert("triage".to_owned(), Value::Object(triage));
    }
    Ok(context)
}

fn read_json(row: &Row, column: &'static str) -> Result<Value, StoreError> {
    serde_json::from_str(&row.text(column)?)
        .map_err(|error| StoreError::Column { column, reason: format!("is not JSON: {error}") })
}

/// How many runs of a type its runbook looks back on.
const RECENT: i64 = 30;

/// The newest runs of each type within reach, newest first. A narrow reach looks through a type's newest 1 000
/// runs only, so that a type which this reach never saw costs no walk through all of them.
pub async fn recent_runs(
    db: &Db,
    kinds: &[&'static str],
    reach: &Reach,
) -> Result<Vec<(String, LastRun)>, StoreError> {
    let mut sql = Sql::default();
    for (n, kind) in kinds.iter().enumerate() {
        let look = if *reach == Reach::Everything { RECENT } else { 1_000 };
        let newest = Sql::new(if n == 0 { "" } else { " UNION ALL " })
            .push("SELECT * FROM (SELECT id, type, status, outcome, created_at, started_at, completed_at FROM (SELECT id, type, status, outcome, created_at, started_at, completed_at, workspace_id FROM operation_runs WHERE type = ")
            .arg(*kind)
            .push(" ORDER BY id DESC LIMIT ")
            .arg(look)
            .push(") r WHERE 1 = 1");
        sql = sql
            .append(within(newest, reach))
            .push(" ORDER BY id DESC LIMIT ")
            .arg(RECENT)
            .push(") recent");
    }
    if kinds.is_empty() {
        return Ok(Vec::new());
    }
    let read = |row: &Row| {
        let run = LastRun {
            id: row.i64("id")?,
            status: row.word("status")?,
            outcome: row.word("outcome")?,
            created_at: row.micros("created_at")?,
            started_at: row.opt_micros("started_at")?,
            completed_at: row.opt_micros("completed_at")?,
        };
        Ok((row.text("type")?, run))
    };
    let rows = db.fetch_all(sql).await?;
    let mut runs = rows.iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
    // Parts of a UNION come in no promised order.
    runs.sort_by_key(|(_, run)| std::cmp::Reverse(run.id));
    Ok(runs)
}

/// Where a run is to belong.
pub struct Place {
    pub archived: bool,
}

pub async fn find_workspace(db: &Db, id: i64) -> Result<Option<Place>, StoreError> {
    let sql = Sql::new("SELECT archived_at FROM workspaces WHERE id = ").arg(id);
    db.fetch_optional(sql).await?.map(|row| place(&row)).transpose()
}

pub async fn find_tenant(db: &Db, workspace_id: i64, id: i64) -> Result<Option<Place>, StoreError> {
    let sql = Sql::new("SELECT archived_at FROM tenants WHERE id = ")
        .arg(id)
        .push(" AND workspace_id = ")
        .arg(workspace_id);
    db.fetch_optional(sql).await?.map(|row| place(&row)).transpose()
}

fn place(row: &Row) -> Result<Place, StoreError> {
    Ok(Place { archived: row.opt_micros("archived_at")?.is_some() })
}

/// Whether a line stands in a run's log, asked on a reader.
pub async fn has_line(db: &Db, run_id: i64, line: &str) -> Result<bool, StoreError> {
    let sql = Sql::new("SELECT seq FROM operation_logs WHERE run_id = ")
        .arg(run_id)
        .push(" AND line = ")
        .arg(line)
        .push(" LIMIT 1");
    Ok(db.fetch_optional(sql).await?.is_some())
}

/// News of a run, in the transaction that changed it.
async fn publish(tx: &mut Tx, run_id: i64, workspace_id: i64) -> Result<(), StoreError> {
    publish_news(tx, news(OPERATIONS, run_id, workspace_id)).await
}

/// News of a run's log: for those who follow it, not for lists.
async fn publish_lines(tx: &mut Tx, run_id: i64, workspace_id: i64) -> Result<(), StoreError> {
    publish_news(tx, news(OPERATION_LOGS, run_id, workspace_id)).await
}

fn news(topic: &'static str, run_id: i64, workspace_id: i64) -> News {
    News {
        topic,
        kind: "OPERATION_UPDATED",
        id: run_id.to_string(),
        capability: Capability::OperationsView,
        workspace_id,
    }
}

/// What the domain answers when the store could not.
pub fn refused(error: StoreError) -> ApiError {
    tracing::error!(%error, "The store could not answer for operations.");
    error.into()
}

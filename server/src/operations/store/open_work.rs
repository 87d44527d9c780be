//! What is open: failures that nobody has dealt with, by cause, and runs that may be stuck. Each look is bounded.

use app::{
    home::model::{EXPIRES_AFTER, FailedToday},
    identity::Reach,
    time::Micros,
};

use super::within;
use crate::store::{Db, Row, Sql, StoreError};

/// Failures that one look counts.
const COUNTED: i64 = 10_000;
/// Causes that one look shows.
const ROWS: u32 = 100;
/// Active runs that one look judges: so many that run, and so many that wait.
const JUDGED: u32 = 500;
/// Of a cause's failures, so many are asked whether anybody looked into them.
const MARKS_LOOK: i64 = 1_000;
/// What left the list: so many are looked at, and so many shown.
const CLOSED_LOOK: i64 = 1_000;
const CLOSED: i64 = 8;

/// Open failures of one cause in one workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub workspace_id: i64,
    /// None when the run ended without one, and is a cause of its own with the others of its type.
    pub fingerprint: Option<String>,
    pub count: i64,
    pub since: Micros,
    pub last_at: Micros,
    pub newest: i64,
}

/// The causes that are open longest. Also says whether there are more than these.
pub async fn causes(db: &Db, reach: &Reach, now: Micros) -> Result<(Vec<Cause>, bool), StoreError> {
    let open = Sql::new(
        "SELECT r.id, r.workspace_id, r.type, COALESCE(r.error_fingerprint, '') AS fingerprint, \
         r.completed_at FROM operation_runs r WHERE r.open_work = 1 AND r.cancel_requested_at IS NULL",
    );
    let sql = Sql::new(
        "SELECT workspace_id, type, fingerprint, COUNT(*) AS failures, MIN(completed_at) AS since, \
         MAX(completed_at) AS last_at, MAX(id) AS newest FROM (",
    )
    .append(within(open, reach))
    .push(" ORDER BY r.id DESC LIMIT ")
    .arg(COUNTED)
    .push(") open_runs WHERE completed_at > ")
    .arg(now.plus(-EXPIRES_AFTER))
    .push(" GROUP BY workspace_id, type, fingerprint ORDER BY MIN(completed_at), MAX(id) LIMIT ")
    .arg(ROWS + 1);
    let read = |row: &Row| {
        Ok(Cause {
            workspace_id: row.i64("workspace_id")?,
            fingerprint: Some(row.text("fingerprint")?).filter(|text| !text.is_empty()),
            count: row.i64("failures")?,
            since: row.micros("since")?,
            last_at: row.micros("last_at")?,
            newest: row.i64("newest")?,
        })
    };
    let rows = db.fetch_all(sql).await?;
    let mut causes = rows.iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
    let more = causes.len() > ROWS as usize;
    causes.truncate(ROWS as usize);
    Ok((causes, more))
}

/// That somebody looked into a failure of a cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub workspace_id: i64,
    pub fingerprint: String,
    pub run_id: i64,
    pub by: Option<String>,
    pub at: Micros,
}

/// The newest mark of each cause, if any stands on one of its newest failures.
pub async fn marks(db: &Db, causes: &[Cause]) -> Result<Vec<Mark>, StoreError> {
    let mut sql = Sql::default();
    let mut asked = false;
    for cause in causes {
        let Some(fingerprint) = cause.fingerprint.as_deref() else { continue };
        sql = sql
            .push(if asked { " UNION ALL " } else { "" })
            .push(
                "SELECT * FROM (SELECT id, workspace_id, error_fingerprint, investigated_at, \
                 investigated_by FROM (SELECT id, workspace_id, error_fingerprint, investigated_at, \
                 investigated_by FROM operation_runs WHERE error_fingerprint = ",
            )
            .arg(fingerprint)
            .push(" ORDER BY id DESC LIMIT ")
            .arg(MARKS_LOOK)
            .push(") newest WHERE investigated_at IS NOT NULL AND workspace_id = ")
            .arg(cause.workspace_id)
            .push(" AND investigated_at <= ")
            .arg(cause.last_at)
            .push(" ORDER BY investigated_at DESC LIMIT 1) marked");
        asked = true;
    }
    if !asked {
        return Ok(Vec::new());
    }
    let read = |row: &Row| {
        Ok(Mark {
            workspace_id: row.i64("workspace_id")?,
            fingerprint: row.text("error_fingerprint")?,
            run_id: row.i64("id")?,
            by: row.opt_text("investigated_by")?,
            at: row.micros("investigated_at")?,
        })
    };
    db.fetch_all(sql).await?.iter().map(read).collect()
}

/// At which step each of these runs stopped.
pub async fn stopped_at(db: &Db, ids: &[i64]) -> Result<Vec<(i64, String)>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = Sql::new(
        "SELECT run_id, label FROM operation_steps WHERE status = 'failed' AND run_id IN ",
    )
    .list(ids.iter().copied())
    .push(" ORDER BY run_id, position");
    let read = |row: &Row| Ok((row.i64("run_id")?, row.text("label")?));
    db.fetch_all(sql).await?.iter().map(read).collect()
}

/// Retries of these runs that have not ended: the run, and its retry.
pub async fn under_way(db: &Db, ids: &[i64]) -> Result<Vec<(i64, i64)>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = Sql::new(
        "SELECT id, retry_of_run_id FROM operation_runs WHERE status <> 'completed' \
         AND retry_of_run_id IN ",
    )
    .list(ids.iter().copied());
    let read = |row: &Row| Ok((row.i64("retry_of_run_id")?, row.i64("id")?));
    db.fetch_all(sql).await?.iter().map(read).collect()
}

/// What became of the newest failures since the day began.
pub async fn failed_since(
    db: &Db,
    reach: &Reach,
    day_began: Micros,
) -> Result<FailedToday, StoreError> {
    let sql = Sql::new(
        "SELECT CAST(COALESCE(SUM(looked), 0) AS BIGINT) AS looked, \
         CAST(COALESCE(SUM(CASE WHEN fate = 'superseded' THEN 1 ELSE 0 END), 0) AS BIGINT) AS superseded, \
         CAST(COALESCE(SUM(CASE WHEN fate = 'investigated' THEN 1 ELSE 0 END), 0) AS BIGINT) AS investigated, \
         CAST(COALESCE(SUM(CASE WHEN fate = 'cancelled' THEN 1 ELSE 0 END), 0) AS BIGINT) AS cancelled, \
         CAST(COALESCE(SUM(CASE WHEN fate = 'open' THEN 1 ELSE 0 END), 0) AS BIGINT) AS still_open, \
         CAST(COALESCE(SUM(CASE WHEN fate = 'retried' THEN 1 ELSE 0 END), 0) AS BIGINT) AS retried, \
         CAST(COALESCE(SUM(CASE WHEN fate = 'expired' THEN 1 ELSE 0 END), 0) AS BIGINT) AS expired \
         FROM (SELECT 1 AS looked, CASE WHEN ",
    );
    let mine = match reach {
        Reach::Everything => Sql::new("1 = 0"),
        Reach::Workspaces(ids) => {
            Sql::new("r.workspace_id NOT IN ").list(ids.iter().copied().chain([-1]))
        }
    };
    let sql = sql
        .append(mine)
        .push(
            " THEN 'elsewhere' WHEN r.cancel_requested_at IS NOT NULL THEN 'cancelled' \
             WHEN r.superseded_by_run_id IS NOT NULL THEN 'superseded' \
             WHEN r.investigated_at IS NOT NULL AND r.open_work = 0 THEN 'investigated' \
             WHEN r.open_work = 1 THEN 'open' \
             WHEN r.open_work_expired_at IS NOT NULL THEN 'expired' ELSE 'retried' END AS fate \
             FROM operation_runs r WHERE r.outcome = 'failed' AND r.completed_at >= ",
        )
        .arg(day_began)
        .push(" ORDER BY r.completed_at DESC LIMIT ")
        .arg(COUNTED + 1)
        .push(") of_today");
    let row = db.fetch_one(sql).await?;
    let mut today = FailedToday {
        failed: 0,
        closed_by_success: row.i64("superseded")?,
        investigated: row.i64("investigated")?,
        retried: row.i64("retried")?,
        open: row.i64("still_open")?,
        expired: row.i64("expired")?,
        cancelled: row.i64("cancelled")?,
        capped: row.i64("looked")? > COUNTED,
    };
    today.failed =
        today.closed_by_success + today.investigated + today.retried + today.open + today.expired;
    Ok(today)
}

/// A failure of today that is open no more.
pub struct Gone {
    pub id: i64,
    pub kind: String,
    pub target: Option<String>,
    pub superseded_by: Option<i64>,
    pub investigated_by: Option<String>,
    pub investigated: bool,
    pub at: Micros,
}

pub async fn gone(db: &Db, reach: &Reach, day_began: Micros) -> Result<Vec<Gone>, StoreError> {
    let newest = Sql::new(
        "SELECT r.id, r.workspace_id, r.type, COALESCE(r.target_label, r.target) AS target, r.completed_at, \
         r.superseded_by_run_id, r.investigated_at, r.investigated_by, r.open_work_expired_at, \
         r.open_work, r.cancel_requested_at FROM operation_runs r \
         WHERE r.outcome = 'failed' AND r.completed_at >= ",
    )
    .arg(day_began)
    .push(" ORDER BY r.completed_at DESC LIMIT ")
    .arg(CLOSED_LOOK);
    let sql = Sql::new("SELECT * FROM (").append(newest).push(
        ") r WHERE r.open_work = 0 AND r.cancel_requested_at IS NULL AND (r.superseded_by_run_id IS NOT NULL \
         OR r.investigated_at IS NOT NULL OR r.open_work_expired_at IS NOT NULL)",
    );
    let sql = within(sql, reach).push(" ORDER BY r.completed_at DESC LIMIT ").arg(CLOSED);
    let read = |row: &Row| {
        Ok(Gone {
            id: row.i64("id")?,
            kind: row.text("type")?,
            target: row.opt_text("target")?,
            superseded_by: row.opt_i64("superseded_by_run_id")?,
            investigated_by: row.opt_text("investigated_by")?,
            investigated: row.opt_micros("investigated_at")?.is_some(),
            at: row.micros("completed_at")?,
        })
    };
    db.fetch_all(sql).await?.iter().map(read).collect()
}

/// Runs that may be stuck: the oldest that run, and the oldest that wait and are due. Also says whether there are
/// more of either than these.
pub async fn active(db: &Db, reach: &Reach, now: Micros) -> Result<(Vec<i64>, bool), StoreError> {
    let running = Sql::new("SELECT r.id FROM operation_runs r WHERE r.status = 'running'");
    let queued = Sql::new(
        "SELECT r.id FROM operation_runs r WHERE r.status = 'queued' AND r.scheduled_at <= ",
    );
    let (mut ids, mut more) = (Vec::new(), false);
    for oldest in [running, queued.arg(now)] {
        let sql = within(oldest, reach).push(" ORDER BY r.id LIMIT ").arg(JUDGED + 1);
        let found = db.fetch_all(sql).await?;
        more |= found.len() > JUDGED as usize;
        for row in found.iter().take(JUDGED as usize) {
            ids.push(row.i64("id")?);
        }
    }
    Ok((ids, more))
}

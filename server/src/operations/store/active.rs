//! Runs that have not ended, with no more of each than the verdict on it needs: a queue of thousands is judged
//! without reading what anybody typed.

use app::{
    identity::Reach,
    list::ListQuery,
    operations::{
        model::Status,
        stuck::{Activity, HEARTBEAT_MAX},
    },
    time::Micros,
};

use super::RUNS;
use crate::store::{Db, Dialect, Row, Sql, StoreError, list};

/// More than that are not looked at.
pub const LOOK: usize = 10_000;

/// An active run, but for whether its queue is served.
pub struct Active {
    pub id: i64,
    pub kind: String,
    pub queue: String,
    pub activity: Activity,
}

/// What was found, oldest first.
#[derive(Default)]
pub struct Found {
    pub runs: Vec<Active>,
    /// There are more than were looked at.
    pub more: bool,
}

/// The active runs that the query asks for and that can be stuck at all by `now`.
pub async fn active(
    db: &Db,
    reach: &Reach,
    query: &ListQuery,
    now: Micros,
) -> Result<Found, StoreError> {
    let Some(asked) = list::conditions(&RUNS, reach, query) else { return Ok(Found::default()) };
    // Nothing that waits is late before that.
    let late = now.plus(-HEARTBEAT_MAX);
    let waits = Sql::new(" AND r.scheduled_at < ")
        .arg(late)
        .push(" AND (r.queued_at IS NULL OR r.queued_at < ")
        .arg(late)
        .push(")");
    let most = i64::try_from(LOOK).unwrap_or(i64::MAX) + 1;
    let queued = arm(db.dialect(), "queued", asked.clone().append(waits), most);
    let running = arm(db.dialect(), "running", asked, most);
    let sql = Sql::new("SELECT * FROM (")
        .append(queued)
        .push(") waiting UNION ALL SELECT * FROM (")
        .append(running)
        .push(") working ORDER BY id LIMIT ")
        .arg(most);
    let rows = db.fetch_all(sql).await?;
    let mut runs = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let more = runs.len() > LOOK;
    runs.truncate(LOOK);
    Ok(Found { runs, more })
}

/// The oldest of one status, by its index: SQLite would rather walk through all that has ended.
fn arm(dialect: Dialect, status: &'static str, conditions: Sql, most: i64) -> Sql {
    let sql = Sql::new(
        "SELECT r.id AS id, r.type AS type, r.queue AS queue, r.status AS status, \
         r.scheduled_at AS scheduled_at, r.queued_at AS queued_at, \
         r.cancel_requested_at AS cancel_requested_at, l.acquired_at AS acquired_at, \
         l.heartbeat_at AS heartbeat_at FROM operation_runs r",
    )
    .push(match dialect {
        Dialect::Sqlite => " INDEXED BY operation_runs_by_status",
        Dialect::Postgres => "",
    });
    sql.push(" LEFT JOIN operation_leases l ON l.run_id = r.id WHERE r.status = ")
        .arg(status)
        .append(conditions)
        .push(" ORDER BY r.id LIMIT ")
        .arg(most)
}

fn read(row: &Row) -> Result<Active, StoreError> {
    let status: Status = row.word("status")?;
    let due = row.micros("scheduled_at")?;
    Ok(Active {
        id: row.i64("id")?,
        kind: row.text("type")?,
        queue: row.text("queue")?,
        activity: Activity {
            status,
            waits_since: due.max(row.opt_micros("queued_at")?.unwrap_or(Micros(0))),
            taken_at: row.opt_micros("acquired_at")?,
            heartbeat_at: row.opt_micros("heartbeat_at")?,
            cancel_requested_at: row.opt_micros("cancel_requested_at")?,
            served: false,
        },
    })
}

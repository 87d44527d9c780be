//! How far a run has come, and the lines of its log. Every question names the reach of who asks.

use app::{
    identity::Reach,
    operations::{
        Reached,
        log::{LogLine, LogPage, Span},
        model::Status,
    },
};

use super::within;
use crate::store::{Db, Row, Sql, StoreError};

/// Where a run within reach stands, and the number of its newest line: one statement.
pub async fn reached(db: &Db, reach: &Reach, id: i64) -> Result<Option<Reached>, StoreError> {
    let sql = Sql::new(
        "SELECT r.status, (SELECT MAX(seq) FROM operation_logs WHERE run_id = r.id) AS last_seq \
         FROM operation_runs r WHERE r.id = ",
    )
    .arg(id);
    let row = db.fetch_optional(within(sql, reach)).await?;
    row.map(|row| {
        let status: Status = row.word("status")?;
        Ok(Reached { status, last_seq: row.opt_i64("last_seq")?.unwrap_or(0) })
    })
    .transpose()
}

/// Lines of a run, oldest first. Whoever asks for them knows already that the run is within reach.
pub async fn lines(
    db: &Db,
    run_id: i64,
    span: Span,
    limit: i64,
) -> Result<Vec<LogLine>, StoreError> {
    let sql =
        Sql::new("SELECT seq, at, level, line FROM operation_logs WHERE run_id = ").arg(run_id);
    let sql = match span {
        Span::After(seq) => sql.push(" AND seq > ").arg(seq).push(" ORDER BY seq"),
        Span::Before(seq) => sql.push(" AND seq < ").arg(seq).push(" ORDER BY seq DESC"),
        Span::Last => sql.push(" ORDER BY seq DESC"),
    };
    let rows = db.fetch_all(sql.push(" LIMIT ").arg(limit)).await?;
    let mut lines = rows.iter().map(line).collect::<Result<Vec<_>, StoreError>>()?;
    lines.sort_unstable_by_key(|line| line.seq);
    Ok(lines)
}

fn line(row: &Row) -> Result<LogLine, StoreError> {
    Ok(LogLine {
        seq: row.i64("seq")?,
        at: row.micros("at")?,
        level: row.word("level")?,
        line: row.text("line")?,
    })
}

/// What a page of lines is, when the run had come so far before they were read.
pub fn page(lines: Vec<LogLine>, reached: Reached, span: Span) -> LogPage {
    let from = match span {
        Span::After(seq) => seq,
        Span::Before(_) | Span::Last => 0,
    };
    let newest = lines.last().map(|line| line.seq);
    LogPage {
        next_after: newest.unwrap_or(from),
        // A line may have come between the two statements.
        last_seq: reached.last_seq.max(newest.unwrap_or(0)),
        status: reached.status,
        lines,
    }
}

//! The replay window as it lies in the store: numbering what was committed, reading on, pruning.

use std::{sync::Arc, time::Duration};

use app::{events::Notice, identity::Capability, time::Micros};

use crate::store::{Db, Row, Sql, StoreError, Tx};

/// Woken replicas read on from where they are.
pub(super) const CHANNEL: &str = "quarterdeck_events";
/// Numbered in one transaction; more would keep other writers waiting on SQLite.
const BATCH: i64 = 200;
/// Read at once.
const PAGE: i64 = 500;

/// One piece of news with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub seq: i64,
    pub topic: String,
    pub kind: String,
    pub id: String,
    /// None when this program does not know the capability: then nobody here may hear of it.
    pub capability: Option<Capability>,
    pub workspace_id: i64,
    pub at: Micros,
}

impl Event {
    pub fn notice(&self) -> Notice {
        Notice { seq: self.seq, topic: self.topic.clone(), id: self.id.clone() }
    }

    fn read(row: &Row) -> Result<Arc<Self>, StoreError> {
        Ok(Arc::new(Self {
            seq: row.i64("seq")?,
            topic: row.text("topic")?,
            kind: row.text("kind")?,
            id: row.text("subject")?,
            capability: row.text("capability")?.parse().ok(),
            workspace_id: row.i64("workspace_id")?,
            at: row.micros("created_at")?,
        }))
    }
}

/// Where the window ends and begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The last number given.
    pub(super) head: i64,
    /// The last number that was pruned.
    pub(super) pruned_to: i64,
    /// Whether something waits for its number.
    pub(super) waiting: bool,
}

pub(super) async fn bounds(db: &Db) -> Result<Bounds, StoreError> {
    let sql = Sql::new(
        "SELECT head, pruned_to, CASE WHEN EXISTS (SELECT 1 FROM event_outbox) THEN 1 ELSE 0 END AS waiting \
         FROM event_feed WHERE id = 1",
    );
    let row = db.fetch_one(sql).await?;
    Ok(Bounds {
        head: row.i64("head")?,
        pruned_to: row.i64("pruned_to")?,
        waiting: row.bool("waiting")?,
    })
}

/// How long the oldest of what waits for its number has waited, by the database's clock.
pub(super) async fn waiting_for(db: &Db) -> Result<i64, StoreError> {
    let sql = Sql::new("SELECT created_at FROM event_outbox ORDER BY id LIMIT 1");
    match db.fetch_optional(sql).await? {
        Some(row) => Ok(db.now().await?.since(row.micros("created_at")?)),
        None => Ok(0),
    }
}

/// The events that follow `after`, oldest first.
pub(super) async fn read_on(db: &Db, after: i64) -> Result<Vec<Arc<Event>>, StoreError> {
    let sql = Sql::new(
        "SELECT seq, topic, kind, subject, capability, workspace_id, created_at FROM events WHERE seq > ",
    )
    .arg(after)
    .push(" ORDER BY seq LIMIT ")
    .arg(PAGE);
    db.fetch_all(sql).await?.iter().map(Event::read).collect()
}

/// Numbers what was committed, a batch at a time, until nothing waits.
pub(super) async fn number_all(db: &Db) -> Result<(), StoreError> {
    while number(db).await? == BATCH {}
    Ok(())
}

async fn number(db: &Db) -> Result<i64, StoreError> {
    let mut tx = db.begin().await?;
    let lock = tx.dialect().row_lock();
    let sql = Sql::new("SELECT head FROM event_feed WHERE id = 1").push(lock);
    let head = tx.fetch_one(sql).await?.i64("head")?;
    let rows = take_from_outbox(&mut tx).await?;
    let count = i64::try_from(rows.len()).unwrap_or(BATCH);
    if count == 0 {
        return Ok(0);
    }
    tx.execute(insert(head, &rows)?).await?;
    let sql = Sql::new("UPDATE event_feed SET head = ").arg(head + count).push(" WHERE id = 1");
    tx.execute(sql).await?;
    tx.notify(CHANNEL).await?;
    tx.commit(Vec::new()).await?;
    Ok(count)
}

/// In the order in which they were written, as far as that is known: RETURNING promises none.
async fn take_from_outbox(tx: &mut Tx) -> Result<Vec<Row>, StoreError> {
    let sql = Sql::new(
        "DELETE FROM event_outbox WHERE id IN (SELECT id FROM event_outbox ORDER BY id LIMIT ",
    )
    .arg(BATCH)
    .push(") RETURNING id, topic, kind, subject, capability, workspace_id, created_at");
    let mut rows = Vec::new();
    for row in tx.fetch_all(sql).await? {
        rows.push((row.i64("id")?, row));
    }
    rows.sort_by_key(|(id, _)| *id);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

fn insert(head: i64, rows: &[Row]) -> Result<Sql, StoreError> {
    let mut sql = Sql::new(
        "INSERT INTO events (seq, topic, kind, subject, capability, workspace_id, created_at) VALUES ",
    );
    for (seq, row) in (head + 1..).zip(rows) {
        sql = sql
            .push(if seq == head + 1 { "(" } else { ", (" })
            .arg(seq)
            .push(", ")
            .arg(row.text("topic")?)
            .push(", ")
            .arg(row.text("kind")?)
            .push(", ")
            .arg(row.text("subject")?)
            .push(", ")
            .arg(row.text("capability")?)
            .push(", ")
            .arg(row.i64("workspace_id")?)
            .push(", ")
            .arg(row.i64("created_at")?)
            .push(")");
    }
    Ok(sql)
}

/// How many events are older than `keep_for` or beyond the last `keep`.
pub(super) async fn prunable(db: &Db, keep_for: Duration, keep: i64) -> Result<i64, StoreError> {
    let keep_for = i64::try_from(keep_for.as_micros()).unwrap_or(i64::MAX);
    let oldest = Micros(db.now().await?.0.saturating_sub(keep_for));
    let bounds = bounds(db).await?;
    // Numbers follow the times, but for clocks that were set: the last that is too old ends what goes.
    let sql = Sql::new("SELECT COALESCE(MIN(seq), 0) AS seq FROM events WHERE created_at >= ");
    let first_kept = match db.fetch_one(sql.arg(oldest)).await?.i64("seq")? {
        0 => bounds.head + 1,
        seq => seq,
    };
    let last = (first_kept - 1).max(bounds.head - keep);
    Ok((last - bounds.pruned_to).max(0))
}

/// Removes what is older than `keep_for` or beyond the last `keep` events; says how many that were.
pub(super) async fn prune(db: &Db, keep_for: Duration, keep: i64) -> Result<i64, StoreError> {
    let keep_for = i64::try_from(keep_for.as_micros()).unwrap_or(i64::MAX);
    let oldest = Micros(db.now().await?.0.saturating_sub(keep_for));
    let lowest = bounds(db).await?.head.saturating_sub(keep);
    let mut removed = 0;
    loop {
        let page = read_on(db, 0).await?;
        let stale = page.iter().take_while(|event| event.at < oldest || event.seq <= lowest);
        let Some(last) = stale.last().map(|event| event.seq) else { return Ok(removed) };
        removed += prune_to(db, last).await?;
    }
}

async fn prune_to(db: &Db, last: i64) -> Result<i64, StoreError> {
    let mut tx = db.begin().await?;
    let removed = tx.execute(Sql::new("DELETE FROM events WHERE seq <= ").arg(last)).await?;
    let sql = Sql::new("UPDATE event_feed SET pruned_to = ")
        .arg(last)
        .push(" WHERE id = 1 AND pruned_to < ")
        .arg(last);
    tx.execute(sql).await?;
    tx.commit(Vec::new()).await?;
    Ok(i64::try_from(removed).unwrap_or(i64::MAX))
}

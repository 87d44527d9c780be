//! Any list that is ordered by id, newest first: its filters become SQL here, once for all domains.
//!
//! Finds ids; the domain reads the rows of one page by them. The cost of a page does not grow with the table:
//!
//! | asked for | how it is found | total |
//! |---|---|---|
//! | nothing, or one filter | the filter's own index, which ends in the id | exact to 10 000 |
//! | several filters, one of them rare | the rare one's index, the others checked in its few rows | exact |
//! | several filters | slices of ids, newest first, in the narrow index that holds every filter | of the newest 50 000 rows |
//! | words | the text index, in slices of ids | of the newest 10 000 rows behind the page |
//!
//! Slices end when the page is full, at the table's end, or after 100 ms: the page then says how far it looked,
//! and its cursor goes on from there. A total that could not be counted to its end is a lower bound and says
//! so (`total_capped`).
//!
//! Must not know any domain's table; [`Table`] tells.

mod ask;
mod counts;
mod range;

pub use counts::{State, counts};

use std::time::Duration;

use app::{
    identity::Reach,
    list::{Cursor, Filter, ListQuery, Page, Searched, WINDOW},
};

use self::{ask::Ask, range::Range};
use super::{Db, Searchable, Sql, StoreError};

/// A table that can be listed.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// With its alias, which each of the columns here has: `operation_runs r`.
    pub from: &'static str,
    pub id: &'static str,
    /// Each with an index `(column, id)`, times excepted. One without a column is not asked for here.
    pub filters: &'static [Filter],
    pub workspace: &'static str,
    /// Follows the ids but for [`SLACK`]; has an index.
    pub created: &'static str,
    /// The index that begins with the id and holds every filter's column.
    pub facets: &'static str,
    /// None where there is no filter of words.
    pub search: Option<Searchable>,
    /// What goes without saying.
    pub implied: &'static [Implied],
}

/// Rows whose `column` holds `value` have `implied.1` in the column `implied.0`: a filter that asks for both
/// asks for one thing, and is as quick as one filter.
#[derive(Clone, Copy, Debug)]
pub struct Implied {
    pub column: &'static str,
    pub value: &'static str,
    pub implied: (&'static str, &'static str),
}

/// How long a search may look.
const LOOK: Duration = Duration::from_millis(100);
/// Ids that a count looks at, beyond the page, where no index counts.
const COUNT_LOOK: i64 = 50_000;
/// The same for words, which are looked for in the rows themselves: an index of words would bring all that have them.
const COUNT_WORDS: i64 = SLICE;
/// A filter with so few rows leads: the others are checked in them.
const LEADER_MAX: i64 = 10_000;
/// A row looked up by an index costs as much as so many read on in the narrow one.
const LEADER_COST: i64 = 20;
/// The first slice, and the largest. Small enough that one takes no time to speak of, even where each row is
/// read; large enough that a million rows are a few dozen.
const SLICE: i64 = 8_192;
const SLICE_MAX: i64 = 65_536;
/// An index of words skips by itself, so its slices grow faster.
const SLICE_WORDS_MAX: i64 = 1 << 20;
/// Rows are not created strictly in the order of their ids (transactions, several clocks). A time filter looks
/// so much further on both sides; rows that are out of step by more are not found by it.
const SLACK_MICROS: i64 = 120 * 1_000_000;

/// What one look through the table gave.
struct Found {
    ids: Vec<i64>,
    /// There is at least one more behind the page.
    more: bool,
    /// The oldest id looked at, when the look ended for lack of time.
    stopped_at: Option<Searched>,
    /// Where a count goes on: everything above was looked at.
    looked_down_to: i64,
    /// Rows of the list up to the end of this page, when the look began at its top.
    seen: i64,
}

/// The ids of one page.
pub async fn page(
    db: &Db,
    table: &Table,
    reach: &Reach,
    query: &ListQuery,
) -> Result<Page<i64>, StoreError> {
    let Some(mut ask) = Ask::read(table, reach, query) else { return Ok(empty(query)) };
    let Some(all) = ask.bounds(db).await? else { return Ok(empty(query)) };
    let size = i64::from(query.page_size());
    let skip = if query.cursor.is_some() { 0 } else { i64::from(query.page() - 1) * size };
    let place = Place { range: within(all, query.cursor), skip, size };
    let began = db.clock().monotonic();
    let way = ask.way(db, all).await?;
    let found = match way {
        Way::Index | Way::Leader => at_once(db, &ask, &place, way).await?,
        Way::Slices => in_slices(db, &ask, &place, began).await?,
    };
    let (total, capped) = total(db, &ask, way, all, query, &place, &found).await?;
    Ok(assemble(query, found, total, capped))
}

/// How a query is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// By one index, which counts as well.
    Index,
    /// By the index of a filter with few rows.
    Leader,
    Slices,
}

/// Where in the list, and how much of it.
struct Place {
    range: Range,
    skip: i64,
    size: i64,
}

fn within(all: Range, cursor: Option<Cursor>) -> Range {
    match cursor {
        None => all,
        Some(Cursor::OlderThan(id)) => Range { below: all.below.min(id), ..all },
        Some(Cursor::NewerThan(id)) => Range { above: all.above.max(id), upwards: true, ..all },
    }
}

async fn at_once(db: &Db, ask: &Ask<'_>, place: &Place, way: Way) -> Result<Found, StoreError> {
    let sql = match way {
        Way::Leader => ask.ids_by_leader(&place.range),
        _ => ask.ids_by_index(&place.range, place.skip + place.size + 1),
    };
    let sql = sql.push(" LIMIT ").arg(place.size + 1).push(" OFFSET ").arg(place.skip);
    let ids = read_ids(db, sql).await?;
    let seen = place.skip + length(&ids).min(place.size);
    Ok(finish(ids, place, None, (place.range.below, seen)))
}

/// Looks newest first (or, going back, oldest first), slice by slice.
async fn in_slices(
    db: &Db,
    ask: &Ask<'_>,
    place: &Place,
    began: Duration,
) -> Result<Found, StoreError> {
    let need = place.skip + place.size + 1;
    let (mut left, mut ids) = (place.range, Vec::new());
    let (mut slice, most) = ask.slices(db.dialect());
    let mut stopped_at = None;
    while !left.is_empty() {
        let part = left.take(slice);
        slice = (slice * 2).min(most);
        let missing = need - length(&ids);
        let sql = ask.ids_in_slice(db.dialect(), &part).push(" LIMIT ").arg(missing);
        ids.extend(read_ids(db, sql).await?);
        if length(&ids) >= need {
            break;
        }
        if !left.is_empty() && db.clock().monotonic().saturating_sub(began) >= LOOK {
            let rows = place.range.len() - left.len();
            stopped_at = Some(Searched { down_to_id: part.above + 1, rows });
            break;
        }
    }
    let full = length(&ids) >= need;
    let seen = length(&ids) - i64::from(full);
    let looked_down_to = match ids.last() {
        Some(last) if full => *last,
        _ => left.below,
    };
    let skip = usize::try_from(place.skip).unwrap_or(usize::MAX).min(ids.len());
    let ids = ids.split_off(skip);
    Ok(finish(ids, place, stopped_at, (looked_down_to, seen)))
}

fn length(ids: &[i64]) -> i64 {
    i64::try_from(ids.len()).unwrap_or(i64::MAX)
}

fn finish(
    mut ids: Vec<i64>,
    place: &Place,
    stopped_at: Option<Searched>,
    (looked_down_to, seen): (i64, i64),
) -> Found {
    let size = usize::try_from(place.size).unwrap_or(usize::MAX);
    let more = ids.len() > size;
    ids.truncate(size);
    if place.range.upwards {
        ids.reverse();
    }
    Found { ids, more, stopped_at, looked_down_to, seen }
}

/// How many rows the whole list has, and whether that is only how many were counted.
async fn total(
    db: &Db,
    ask: &Ask<'_>,
    way: Way,
    all: Range,
    query: &ListQuery,
    place: &Place,
    found: &Found,
) -> Result<(i64, bool), StoreError> {
    let from_top = query.cursor.is_none();
    let at_end = !found.more && (!found.ids.is_empty() || place.skip == 0 || way == Way::Slices);
    if from_top && at_end {
        return Ok(capped(found.seen, found.stopped_at.is_some()));
    }
    match way {
        Way::Index => Ok(capped(count(db, ask.count_by_index(&all)).await?, false)),
        Way::Leader => Ok(capped(count(db, ask.count_by_leader(&all)).await?, false)),
        Way::Slices if from_top && found.more => {
            // Everything down to the first row behind the page was looked at; that row is the last one seen.
            let rest = Range { below: found.looked_down_to, ..all };
            let (more, ended) = count_slices(db, ask, rest).await?;
            Ok(capped(found.seen + 1 + more, !ended))
        }
        Way::Slices => {
            let (counted, ended) = count_slices(db, ask, all).await?;
            Ok(capped(counted, !ended))
        }
    }
}

fn capped(counted: i64, lower_bound: bool) -> (i64, bool) {
    (counted.min(WINDOW), lower_bound || counted > WINDOW)
}

/// Counts the newest rows; the flag tells whether it came to the end.
async fn count_slices(db: &Db, ask: &Ask<'_>, range: Range) -> Result<(i64, bool), StoreError> {
    let mut left = range;
    let part = left.take(if ask.has_words() { COUNT_WORDS } else { COUNT_LOOK });
    let most = WINDOW + 1;
    let sql = Sql::new("SELECT COUNT(*) AS n FROM (")
        .append(ask.ids_in_slice(db.dialect(), &part))
        .push(" LIMIT ")
        .arg(most)
        .push(") counted");
    let counted = count(db, sql).await?;
    Ok((counted, left.is_empty() && counted < most))
}

/// How many rows of the list have an id above `after`, counted up to `most`, among the newest 50 000.
pub async fn newer(
    db: &Db,
    table: &Table,
    reach: &Reach,
    query: &ListQuery,
    after: i64,
    most: i64,
) -> Result<i64, StoreError> {
    let Some(mut ask) = Ask::read(table, reach, query) else { return Ok(0) };
    let Some(all) = ask.bounds(db).await? else { return Ok(0) };
    let above = all.above.max(after).max(all.below.saturating_sub(COUNT_LOOK));
    let range = Range { above, ..all };
    if range.is_empty() {
        return Ok(0);
    }
    let sql = Sql::new("SELECT COUNT(*) AS n FROM (")
        .append(ask.ids_in_slice(db.dialect(), &range))
        .push(" LIMIT ")
        .arg(most)
        .push(") counted");
    count(db, sql).await
}

/// Ids of a whole list that is walked through oldest first, such as for an export: those of one slice above `above`
/// and up to `to`, and how far the slice reached. It has come to the end when that is `to`.
pub async fn walk(
    db: &Db,
    table: &Table,
    reach: &Reach,
    query: &ListQuery,
    above: i64,
    to: i64,
) -> Result<(Vec<i64>, i64), StoreError> {
    let Some(mut ask) = Ask::read(table, reach, query) else { return Ok((Vec::new(), to)) };
    let Some(all) = ask.bounds(db).await? else { return Ok((Vec::new(), to)) };
    let above = above.max(all.above);
    let below = all.below.min(to.saturating_add(1));
    let mut left = Range { above, below, upwards: true };
    if left.is_empty() {
        return Ok((Vec::new(), to));
    }
    let part = left.take(SLICE);
    let ids = read_ids(db, ask.ids_in_slice(db.dialect(), &part)).await?;
    Ok((ids, if left.is_empty() { to } else { part.below - 1 }))
}

/// What a query asks of each row, as ` AND …`, for a domain that has an index of its own for the rest. `None` when
/// nothing can match.
pub fn conditions(table: &Table, reach: &Reach, query: &ListQuery) -> Option<Sql> {
    Ask::read(table, reach, query).map(|ask| ask.conditions())
}

async fn count(db: &Db, sql: Sql) -> Result<i64, StoreError> {
    db.fetch_one(sql).await?.i64("n")
}

async fn read_ids(db: &Db, sql: Sql) -> Result<Vec<i64>, StoreError> {
    db.fetch_all(sql).await?.iter().map(|row| row.i64("id")).collect()
}

fn empty(query: &ListQuery) -> Page<i64> {
    let found =
        Found { ids: Vec::new(), more: false, stopped_at: None, looked_down_to: 0, seen: 0 };
    assemble(query, found, 0, false)
}

fn assemble(query: &ListQuery, found: Found, total: i64, total_capped: bool) -> Page<i64> {
    let size = i64::from(query.page_size());
    let (next, previous) = neighbours(query, &found);
    Page {
        items: found.ids,
        total,
        total_capped,
        page: query.cursor.is_none().then(|| query.page()),
        page_size: query.page_size(),
        total_pages: (total + size - 1) / size,
        next_cursor: next.map(|cursor| cursor.to_string()),
        previous_cursor: previous.map(|cursor| cursor.to_string()),
        searched: found.stopped_at,
    }
}

/// Where the list goes on, on either side of the page.
fn neighbours(query: &ListQuery, found: &Found) -> (Option<Cursor>, Option<Cursor>) {
    let older = found.ids.last().map(|id| Cursor::OlderThan(*id));
    let newer = found.ids.first().map(|id| Cursor::NewerThan(*id));
    let looked = found.stopped_at.map(|searched| Cursor::OlderThan(searched.down_to_id));
    match query.cursor {
        None if query.page() == 1 => (older.filter(|_| found.more).or(looked), None),
        None => (older.filter(|_| found.more).or(looked), newer),
        // Behind an empty page lies the row that the cursor named.
        Some(Cursor::OlderThan(id)) => {
            let back = Cursor::NewerThan(id.saturating_sub(1));
            (older.filter(|_| found.more).or(looked), newer.or(Some(back)))
        }
        Some(Cursor::NewerThan(id)) => {
            let on = Cursor::OlderThan(id.saturating_add(1));
            (older.or(Some(on)), newer.filter(|_| found.more))
        }
    }
}

/// The same page with what stands behind its ids.
pub fn fill<T>(page: Page<i64>, items: Vec<T>) -> Page<T> {
    Page {
        items,
        total: page.total,
        total_capped: page.total_capped,
        page: page.page,
        page_size: page.page_size,
        total_pages: page.total_pages,
        next_cursor: page.next_cursor,
        previous_cursor: page.previous_cursor,
        searched: page.searched,
    }
}

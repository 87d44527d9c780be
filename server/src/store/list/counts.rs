//! How many rows of a query are in each of some states, for the figures beside a list: none of them slow.

use app::{identity::Reach, list::ListQuery};
use futures::future::try_join_all;

use super::{LEADER_COST, Range, Table, ask::Ask, capped, count};
use crate::store::{Db, Sql, StoreError};

/// Ids that are looked at where no index counts, once for all states.
const LOOK: i64 = 20_000;
const LOOK_WORDS: i64 = 5_000;
/// What so few rows have is looked up row by row, however old: that costs no more.
const RARE: i64 = LOOK / LEADER_COST;
/// One column of the answer for each state.
const NAMES: [&str; 4] = ["state_1", "state_2", "state_3", "state_4"];

/// A filter's key and one of its values.
pub type State = (&'static str, &'static str);

/// The rows in each state, counted up to 10 000, and whether that is only how many were counted.
pub async fn counts(
    db: &Db,
    table: &Table,
    reach: &Reach,
    query: &ListQuery,
    states: &[State; 4],
) -> Result<Vec<(i64, bool)>, StoreError> {
    let nothing = || Ok(vec![(0, false); states.len()]);
    let Some(mut ask) = Ask::read(table, reach, query) else { return nothing() };
    let Some(all) = ask.bounds(db).await? else { return nothing() };
    let open = ask.is_open();
    let each = states.iter().map(|state| by_index(db, table, reach, (query, open), *state, all));
    let mut counted = try_join_all(each).await?;
    if counted.iter().any(Option::is_none) {
        let looked = in_one_look(db, &mut ask, states, all).await?;
        for (exact, looked) in counted.iter_mut().zip(looked) {
            exact.get_or_insert(looked);
        }
    }
    Ok(counted.into_iter().flatten().collect())
}

/// Where the state is all there is to ask, or few rows have it.
async fn by_index(
    db: &Db,
    table: &Table,
    reach: &Reach,
    (query, open): (&ListQuery, bool),
    (key, value): State,
    all: Range,
) -> Result<Option<(i64, bool)>, StoreError> {
    let Some(mut ask) = Ask::read(table, reach, &query.with(key, value)) else {
        return Ok(Some((0, false)));
    };
    if open {
        return Ok(Some(capped(count(db, ask.count_by_index(&all)).await?, false)));
    }
    let Some(column) = column_of(table, key) else { return Ok(None) };
    if ask.has_words() || !ask.lead_by(db, column, &all, RARE).await? {
        return Ok(None);
    }
    Ok(Some(capped(count(db, ask.count_by_leader(&all)).await?, false)))
}

fn column_of(table: &Table, key: &str) -> Option<&'static str> {
    table.filters.iter().find(|filter| filter.key == key).map(|filter| filter.column)
}

/// All states in one look: at the few rows that one condition leaves, or at the newest.
async fn in_one_look(
    db: &Db,
    ask: &mut Ask<'_>,
    states: &[State; 4],
    all: Range,
) -> Result<Vec<(i64, bool)>, StoreError> {
    let led = !ask.has_words() && ask.lead_by_fewest(db, &all, RARE).await?;
    let (rows, below) = if led {
        (ask.led(Sql::new(" FROM ").push(ask.table.from), &all), false)
    } else {
        let mut left = all;
        let part = left.take(if ask.has_words() { LOOK_WORDS } else { LOOK });
        (ask.sliced(db.dialect(), &part).0, !left.is_empty())
    };
    let mut sql = Sql::new("SELECT ");
    for (n, ((key, value), name)) in states.iter().zip(NAMES).enumerate() {
        let column = column_of(ask.table, key).unwrap_or("''");
        sql = sql.push(if n == 0 { "COUNT(CASE WHEN " } else { ", COUNT(CASE WHEN " });
        sql = sql.push(column).push(" = ").arg(*value).push(" THEN 1 END) AS ").push(name);
    }
    let row = db.fetch_one(sql.append(rows)).await?;
    let read = |name| row.i64(name).map(|rows| capped(rows, below));
    states.iter().zip(NAMES).map(|(_, name)| read(name)).collect()
}

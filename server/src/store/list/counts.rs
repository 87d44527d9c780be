//! How many rows some queries have, for the figures beside a list: several at once, none of them slow.

use app::{identity::Reach, list::ListQuery};
use futures::future::try_join_all;

use super::{
    Table, Way,
    ask::{Ask, Range},
    capped, count,
};
use crate::store::{Db, Sql, StoreError};

/// Ids that are looked at where no index counts. Fewer than a list's own total looks at: there are several.
const LOOK: i64 = 20_000;
const LOOK_WORDS: i64 = 5_000;
const MOST: i64 = app::list::WINDOW + 1;

/// The rows of each query, counted up to 10 000, and whether that is only how many were counted.
pub async fn counts(
    db: &Db,
    table: &Table,
    reach: &Reach,
    queries: &[ListQuery],
) -> Result<Vec<(i64, bool)>, StoreError> {
    try_join_all(queries.iter().map(|query| one(db, table, reach, query))).await
}

async fn one(
    db: &Db,
    table: &Table,
    reach: &Reach,
    query: &ListQuery,
) -> Result<(i64, bool), StoreError> {
    let Some(mut ask) = Ask::read(table, reach, query) else { return Ok((0, false)) };
    let Some(all) = ask.bounds(db).await? else { return Ok((0, false)) };
    match ask.way(db, all).await? {
        Way::Index => Ok(capped(count(db, ask.count_by_index(&all)).await?, false)),
        Way::Leader => Ok(capped(count(db, ask.count_by_leader(&all)).await?, false)),
        Way::Slices => newest(db, &ask, all).await,
    }
}

async fn newest(db: &Db, ask: &Ask<'_>, all: Range) -> Result<(i64, bool), StoreError> {
    let mut left = all;
    let part = left.take(if ask.has_words() { LOOK_WORDS } else { LOOK });
    let sql = Sql::new("SELECT COUNT(*) AS n FROM (")
        .append(ask.ids_in_slice(db.dialect(), &part))
        .push(" LIMIT ")
        .arg(MOST)
        .push(") counted");
    Ok(capped(count(db, sql).await?, !left.is_empty()))
}

//! Lists of thousands, not millions: any order, counted as far as a list says its count, paged by rows skipped. The
//! long lists, which page by id, are in [`super::list`].

use app::list::{Cursor, ListQuery, Page, WINDOW};

use super::{Db, Row, Sql, StoreError};

/// What to select, from where, in which order.
pub struct Ask {
    /// `SELECT …`, without its FROM.
    pub select: &'static str,
    /// ` FROM … WHERE …`
    pub from_where: Sql,
    /// ` ORDER BY …`, never leaving two rows in doubt.
    pub order: &'static str,
}

/// One page. A cursor of these lists is the number of rows before it.
pub async fn paged<T>(
    db: &Db,
    query: &ListQuery,
    ask: Ask,
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Page<T>, StoreError> {
    let size = i64::from(query.page_size());
    let before = match query.cursor {
        Some(Cursor::OlderThan(rows)) => rows,
        Some(Cursor::NewerThan(rows)) => rows.saturating_sub(size).max(0),
        None => (i64::from(query.page()) - 1) * size,
    };
    let count = Sql::new("SELECT COUNT(*) AS n FROM (SELECT 1 AS one")
        .append(ask.from_where.clone())
        .push(" LIMIT ")
        .arg(WINDOW + 1)
        .push(") AS counted");
    let counted = db.fetch_one(count).await?.i64("n")?;
    let rows = Sql::new(ask.select)
        .append(ask.from_where)
        .push(ask.order)
        .push(" LIMIT ")
        .arg(size + 1)
        .push(" OFFSET ")
        .arg(before);
    let rows = db.fetch_all(rows).await?;
    let more = i64::try_from(rows.len()).unwrap_or(i64::MAX) > size;
    let shown = rows.iter().take(usize::try_from(size).unwrap_or(usize::MAX));
    let total = counted.min(WINDOW);
    Ok(Page {
        items: shown.map(read).collect::<Result<_, _>>()?,
        total,
        total_capped: counted > WINDOW,
        page: query.cursor.is_none().then(|| query.page()),
        page_size: query.page_size(),
        total_pages: (total + size - 1) / size,
        next_cursor: more.then(|| Cursor::OlderThan(before.saturating_add(size)).to_string()),
        previous_cursor: (before > 0).then(|| Cursor::NewerThan(before).to_string()),
        searched: None,
    })
}

/// `needle` anywhere in the text that `LIKE` compares with it, both in lower case as far as the engines agree.
pub fn like(needle: &str) -> String {
    format!("%{}%", super::escape_like(&needle.to_ascii_lowercase()))
}
